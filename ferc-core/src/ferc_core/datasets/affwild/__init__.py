"""Aff-Wild2, or Aff-Wild with the expressions of Aff-Wild2, as their owners distribute them."""

from ferc_core.datasets.affwild.loader import open_affwild

__all__ = ["open_affwild"]
