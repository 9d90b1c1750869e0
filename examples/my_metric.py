"""A metric of your own, computed from stored predictions; nothing is trained or predicted again.

    ferc results ferc-runs/toyfaces-... --plugin examples/my_metric.py --by severity \
        --metric overconfidence --metric accuracy
"""

import numpy as np

from ferc_core import Metric, hookimpl


def overconfidence(probs: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean of the largest probability less the accuracy, in [-1, 1]."""
    return float(probs.max(axis=1).mean() - (probs.argmax(axis=1) == targets).mean())


@hookimpl
def register_metrics(register):
    register(
        Metric(
            "overconfidence",
            overconfidence,
            summary="Mean confidence less accuracy.",
            unit="fraction",  # shown in percent
        )
    )
