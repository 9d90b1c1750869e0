"""The valence-arousal plane of a run's training faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferc_core.base.seeds import rank
from ferc_core.drawing.plane import plane
from ferc_core.errors import RequestError
from ferc_core.labels import mixture as gmm
from ferc_core.results.charts.faces import opened

if TYPE_CHECKING:
    from ferc_core.results.run import Run

POINTS = 2000  # faces, at most
SIDE = 380


def valence_arousal(run: Run) -> Any:
    """Return the training faces in the plane of valence and arousal, and ellipses of 1 and 2
    standard deviations of the mixture (paper, eqs 5-6).
    """
    bench = opened(run)
    train, classes = bench.splits.train, list(bench.classes)
    if train.valence_arousal is None:
        raise RequestError(f"{bench.faces.name} has no valence and arousal")
    mixture = gmm.fit(train.valence_arousal, train.labels, len(classes))
    if bench.external is not None:
        mixture = bench.external.mixture(bench.classes, bench.faces.name)
    some = rank(train.ids, "plane")[:POINTS]
    return plane(train.valence_arousal[some], train.labels[some], mixture, classes, SIDE)
