"""Matrix scaling."""

from __future__ import annotations

import numpy.typing as npt

from ferc_models.calibrators.affine import Affine, fit_full
from ferc_models.calibrators.inputs import check_samples


def fit_matrix(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    lam: str | float = "cv",
    mu: str | float = "cv",
) -> Affine:
    """Return W [K, K] and b [K] with the smallest regularised NLL of ``softmax(W l + b)``.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    lam, mu: strengths of lam mean_{i != j} W_ij^2 and mu mean b_i^2. "cv" takes the one of
    10^-5 ... 10 with the smallest NLL of held-out samples, in five folds of sorted samples, so the
    order of the samples does not matter. For large strengths it approaches ``vector`` without b.

    The search starts at the identity and never ends at a larger NLL. The predicted class may
    change. Raises `DataError` for empty or broken input and `RequestError` for strengths that
    are not numbers of at least 0.

    Source: Guo et al. 2017, arXiv:1706.04599, section 4.2; regularisation and its choice:
    Kull et al. 2019, arXiv:1910.12656.
    """
    return fit_full(*check_samples(logits, targets), lam, mu)
