"""Corruptions and visibility functions of FER-C."""

__version__ = "0.2.0"
