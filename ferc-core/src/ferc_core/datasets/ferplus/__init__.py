"""FER2013 with the ten FER+ votes for each face (Barsoum et al. 2016, arXiv:1608.01041)."""

from ferc_core.datasets.ferplus.loader import open_ferplus

__all__ = ["open_ferplus"]
