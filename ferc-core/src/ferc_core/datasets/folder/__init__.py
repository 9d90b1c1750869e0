"""Your own images: a folder for each class, with or without splits, or a table of them."""

from ferc_core.datasets.folder.loader import open_folder

__all__ = ["open_folder"]
