"""Training objectives."""

from ferc_models.losses.objective import Objective, build_loss

__all__ = ["Objective", "build_loss"]
