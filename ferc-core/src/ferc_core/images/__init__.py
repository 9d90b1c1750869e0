"""Image files to arrays and back, and images that are kept so as to be read once."""
