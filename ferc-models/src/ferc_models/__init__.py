"""FER methods, calibration losses, post-hoc calibrators and the training loop of FER-C."""

__version__ = "0.2.0"
