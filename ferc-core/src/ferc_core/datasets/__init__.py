"""Datasets that the core opens: toy faces, your own, and known ones as their owners ship them."""
