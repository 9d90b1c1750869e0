"""The valence-arousal plane: training faces, and the mixture that soft labels are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.base.seeds import rank
from ferc_core.errors import RequestError
from ferc_core.labels import mixture as gmm
from ferc_core.results.charts import theme
from ferc_core.results.charts.faces import opened

if TYPE_CHECKING:
    from ferc_core.results.run import Run

POINTS = 2000  # faces, at most
SIGMAS = (1, 2)  # radii of the ellipses in standard deviations
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
    points = pl.DataFrame(
        {
            "class": [classes[k] for k in train.labels[some]],
            "valence": train.valence_arousal[some, 0],
            "arousal": train.valence_arousal[some, 1],
        }
    )
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    rows = [
        (classes[k], f"{sigmas} sd", i, float(x), float(y))
        for k in np.flatnonzero(mixture.pi)
        for sigmas in SIGMAS
        for i, (x, y) in enumerate(
            mixture.mu[k] + sigmas * (np.linalg.cholesky(mixture.sigma[k]) @ circle).T
        )
    ]
    edges = pl.DataFrame(rows, schema=["class", "of", "i", "valence", "arousal"], orient="row")
    means = edges.group_by("class", maintain_order=True).agg(pl.col("valence", "arousal").mean())
    shades = [theme.PALETTE[i % len(theme.PALETTE)] for i in range(len(classes))]
    colour = alt.Color("class:N", scale=alt.Scale(domain=classes, range=shades), legend=None)
    scale = alt.Scale(domain=[-1.1, 1.1])
    x, y = alt.X("valence:Q", scale=scale), alt.Y("arousal:Q", scale=scale)
    dots = alt.Chart(points).mark_circle(size=16, opacity=0.35).encode(x=x, y=y, color=colour)
    dash = alt.StrokeDash("of:N", legend=None)
    lines = (
        alt.Chart(edges)
        .mark_line(clip=True)
        .encode(x=x, y=y, color=colour, strokeDash=dash, order="i")
    )
    texts = (
        alt.Chart(means).mark_text(fontWeight="bold").encode(x=x, y=y, text="class:N", color=colour)
    )
    return (dots + lines + texts).properties(width=SIDE, height=SIDE)
