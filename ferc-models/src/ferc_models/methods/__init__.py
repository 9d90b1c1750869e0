"""FER methods, each with its network and its training loss."""
