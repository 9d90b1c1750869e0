"""Vector scaling."""

from __future__ import annotations

import numpy.typing as npt

from ferc_models.calibrators.affine import Affine, fit_diagonal
from ferc_models.calibrators.inputs import check_samples


def fit_vector(logits: npt.ArrayLike, targets: npt.ArrayLike) -> Affine:
    """Return w [K] and b [K] with the smallest NLL of ``softmax(w * l + b)``, no regularisation.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].

    The search starts at the identity, w = 1 and b = 0, and never ends at a larger NLL. Without
    a finite optimum (all predictions right, or a class without samples), it ends when the NLL
    stops decreasing noticeably. The predicted class may change. Raises `DataError` for empty or
    broken input.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2.

    >>> found = fit_vector([[4.0, 0.0], [0.0, 4.0]], [[0.75, 0.25], [0.25, 0.75]])
    >>> found([[4.0, 0.0]]).round(4).tolist()
    [[0.75, 0.25]]
    """
    return fit_diagonal(*check_samples(logits, targets))
