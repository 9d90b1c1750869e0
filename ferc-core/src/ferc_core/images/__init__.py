"""Images: from files to arrays and back, read once and kept."""
