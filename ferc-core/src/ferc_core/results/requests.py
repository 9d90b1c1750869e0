"""What is asked of the intervals of runs, and whether it can be: found out before anything is
computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ferc_core.errors import FercError, RequestError, UnknownNameError
from ferc_core.experiment.cases import Context
from ferc_core.plugins.host import registry
from ferc_core.plugins.registry import Chosen
from ferc_core.results.filters import Filters
from ferc_core.results.reading import CELL_COLUMNS, Source
from ferc_core.spec import Metric

RESAMPLES = 1000  # the ends of a 95 % interval need the 25 outermost on each side
LEVEL = 0.95
UNITS = ("subject", "image")  # of what is drawn


@dataclass(frozen=True)
class Request:
    """What is asked: groups of cells, metrics, the number of draws and the level.

    Without ``by``, the clean set and all corrupted cells; else a group for each value of
    "corruption", "severity" or both. Without ``metrics``, those that tables show unasked.
    ``filters`` leave out trials and cells. Every trial is compared with the ``baseline``, a method
    or method and loss as in "baseline ce"; without one, each loss with the first of its method.
    The ``unit`` that is drawn is "image" or "subject", by default subjects where they are known.
    With ``ensemble`` there are the ensembles of trials with several seeds, too.
    """

    by: Sequence[str] = ()
    metrics: Sequence[str] = ()
    resamples: int = RESAMPLES
    level: float = LEVEL
    filters: Filters = field(default_factory=Filters)
    baseline: str = ""
    unit: str = ""
    ensemble: bool = False

    def check(self) -> None:
        """Raise `RequestError` for what cannot be done."""
        for name in self.by:
            if name not in CELL_COLUMNS:
                raise UnknownNameError("column", name, CELL_COLUMNS)
        for name in self.metrics:
            _ = registry().metrics.choose(name)  # raises with the nearest name
        if self.unit and self.unit not in UNITS:
            raise UnknownNameError("unit", self.unit, UNITS)
        if self.resamples < 1:
            raise RequestError(f"resamples must be at least 1, not {self.resamples}")
        if not 0 < self.level < 1:
            raise RequestError(f"level must be between 0 and 1, such as 0.95, not {self.level:g}")


def checked_metrics(
    names: Iterable[str], sources: Sequence[Source], ensemble: bool
) -> tuple[str, ...]:
    """Return metrics as results name them: "ece(bins=10)" for example.

    Raises `RequestError` for one that none of the sources can have, or whose options cannot be.
    """
    chosen = [registry().metrics.choose(name) for name in names]
    for metric in chosen:
        check_options(metric, sources)
        check_needs(metric.entry, sources, ensemble)
    return tuple(dict.fromkeys(map(str, chosen)))


def check_options(metric: Chosen[Metric], sources: Sequence[Source]) -> None:
    """Raise `RequestError` for options that the metric refuses, or more bins than images."""
    if not metric.call.options:
        return
    probs, labels = np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([0, 1])
    context = Context(probs, probs[:, 0], probs, probs[:, None], (probs, labels))
    try:
        metric(probs, labels, **context.given_to(metric.entry))
    except RequestError:
        raise
    except Exception:  # no fault of the request, and seen where it is computed
        pass
    bins = metric.call.options.get("bins")
    images = min(int(source.scores["n"].to_numpy().min()) for source in sources)
    if isinstance(bins, int) and bins > images:
        raise RequestError(f"{metric} has more bins than there are images in a cell, {images}")


def check_needs(metric: Metric, sources: Sequence[Source], ensemble: bool) -> None:
    """Raise `RequestError` for a metric that takes what no source has."""
    if "members" in metric.needs and not ensemble:
        raise RequestError(f"{metric.name} compares the models of an ensemble: add --ensemble")
    paths = ", ".join(str(source.path) for source in sources)
    if "visibility" in metric.needs and not any(map(has_visibility, sources)):
        raise RequestError(
            f"{metric.name} takes visibilities, and the labels of {paths} have none; rerun the "
            "ferc run with --label-scheme ferc"
        )
    if "distribution" in metric.needs and not any(map(has_distributions, sources)):
        raise RequestError(
            f"{metric.name} takes the label distributions of a dataset, which {paths} does not have"
        )
    if metric.target == "soft" and not any(map(has_soft_labels, sources)):
        raise RequestError(
            f"{metric.name} takes soft labels, and those of {paths} are one class for each image; "
            "rerun the ferc run with a label scheme that softens them"
        )


def has_visibility(source: Source) -> bool:
    """Whether the labels of a source say how visible its images are."""
    labels = source.directory.read_labels()
    return "visibility" in labels.columns and not labels["visibility"].null_count()


def has_distributions(source: Source) -> bool:
    """Whether the labels of a source have the label distributions of the dataset."""
    return "distribution" in source.directory.read_labels().columns


def has_soft_labels(source: Source) -> bool:
    """Whether a source has a label of several classes, or may have one."""
    try:
        return bool((source.directory.read_labels()["target"].list.max() < 1).any())
    except FercError:
        return True  # a file of scores, or a directory without predictions
