"""Isotonic regression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from ferc_models.calibrators.inputs import Floats, check_samples
from ferc_models.calibrators.score_maps import (
    Interpolated,
    OneVsRest,
    TopLabel,
    fit_one_vs_rest,
    fit_top_label,
    smoothed,
)
from ferc_models.options import flag


def fit_isotonic(
    logits: npt.ArrayLike, targets: npt.ArrayLike, *, top_label: bool = False
) -> OneVsRest | TopLabel:
    """Return the least-squares non-decreasing maps from probabilities to outcomes.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    top_label: false fits a map of p_k to y_k for each class and divides the rows by their sums,
    which may change the predicted class; true fits one map of the confidence to the target
    value of the predicted class, which stays the predicted one, and the others divide the rest.

    Scores beyond the fitted range get the value at the nearer end. A value that was pooled from n
    samples stays 1/(n + 2) away from 0 and 1; see `ferc_models.calibrators.score_maps`. Raises
    `DataError` for empty or broken input, `RequestError` for a wrong option.

    Source: Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass
    probability estimates".

    >>> found = fit_isotonic([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]], [1, 0, 1])
    >>> found([[0.0, 1.5], [0.0, 9.0]]).tolist()  # the first two are pooled
    [[0.5, 0.5], [0.3333333333333333, 0.6666666666666667]]
    """
    fit = fit_top_label if flag("top_label", top_label) else fit_one_vs_rest
    return fit(*check_samples(logits, targets), isotonic_map)


def isotonic_map(scores: Floats, outcomes: Floats) -> Interpolated:
    """Return the least-squares non-decreasing map, by pooling adjacent violators, smoothed."""
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, outcomes)
    values, counts = np.unique(fitted.predict(scores), return_counts=True)
    pooled = counts[np.abs(values[:, None] - fitted.y_thresholds_).argmin(axis=0)]
    smooth = smoothed(fitted.y_thresholds_, pooled)
    return Interpolated(fitted.X_thresholds_, np.maximum.accumulate(smooth))
