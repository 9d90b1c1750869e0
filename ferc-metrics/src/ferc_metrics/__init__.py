"""Metrics of FER-C: accuracy and calibration, for hard and for soft labels.

    classification    accuracy, macro_f1
    proper            nll, brier and their soft forms
    calibration       ece, mce, ada_ece, classwise_ece, kse
    soft_calibration  the same for label distributions, and the variants of the FER-C authors
    reliability       reliability_bins, the data of a reliability diagram
    resampled         some of them for many bootstrap resamples at once

This file imports nothing, so that listing the metrics does not load NumPy.
"""

__version__ = "0.2.0"
