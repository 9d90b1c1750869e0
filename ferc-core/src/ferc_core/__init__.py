"""FER-C: how trustworthy is a facial-expression-recognition model?"""

from ferc_core.errors import FercError
from ferc_core.plugins.hooks import hookimpl
from ferc_core.plugins.host import registry
from ferc_core.spec import (
    Calibrator,
    Corruption,
    DatasetSource,
    Executor,
    LabelScheme,
    Loss,
    Method,
    Metric,
    Predictor,
    Reporter,
    Visibility,
)

__version__ = "0.1.0"

__all__ = [
    "Calibrator",
    "Corruption",
    "DatasetSource",
    "Executor",
    "FercError",
    "LabelScheme",
    "Loss",
    "Method",
    "Metric",
    "Predictor",
    "Reporter",
    "Visibility",
    "hookimpl",
    "registry",
]
