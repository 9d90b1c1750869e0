"""Toy faces: a dataset that FER-C draws itself, so that everything can be tried at once."""

from ferc_core.datasets.toyfaces.loader import open_toyfaces

__all__ = ["open_toyfaces"]
