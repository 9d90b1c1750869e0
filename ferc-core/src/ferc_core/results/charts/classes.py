"""Classes: how well each is recognised, and how sure the model is of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.answers import Answers, pooled
from ferc_core.results.charts.data import (
    calibrators_in,
    cells_asked,
    chosen_trials,
    classes_of,
    trials_in,
)

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def classes(run: Run, *, trial: str = "", calibrator: str = "none") -> Any:
    """Return the F1 of each class, and confidence less accuracy of the faces that are predicted to
    be of it, on clean and on all corrupted images.
    """
    chosen, names, panels = calibrators_in(run, calibrator, several=False), classes_of(run), []
    for cell, title in (("clean", "clean"), ("corrupted", "all corrupted images")):
        found = pooled(run, cells_asked(run, cell), chosen, chosen_trials(run, trial))
        rows = [
            (place[0], name, *each)
            for place, said in found.items()
            for name, each in zip(names, per_class(said, len(names)), strict=True)
        ]
        frame = pl.DataFrame(rows, schema=["trial", "class", "f1", "over"], orient="row")
        base = alt.Chart(frame).encode(
            y=alt.Y("class:N", sort=names, title=None),
            yOffset=alt.YOffset("trial:N", sort=trials_in(run)),
            color=theme.colours(trials_in(run), chosen_trials(run, trial)),
            tooltip=theme.tips("trial", "class", f1=".1f", over=".1f"),
        )
        for field, about in (("f1", "F1 (%)"), ("over", "confidence less accuracy (points)")):
            bars = base.mark_bar().encode(x=alt.X(f"{field}:Q", title=about))
            panels.append(bars.properties(title=title, width=200, height=alt.Step(9)))
    return alt.concat(*panels, columns=2)


def per_class(said: Answers, k: int) -> list[tuple[float, float]]:
    """Return F1 and overconfidence of each class, in percent; of one that is never predicted the
    latter is 0.
    """
    predicted, s = said.predicted, said.confidence
    found = []
    for c in range(k):
        labelled, named = said.hard == c, predicted == c
        hits = float(np.sum(labelled & named))
        f1 = 2 * hits / max(1, labelled.sum() + named.sum())
        over = float(s[named].mean() - labelled[named].mean()) if named.any() else 0.0
        found.append((100 * f1, 100 * over))
    return found
