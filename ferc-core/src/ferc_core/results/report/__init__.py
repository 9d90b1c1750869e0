"""``ferc report``: runs as one page that opens anywhere, without a server and without a network."""
