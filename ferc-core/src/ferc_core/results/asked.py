"""A table of results as it was asked for: from which runs, by which columns, of which scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import registry
from ferc_core.results import tables
from ferc_core.results.filters import Filters
from ferc_core.results.reading import (
    CELL_COLUMNS,
    TRIAL_COLUMNS,
    Source,
    with_ensembles,
    with_metrics,
)
from ferc_core.results.requests import checked_metrics
from ferc_core.results.side_by_side import filtered, together
from ferc_core.results.subsets import CLASS, F1, groups_in, scores_by
from ferc_core.results.tracking import VISIBILITY, tracking


@dataclass(frozen=True)
class Asked:
    """Columns to show means by, metrics, and filters; without ``by`` it is the summary.

    ``by`` are columns of the scores, "group" (that of the corruption), "class" or a group of the
    faces such as "age"; or "visibility" alone, which is how well it tracks accuracy and confidence.
    With ``ensemble`` there are rows for the ensembles of trials with several seeds, too.
    """

    by: Sequence[str] = ()
    metrics: Sequence[str] = ()
    filters: Filters = field(default_factory=Filters)
    ensemble: bool = False

    def table(self, sources: Sequence[Source], failures: Failures) -> pl.DataFrame:
        """Return the table; what fails alone goes into ``failures``."""
        sources = filtered(sources, self.filters)
        metrics = [name for name in self.metrics if name != F1 or CLASS not in self.by]
        metrics = list(checked_metrics(metrics, sources, self.ensemble))
        if self.ensemble:
            if "seed" in self.by:
                raise RequestError("an ensemble has no seed of its own: leave out --by seed")
            sources = [with_ensembles(source, failures) for source in sources]
        if not self.by:
            return tables.summary(together(sources))
        if list(self.by) == [VISIBILITY] and not self.metrics:
            return tracking(sources)
        parts = [name for name in self.by if self.is_part(name, sources)]
        if not parts:
            sources = [with_metrics(source, metrics, failures) for source in sources]
            return tables.means(together(sources), self.by, metrics)
        if len(parts) > 1:
            raise RequestError(f"--by takes one of {', '.join(parts)} at a time")
        (part,) = parts
        metrics = [*([F1] if F1 in self.metrics else []), *metrics] or shown_by(part)
        found = [s.with_scores(scores_by(s, part, metrics, failures)) for s in sources]
        return tables.with_worst(tables.means(together(found), self.by, metrics), part, metrics)

    def is_part(self, name: str, sources: Sequence[Source]) -> bool:
        """Say whether a column divides the faces, and not the scores."""
        if name in (*TRIAL_COLUMNS, *CELL_COLUMNS, tables.GROUP):
            return False
        if any(name in source.apart for source in sources):
            return False
        if name == VISIBILITY:
            raise RequestError("--by visibility stands alone, without other columns and metrics")
        groups = {group for source in sources for group in groups_in(source)}
        if name == CLASS or name in groups:
            return True
        there = (*TRIAL_COLUMNS, *CELL_COLUMNS, tables.GROUP, CLASS, VISIBILITY, *sorted(groups))
        raise UnknownNameError("column", name, there)


def shown_by(part: str) -> list[str]:
    """Return the metrics that a table by class or group shows unasked."""
    usual = list(tables.metrics_of("by"))
    if part != CLASS:
        return usual
    return ["accuracy", F1, *(n for n in usual if not registry().metrics[n].higher_is_better)]
