"""Reliability diagrams: accuracy against confidence, in bins or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import isotonic_regression

from ferc_core.base.seeds import ANY_VERSION, generator
from ferc_core.drawing import theme
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.results.charts.answers import Answers, pooled
from ferc_core.results.charts.data import calibrators_in, cells_asked, chosen_trials

if TYPE_CHECKING:
    from ferc_core.results.run import Run

    Floats = npt.NDArray[np.float64]

FORMS, TARGETS = ("binned", "corp"), ("hard", "soft")
BINS = 15
LEVEL, REFITS = 0.9, 200  # of the band of a calibrated model
MOST = 200  # points of an isotonic line
TOGETHER = 2000  # groups of scores that a band is made of, at most


def reliability(
    run: Run,
    *,
    cell: str = "clean",
    trial: str = "",
    calibrator: str = "none",
    form: str = "binned",
    target: str = "hard",
    bins: int = BINS,
) -> Any:
    """Return a panel for each trial: accuracy against confidence above the number of images.

    cell:   "clean", "corrupted" (all of them), a corruption or a cell such as "snow/3"
    form:   "binned", or "corp": isotonic, with the band that holds 90 % of calibrated models
            (Dimitriadis et al. 2021, arXiv:2008.03033)
    target: "hard", is the label predicted, or "soft", its probability by the soft label
    """
    for value, known, what in ((form, FORMS, "form"), (target, TARGETS, "target")):
        if value not in known:
            raise UnknownNameError(what, value, known)
    if bins < 1:
        raise RequestError(f"bins must be at least 1, not {bins}")
    chosen, cells = calibrators_in(run, calibrator), cells_asked(run, cell)
    panels = []
    for (name, by), said in pooled(run, cells, chosen, chosen_trials(run, trial)).items():
        s, a = outcomes(said, target)
        told = name if len(chosen) == 1 else f"{name}, {by}"
        above = binned(s, a, bins) if form == "binned" else isotonic(s, a)
        panels.append(alt.vconcat(above.properties(title=told), counts(s), spacing=4))
    if len(panels) == 1:
        return panels[0]
    return alt.concat(*panels, columns=2 if len(panels) < 5 else 4)


def outcomes(said: Answers, target: str) -> tuple[Floats, Floats]:
    """Return confidence and outcome of each image, float64 [N] each."""
    outcome = said.soft if target == "soft" else said.right.astype(np.float64)
    return said.confidence, outcome


def bin_table(s: Floats, a: Floats, bins: int = BINS) -> pl.DataFrame:
    """Return the bins that are drawn: edges, mean confidence, accuracy and number of images.

    They are those of the metric ``ece``, which is the mean of |accuracy - confidence| over images.
    """
    place = np.clip(np.ceil(bins * s) - 1, 0, bins - 1).astype(np.int64)
    count = np.bincount(place, minlength=bins)
    there = np.flatnonzero(count)
    frame = pl.DataFrame(
        {
            "low": there / bins,
            "high": (there + 1) / bins,
            "confidence": np.bincount(place, s, bins)[there] / count[there],
            "accuracy": np.bincount(place, a, bins)[there] / count[there],
            "images": count[there],
        }
    )
    return frame.with_columns(gap=(pl.col("accuracy") - pl.col("confidence")).abs())


def binned(s: Floats, a: Floats, bins: int) -> Any:
    """Return bars of the accuracy of each bin, with a dot at its mean confidence."""
    frame = bin_table(s, a, bins)
    ece = float((frame["gap"] * frame["images"]).sum() / len(s))
    tips = theme.tips(confidence=".3f", accuracy=".3f", images=",")
    bars = alt.Chart(frame).mark_rect(color=theme.RIGHT, opacity=0.35, stroke=theme.RIGHT).encode(
        x=alt.X("low:Q", scale=alt.Scale(domain=[0, 1]), title=None, axis=alt.Axis(labels=False)),
        y=alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1]), title="accuracy"),
        x2=alt.X2("high:Q"), y2=alt.Y2Datum(0), tooltip=tips,
    )  # fmt: skip
    dots = (
        alt.Chart(frame)
        .mark_point(color=theme.RIGHT, filled=True, opacity=1)
        .encode(x=alt.X("confidence:Q"), y=alt.Y("accuracy:Q"), tooltip=tips)
    )
    return framed([bars, diagonal(), dots], f"ECE {100 * ece:.1f} %, N = {len(s):,}")


def isotonic(s: Floats, a: Floats) -> Any:
    """Return the isotonic line, and the band of lines of calibrated models."""
    order = np.argsort(s, kind="stable")
    s, a = s[order], a[order]
    fitted = steps(s, a)
    low, high = band(s)
    rows = np.unique(np.linspace(0, len(s) - 1, min(MOST, len(s))).astype(int))
    frame = pl.DataFrame(
        {"confidence": s[rows], "accuracy": fitted[rows], "low": low[rows], "high": high[rows]}
    )
    x = alt.X(
        "confidence:Q", scale=alt.Scale(domain=[0, 1]), title=None, axis=alt.Axis(labels=False)
    )
    area = (
        alt.Chart(frame)
        .mark_area(color=theme.FAINT, opacity=0.3)
        .encode(
            x=x,
            y=alt.Y("low:Q", scale=alt.Scale(domain=[0, 1]), title="accuracy"),
            y2=alt.Y2("high:Q"),
        )
    )
    line = (
        alt.Chart(frame)
        .mark_line(color=theme.RIGHT, interpolate="step-after", strokeWidth=2)
        .encode(x=x, y=alt.Y("accuracy:Q"))
    )
    calibration = float(np.mean((s - a) ** 2) - np.mean((fitted - a) ** 2))
    return framed([area, diagonal(), line], f"MCB {max(calibration, 0):.4f}, N = {len(s):,}")


def band(s: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the band of calibrated models at sorted scores, [N] each.

    Outcomes are drawn with these scores and fitted again; many scores are taken together.
    """
    starts = np.unique(np.linspace(0, len(s), min(len(s), TOGETHER) + 1).astype(int))[:-1]
    count = np.diff(starts, append=len(s))
    means = np.add.reduceat(s, starts) / count
    rng = generator("reliability", "band", "isotonic", 0, len(s), ANY_VERSION)
    drawn = rng.binomial(count, np.clip(means, 0, 1), size=(REFITS, len(count))) / count
    fits = np.array([isotonic_regression(each, weights=count).x for each in drawn])
    low, high = np.quantile(fits, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.repeat(low, count), np.repeat(high, count)


def steps(s: Floats, a: Floats) -> Floats:
    """Return the isotonic fit of outcomes to sorted scores, [N]; equal scores get equal values."""
    starts = np.flatnonzero(np.diff(s, prepend=-1))
    count = np.diff(starts, append=len(s))
    fit = isotonic_regression(np.add.reduceat(a, starts) / count, weights=count).x
    found: Floats = np.repeat(np.clip(fit, 0, 1), count)
    return found


def diagonal() -> Any:
    """Return the line on which confidence is accuracy."""
    ends = pl.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    return (
        alt.Chart(ends)
        .mark_line(color=theme.FAINT, strokeDash=[4, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"))
    )


def framed(layers: list[Any], told: str) -> Any:
    """Return a square panel with what it shows in its corner."""
    text = (
        alt.Chart(pl.DataFrame({"x": [0.03], "y": [0.97], "text": [told]}))
        .mark_text(align="left", baseline="top", fontSize=11)
        .encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), text=alt.Text("text:N"))
    )
    return alt.layer(*layers, text).properties(width=theme.SMALL, height=theme.SMALL)


def counts(s: Floats) -> Any:
    """Return how many images have each confidence."""
    found, edges = np.histogram(s, bins=30, range=(0, 1))
    frame = pl.DataFrame({"low": edges[:-1], "high": edges[1:], "images": found})
    return (
        alt.Chart(frame.filter(pl.col("images") > 0))
        .mark_rect(color=theme.FAINT)
        .encode(
            x=alt.X("low:Q", scale=alt.Scale(domain=[0, 1]), title="confidence"),
            x2=alt.X2("high:Q"),
            y=alt.Y("images:Q", title="images", axis=alt.Axis(tickCount=2)),
            y2=alt.Y2Datum(0),
            tooltip=theme.tips(images=","),
        )
        .properties(width=theme.SMALL, height=46)
    )
