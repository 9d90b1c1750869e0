"""Soft labels: what an image's label should be, and how it softens as the face gets lost.

A label scheme maps targets [N, K] and visibilities [N] to labels [N, K]. The targets it starts
from (its ``base``) are made here from what the dataset knows about its faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.base.exact import power
from ferc_core.base.text import listed
from ferc_core.errors import RequestError
from ferc_core.faces import FaceSplit
from ferc_core.labels import mixture as gmm

Array = npt.NDArray[np.float64]

SOFTENING_EXPONENT = 2.0  # k of eq. 10, which the paper does not print; fitted to its figure
MIXED = ("gmm", "fused")  # bases that take the valence-arousal mixture
FUSION = 0.5  # weight of the annotated class in eq. 7, which the paper does not print


def one_hot(labels: npt.NDArray[np.int64], num_classes: int) -> Array:
    """Return labels [N] as rows of the identity, [N, K]."""
    rows: Array = np.eye(num_classes)[labels]
    return rows


@dataclass(frozen=True)
class BaseTargets:
    """The targets [N, K] that a label scheme starts from, where they come from, and notes."""

    targets: Array
    origin: str
    notes: tuple[str, ...] = ()


def base_targets(
    base: str,
    faces: FaceSplit,
    train: FaceSplit,
    classes: Sequence[str],
    fusion: float = FUSION,
    external: gmm.Mixture | None = None,
) -> BaseTargets:
    """Return what a scheme of this ``base`` starts from.

    ``fused`` (eq. 7) is ``fusion`` x one-hot + (1 - ``fusion``) x mixture where valence-arousal
    is known, else the dataset's own distribution (as the paper does for RAF-DB), else one-hot.
    The mixture is the ``external`` one, or else fitted on ``train`` alone. Raises `RequestError`
    for a base that the dataset cannot serve.
    """
    hard = one_hot(faces.labels, len(classes))
    mixed = takes_mixture(base, faces, train, external)
    if base == "one-hot":
        return BaseTargets(hard, "annotated class")
    if base == "gmm" and not mixed:
        if faces.valence_arousal is not None:
            raise RequestError(
                "label scheme 'gmm' needs training faces with valence and arousal, which this "
                "dataset does not have; use the mixture of another one with --gmm FILE"
            )
        raise RequestError(
            "label scheme 'gmm' needs valence and arousal, which this dataset does not have; "
            "use 'ferc', 'dataset' or 'one-hot'"
        )
    if base == "dataset" or (base == "fused" and not mixed):
        if faces.distributions is not None:
            return BaseTargets(normalised(faces.distributions), "the dataset's label distributions")
        if base == "fused":
            unknown = "neither distributions nor a mixture of valence-arousal are known"
            return BaseTargets(hard, f"annotated class ({unknown})")
        raise RequestError(
            "label scheme 'dataset' needs label distributions, which this dataset does not have; "
            "use 'ferc' or 'one-hot'"
        )
    assert faces.valence_arousal is not None
    mixture = external
    if mixture is None:
        assert train.valence_arousal is not None
        mixture = gmm.fit(train.valence_arousal, train.labels, len(classes))
    gamma, notes = mixture.posterior(faces.valence_arousal), fallback_notes(mixture, classes)
    if base == "gmm":
        return BaseTargets(gamma, "valence-arousal mixture", notes)
    return BaseTargets(
        fusion * hard + (1 - fusion) * gamma,
        f"annotated class ({fusion:g}) fused with the valence-arousal mixture ({1 - fusion:g})",
        notes,
    )


def takes_mixture(base: str, faces: FaceSplit, train: FaceSplit, external: object) -> bool:
    """Say whether labels of this ``base`` come from a mixture, an ``external`` or a fitted one."""
    if base not in MIXED or faces.valence_arousal is None:
        return False
    return external is not None or (train.valence_arousal is not None and len(train) > 0)


def fallback_notes(mixture: gmm.Mixture, classes: Sequence[str]) -> tuple[str, ...]:
    """Say which classes of a mixture were fitted on all their rows."""
    names = [classes[k] for k in mixture.fallback]
    if not names:
        return ()
    return (
        f"mixture: {listed(names)} fitted on all training faces of their class, because those "
        "within one standard deviation are too few or collinear",
    )


def normalised(distributions: Array) -> Array:
    """Return rows scaled to sum to exactly 1."""
    rows: Array = distributions / distributions.sum(axis=1, keepdims=True)
    return rows


def unchanged(targets: Array, visibility: Array) -> Array:
    """Return the targets as they are, whatever the visibility."""
    return targets.copy()


def label_smoothing(targets: Array, visibility: Array, *, epsilon: float = 0.1) -> Array:
    """Return (1 - epsilon) y + epsilon / K, whatever the visibility."""
    check_fraction("epsilon", epsilon)
    smooth: Array = (1 - epsilon) * targets + epsilon / targets.shape[1]
    return smooth


def soften(targets: Array, visibility: Array, *, exponent: float = SOFTENING_EXPONENT) -> Array:
    """Return (1 - a) y + a / K with a = (1 - v)^exponent (paper, eqs 10-11).

    v = 1 leaves y, v = 0 gives the uniform label; for a < 1 the largest entry stays the largest.
    """
    if not exponent > 0:
        raise RequestError(f"the softening exponent must be above 0, not {exponent:g}")
    a = power(1 - np.clip(visibility, 0, 1), exponent)[:, None]
    soft: Array = (1 - a) * targets + a / targets.shape[1]
    return soft


def check_fraction(name: str, value: float) -> None:
    """Raise `RequestError` unless ``value`` is in [0, 1]."""
    if not 0 <= value <= 1:
        raise RequestError(f"{name} must be between 0 and 1, not {value:g}")
