"""Soft labels: what an image's label should be, and how it softens as the face gets lost.

A label scheme maps targets [N, K] and visibilities [N] to labels [N, K]. The targets it starts
from (its ``base``) are made here from what the dataset knows about its faces.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_core.faces import FaceSplit
from ferc_core.labels import mixture as gmm

Array = npt.NDArray[np.float64]

SOFTENING_EXPONENT = 2.0  # k of eq. 10, which the paper does not print; fitted to its figure
MIXED = ("gmm", "fused")  # bases that take the valence-arousal mixture
FUSION = 0.5  # share of the annotated class in eq. 7, which the paper does not print


def one_hot(labels: npt.NDArray[np.int64], num_classes: int) -> Array:
    """Return labels [N] as rows of the identity, [N, K]."""
    rows: Array = np.eye(num_classes)[labels]
    return rows


def base_targets(
    base: str,
    faces: FaceSplit,
    train: FaceSplit,
    num_classes: int,
    fusion: float = FUSION,
    borrowed: gmm.Mixture | None = None,
) -> tuple[Array, str]:
    """Return the targets [N, K] that a scheme of this ``base`` starts from, and their origin.

    ``fused`` (eq. 7) is ``fusion`` x one-hot + (1 - ``fusion``) x mixture where valence-arousal
    is known, else the dataset's own distribution (as the paper does for RAF-DB), else one-hot.
    The mixture is the ``borrowed`` one, or else fitted on ``train`` alone.
    """
    hard = one_hot(faces.labels, num_classes)
    mixed = takes_mixture(base, faces, train, borrowed)
    if base == "one-hot":
        return hard, "annotated class"
    if base == "gmm" and not mixed:
        if faces.valence_arousal is not None:
            raise RequestError(
                "label scheme 'gmm' needs training faces with valence and arousal, which this data "
                "set does not have; borrow the mixture of another one with --gmm FILE"
            )
        raise RequestError(
            "label scheme 'gmm' needs valence and arousal, which this dataset does not have; "
            "use 'ferc', 'dataset' or 'one-hot'"
        )
    if base == "dataset" or (base == "fused" and not mixed):
        if faces.distributions is not None:
            return normalised(faces.distributions), "the dataset's label distributions"
        if base == "fused":
            return hard, "annotated class (neither valence-arousal nor distributions are known)"
        raise RequestError(
            "label scheme 'dataset' needs label distributions, which this dataset does not have; "
            "use 'ferc' or 'one-hot'"
        )
    assert faces.valence_arousal is not None
    mixture = borrowed
    if mixture is None:
        assert train.valence_arousal is not None
        mixture = gmm.fit(train.valence_arousal, train.labels, num_classes)
    gamma = mixture.posterior(faces.valence_arousal)
    if base == "gmm":
        return gamma, "valence-arousal mixture"
    return (
        fusion * hard + (1 - fusion) * gamma,
        f"annotated class ({fusion:g}) fused with the valence-arousal mixture ({1 - fusion:g})",
    )


def takes_mixture(base: str, faces: FaceSplit, train: FaceSplit, borrowed: object) -> bool:
    """Say whether labels of this ``base`` come from a mixture: a ``borrowed`` one, or train's."""
    if base not in MIXED or faces.valence_arousal is None:
        return False
    return borrowed is not None or train.valence_arousal is not None


def normalised(distributions: Array) -> Array:
    """Return rows scaled to sum to exactly 1."""
    rows: Array = distributions / distributions.sum(axis=1, keepdims=True)
    return rows


def unchanged(targets: Array, visibility: Array) -> Array:
    """Return the targets as they are, whatever the visibility."""
    return targets.copy()


def label_smoothing(targets: Array, visibility: Array, *, epsilon: float = 0.1) -> Array:
    """Return (1 - epsilon) y + epsilon / K, whatever the visibility."""
    check_share("epsilon", epsilon)
    smooth: Array = (1 - epsilon) * targets + epsilon / targets.shape[1]
    return smooth


def soften(targets: Array, visibility: Array, *, exponent: float = SOFTENING_EXPONENT) -> Array:
    """Return (1 - a) y + a / K with a = (1 - v)^exponent (paper, eqs 10-11).

    v = 1 leaves y, v = 0 gives the uniform label; for a < 1 the largest entry stays the largest.
    """
    if not exponent > 0:
        raise RequestError(f"the softening exponent must be above 0, not {exponent:g}")
    a = (1 - np.clip(visibility, 0, 1))[:, None] ** exponent
    soft: Array = (1 - a) * targets + a / targets.shape[1]
    return soft


def check_share(name: str, value: float) -> None:
    """Raise `RequestError` unless ``value`` lies in [0, 1]."""
    if not 0 <= value <= 1:
        raise RequestError(f"{name} must lie between 0 and 1, not {value:g}")
