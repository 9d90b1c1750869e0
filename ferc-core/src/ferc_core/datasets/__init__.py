"""Datasets that the core opens: toy faces, your own images, and public datasets as distributed."""
