"""AffectNet as its owners distribute it (Mollahosseini et al. 2017, arXiv:1708.03985)."""

from ferc_core.datasets.affectnet.loader import open_affectnet

__all__ = ["open_affectnet"]
