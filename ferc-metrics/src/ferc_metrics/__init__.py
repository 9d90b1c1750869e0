"""Metrics of FER-C: how right a model is, and how well it knows how right it is.

    classification    accuracy, macro_f1
    proper            nll, brier and their soft forms
    calibration       ece, mce, ada_ece, classwise_ece, kse
    soft_calibration  the same for label distributions, and the FER-C authors' forms
    reliability       reliability_bins, the data of a reliability diagram

This file imports nothing, so that listing the metrics does not load NumPy.
"""

__version__ = "0.1.0"
