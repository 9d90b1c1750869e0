"""Multi-domain temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ferc_core.errors import DataError, RequestError
from ferc_models.calibrators.inputs import Floats, Ints, check_features, check_logits, check_samples
from ferc_models.calibrators.temperature import HIGHEST, LOWEST, fit_temperature
from ferc_models.options import choice, number

TARGETS = ("log", "linear")
RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class MultiDomain:
    """A fitted regression of the temperature, to be called with logits.

    The features of a row are those of the last layer, or else its logits minus their mean, in
    descending order; they are standardised by ``mean`` and ``scale`` [D]. ``intercept + features @
    slopes`` is log T, or T for "linear".
    """

    slopes: Floats
    intercept: float
    mean: Floats
    scale: Floats
    target: str
    domain_temperatures: dict[int, float]
    classes: int

    def __call__(self, logits: npt.ArrayLike, features: npt.ArrayLike | None = None) -> Floats:
        """Return softmax(logits / T), float64 [M, K], with a T for each of the logits [M, K]."""
        scores = check_logits(logits, self.classes)
        temperatures = self.temperatures(scores, features)
        probs: Floats = softmax(scores / temperatures[:, None], axis=1)
        return probs

    def temperatures(self, logits: npt.ArrayLike, features: npt.ArrayLike | None = None) -> Floats:
        """Return the temperature in [0.05, 20] of each row, float64 [M]."""
        scores = check_logits(logits, self.classes)
        rows = shape_of(scores) if features is None else check_features(features, len(scores))
        if rows.shape[1] != len(self.slopes):
            raise DataError(
                f"it was fitted on {len(self.slopes)} features, and is given {rows.shape[1]}"
            )
        found = self.intercept + (rows - self.mean) / self.scale @ self.slopes
        if self.target == "linear":
            return np.clip(found, LOWEST, HIGHEST)
        bounded: Floats = np.exp(np.clip(found, np.log(LOWEST), np.log(HIGHEST)))
        return bounded

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {
            "slopes": self.slopes.tolist(),
            "intercept": self.intercept,
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "target": self.target,
            "domain_temperatures": {str(d): t for d, t in self.domain_temperatures.items()},
        }


def fit_multi_domain(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    domains: npt.ArrayLike | None = None,
    features: npt.ArrayLike | None = None,
    target: str = "log",
    ridge: float = RIDGE,
) -> MultiDomain:
    """Return a temperature for each image, learned from the temperatures of known domains.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    domains: int [N], the cell of each validation image (clean, or a corruption and severity).
    Each domain gets its own temperature as in ``temperature``; then ridge regression predicts the
    temperature of a sample's domain from the sample. target: "log" regresses log T, "linear" T
    itself as in the paper. ridge: weight of the squared slopes against the mean squared error, on
    features of unit variance; the intercept is not penalised.

    features: [N, D], those of the last layer, as in the paper; a run keeps them with
    ``--keep-features``. Without them they are the logits of a row minus their mean, sorted: how
    confident the model is and between how many classes, but not which ones.

    Raises `RequestError` without domains or for a wrong option, `DataError` for empty or broken
    input.

    Source: Yu et al. 2022, arXiv:2206.02757.

    >>> found = fit_multi_domain([[4.0, 0.0]] * 4, [0, 0, 0, 1], domains=[7, 7, 7, 7])
    >>> found([[4.0, 0.0]]).round(4).tolist()  # one domain: plain temperature scaling
    [[0.75, 0.25]]
    """
    choice("target", target, TARGETS)
    strength = number("ridge", ridge)
    if domains is None:
        raise RequestError(
            "multi-domain-ts needs domains: the number of the cell (clean or a corruption and "
            "severity) of every image it is fitted on"
        )
    scores, soft = check_samples(logits, targets)
    domain = check_domains(domains, len(scores))
    fitted = {
        int(d): fit_temperature(scores[domain == d], soft[domain == d]).temperature
        for d in np.unique(domain)
    }
    wanted = np.array([fitted[d] for d in domain.tolist()])
    if target == "log":
        wanted = np.log(wanted)
    rows = shape_of(scores) if features is None else check_features(features, len(scores))
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    slopes = ridge_slopes((rows - mean) / scale, wanted - wanted.mean(), strength)
    k = scores.shape[1]
    return MultiDomain(slopes, float(wanted.mean()), mean, scale, target, fitted, k)


def check_domains(domains: npt.ArrayLike, n: int) -> Ints:
    """Return domains as int64 [n], or raise `DataError`."""
    given = np.asarray(domains)
    if given.shape != (n,) or not np.issubdtype(given.dtype, np.integer):
        raise DataError(f"domains must be {n} whole numbers, not {given.dtype} {list(given.shape)}")
    return given.astype(np.int64)


def shape_of(scores: Floats) -> Floats:
    """Return the logits of each row minus their mean, largest first."""
    return np.sort(scores - scores.mean(axis=1, keepdims=True), axis=1)[:, ::-1]


def ridge_slopes(x: Floats, wanted: Floats, ridge: float) -> Floats:
    """Return the slopes with the smallest mean (wanted - x slopes)^2 + ridge |slopes|^2.

    As ordinary least squares with K more rows; of several solutions, possible where ridge is 0, the
    one with the smallest norm.
    """
    n, k = x.shape
    rows = np.concatenate([x / np.sqrt(n), np.sqrt(ridge) * np.eye(k)])
    slopes: Floats = np.linalg.lstsq(rows, np.concatenate([wanted / np.sqrt(n), np.zeros(k)]))[0]
    return slopes
