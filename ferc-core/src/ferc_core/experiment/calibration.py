"""Calibrators: what they are fitted on, what was fitted, and what they make of logits."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.errors import DataError, PluginError
from ferc_core.experiment.answers import Answers, Logits
from ferc_core.faces import SUM_TOLERANCE
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Calibrator

Array = npt.NDArray[np.float64]

MOST = 100  # numbers of a calibrator that are recorded
BOUNDS = (0.05, 20.0)  # of temperatures, whose search ends there

# of calibrators.parquet
SCHEMA = {
    "dataset": pl.String,
    "method": pl.String,
    "loss": pl.String,
    "noise": pl.Float64,
    "seed": pl.Int64,
    "calibrator": pl.String,
    "parameter": pl.String,
    "value": pl.Float64,
}


@dataclass(frozen=True)
class Validation:
    """What a model says of M images that are not scored, in one cell or several.

    domains:       the number of the cell of each, 0 for the clean one
    distributions: label distributions [M, K], where the dataset has them
    features:      [M, D], where predictions keep them
    """

    logits: Logits
    labels: npt.NDArray[np.int64]
    domains: npt.NDArray[np.int64]
    distributions: Array | None = None
    features: npt.NDArray[np.float16] | None = None

    @classmethod
    def together(cls, parts: Sequence[Validation]) -> Validation:
        """Return several cells as one; what one of them lacks, all lack."""
        columns: Any = zip(*(vars(part).values() for part in parts), strict=True)
        whole: Any = (None if any(p is None for p in c) else np.concatenate(c) for c in columns)
        return cls(*whole)

    def clean(self) -> Validation:
        """Return the clean images alone."""
        rows, columns = self.domains == 0, vars(self).values()
        chosen: Any = (None if column is None else column[rows] for column in columns)
        return Validation(*chosen)


@dataclass(frozen=True)
class Fitted:
    """A fitted calibrator; ``features`` says that it takes those, too."""

    transform: Callable[..., Any]
    features: bool = False

    def __call__(self, answers: Answers) -> Array:
        """Return probabilities [N, K]; raises `PluginError` for what are none."""
        logits = answers.logits.astype(np.float64)
        given: dict[str, Any] = {}
        if self.features:
            if answers.features is None:
                raise DataError("it was fitted on features, which these predictions do not keep")
            given["features"] = answers.features.astype(np.float64)
        return distributions(self.transform(logits, **given), logits.shape)

    def parameters(self) -> dict[str, float]:
        """Return what was fitted, as far as it is a few numbers."""
        tell = getattr(self.transform, "parameters", None)
        found = dict(numbers_in(tell())) if callable(tell) else {}
        return found if len(found) <= MOST else {}


def takes_soft(calibrator: Chosen[Calibrator]) -> bool:
    """Say whether a calibrator is to be fitted on label distributions."""
    return calibrator.call.options.get("targets") == "soft"


def fit(calibrator: Chosen[Calibrator], known: Validation) -> Fitted:
    """Fit a calibrator: on clean images, or for ``domains`` on those in all cells."""
    entry = calibrator.entry
    if not entry.domains:
        known = known.clean()
    targets: Any = known.labels
    if takes_soft(calibrator):
        if known.distributions is None:
            raise DataError("the validation images have no label distributions; rerun the ferc run")
        targets = known.distributions
    given: dict[str, Any] = {"domains": known.domains} if entry.domains else {}
    with_features = entry.features and known.features is not None
    if with_features:
        assert known.features is not None
        given["features"] = known.features.astype(np.float64)
    return Fitted(calibrator(known.logits.astype(np.float64), targets, **given), with_features)


def distributions(found: Any, shape: tuple[int, ...]) -> Array:
    """Return what a calibrator makes of logits; raises `PluginError` unless rows sum to 1."""
    probs = np.asarray(found)
    if probs.shape != shape or probs.dtype.kind != "f":
        raise PluginError(f"it returned {probs.dtype} {list(probs.shape)} for {list(shape)}")
    if not (probs >= 0).all() or np.abs(probs.sum(axis=1) - 1).max(initial=0) > SUM_TOLERANCE:
        raise PluginError("it returned rows that are not distributions, which sum to 1")
    return probs


def softmax(logits: npt.NDArray[np.floating[Any]]) -> Array:
    """Return probabilities [N, K] of logits [N, K], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    probs: Array = weights / weights.sum(axis=1, keepdims=True)
    return probs


def numbers_in(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in nested mappings and lists, each with its place.

    >>> dict(numbers_in({"temperature": 2.0, "bias": [0.5, 1]}))
    {'temperature': 2.0, 'bias[0]': 0.5, 'bias[1]': 1.0}
    """
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from numbers_in(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from numbers_in(part, f"{name}[{i}]")
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        yield name, float(value)


def at_bounds(parameters: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence for each temperature of a table of parameters that stands at a bound."""
    ends = parameters.filter(pl.col("parameter") == "temperature", pl.col("value").is_in(BOUNDS))
    for row in ends.iter_rows(named=True):
        noise = f", noise {row['noise']:g}" if row["noise"] else ""
        what = f"{row['method']} {row['loss']}{noise}, seed {row['seed']}"
        why = (
            "every face that it was fitted on is right; take more of them"
            if row["value"] < 1
            else "the logits say nothing of the faces that it was fitted on"
        )
        yield (
            f"{what}: calibrator {row['calibrator']} has the temperature {row['value']:g}, the end "
            f"of its range: {why}"
        )
