"""The valence-arousal plane: faces as points, and the mixture that soft labels are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.labels.mixture import Mixture

SIGMAS = (1, 2)  # radii of the ellipses in standard deviations
LIMIT = 1.1  # of the axes
NOTE = "ellipses: 1 and 2 standard deviations of the mixture that soft labels are made of"


def plane(
    points: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    mixture: Mixture,
    classes: Sequence[str],
    side: int,
) -> Any:
    """Return faces with ``points`` [N, 2] of valence and arousal and ``labels`` [N] in their
    plane, and the ellipses of a mixture (paper, eqs 5-6), in a square of ``side`` pixels.
    """
    faces = pl.DataFrame(
        {
            "class": [classes[k] for k in labels],
            "valence": points[:, 0],
            "arousal": points[:, 1],
        }
    )
    there = np.flatnonzero(mixture.pi).tolist()
    rows = [
        (classes[k], f"{sigmas} sd", i, *point)
        for k in there
        for sigmas in SIGMAS
        for i, point in enumerate(ellipse(mixture.mu[k], mixture.sigma[k], sigmas).tolist())
    ]
    edges = pl.DataFrame(rows, schema=["class", "of", "i", "valence", "arousal"], orient="row")
    means = pl.DataFrame(
        [(classes[k].replace(" ", "\n"), classes[k], *mixture.mu[k].tolist()) for k in there],
        schema=["name", "class", "valence", "arousal"],
        orient="row",
    )
    scale = alt.Scale(domain=[-LIMIT, LIMIT])
    x, y = alt.X("valence:Q", scale=scale), alt.Y("arousal:Q", scale=scale)
    colour = theme.class_colours(classes)
    dash = alt.StrokeDash("of:N", legend=None)
    dots = alt.Chart(faces).mark_circle(size=16, opacity=0.35, clip=True)
    lines = alt.Chart(edges).mark_line(clip=True)
    halo, name = (
        alt.Chart(means).mark_text(fontWeight="bold", lineBreak="\n", clip=True, **stroke)
        for stroke in ({"stroke": "white", "strokeWidth": 3}, {})
    )
    return alt.layer(
        dots.encode(x=x, y=y, color=colour),
        lines.encode(x=x, y=y, color=colour, strokeDash=dash, order="i"),
        halo.encode(x=x, y=y, text="name:N"),
        name.encode(x=x, y=y, text="name:N", color=colour),
    ).properties(width=side, height=side)


def ellipse(
    mean: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64], sigmas: float
) -> npt.NDArray[np.float64]:
    """Return points [M, 2] of the ellipse with a radius of ``sigmas`` standard deviations."""
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    edge: npt.NDArray[np.float64] = mean + sigmas * (np.linalg.cholesky(covariance) @ circle).T
    return edge
