"""A metric of your own, computed from stored predictions; nothing is trained or predicted again.

    ferc results ferc-runs/toyfaces-... --plugin examples/my_metric.py --by severity \
        --metric confidence --metric accuracy
"""

import numpy as np

from ferc_core import Metric, hookimpl


def confidence(probs: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of the largest probability, in [1/K, 1]."""
    return float(probs.max(axis=1).mean())


@hookimpl
def register_metrics(register):
    register(
        Metric(
            "confidence",
            confidence,
            summary="Mean confidence.",
            higher_is_better=True,
            unit="fraction",  # shown in percent
        )
    )
