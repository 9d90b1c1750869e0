"""A dataset in one chart: faces of each class with their labels, and other annotations.

Left, a row of faces for each class; right, the training faces in the valence-arousal plane with
the mixture of the paper (eqs 5-6), or the mean label distribution of each class. The same faces
give the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.base.progress import track
from ferc_core.base.seeds import rank
from ferc_core.base.text import number
from ferc_core.data.splits import divide
from ferc_core.drawing import theme
from ferc_core.drawing.files import save
from ferc_core.drawing.plane import NOTE, plane
from ferc_core.drawing.tiles import address
from ferc_core.errors import RequestError, UnknownNameError, as_failure
from ferc_core.faces import Face, FaceSet, FaceSplit
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture import Mixture
from ferc_core.labels.schemes import normalised
from ferc_core.suite.gallery import thumbnail

COLUMNS = 8  # faces of a class
POINTS = 2000  # in the plane, at most
NAME_LENGTH, NAME_LINES, ID_LENGTH = 17, 3, 15  # characters and lines that fit
FACE, ACROSS, DOWN = 84, 94, 122  # pixels: of a face, from column to column, from row to row
LIFT = -16  # above the middle of a row: below a face there is text
PLANE, BARS = 560, 300

CLASS = "class:N"


def draw(
    faces: FaceSet, path: Path, split: str = "", seed: int = 0, mixture: Mixture | None = None
) -> None:
    """Draw a dataset into a file of a kind that charts have; see `chart`."""
    save(theme.themed(chart(faces, split, seed, mixture)), path)


def chart(
    faces: FaceSet, split: str = "", seed: int = 0, mixture: Mixture | None = None
) -> alt.HConcatChart:
    """Return a dataset as a chart.

    ``split`` is the one whose faces are shown, by default ``train`` or the first; ``seed`` chooses
    the faces. The ellipses are those of ``mixture``, by default fitted on the training faces.
    Images that cannot be read are empty frames.

    Raises `RequestError` if the split does not exist, or a mixture is given for a dataset without
    valence and arousal.
    """
    usual = "train" if "train" in faces.splits else next(iter(faces.splits))
    if split and split not in faces.splits:
        raise UnknownNameError("split", split, faces.splits)
    train, shown = faces.splits[usual], faces.splits[split or usual]
    if mixture is not None and train.valence_arousal is None:
        raise RequestError(f"{faces.name} has no valence and arousal to draw a mixture over")
    panels = [rows_of_faces(faces, split or usual, seed)]
    if train.valence_arousal is not None:
        panels.append(points(train, usual, seed, mixture or run_mixture(faces, usual), faces))
    elif shown.distributions is not None:
        panels.append(mean_distributions(faces.classes, shown))
    return alt.hconcat(*panels, spacing=60).resolve_scale(color="independent", y="independent")


def rows_of_faces(faces: FaceSet, shown: str, seed: int) -> Any:
    """Return a row of faces for each class, its name and colour before it."""
    split, classes = faces.splits[shown], faces.classes
    order = rank(split.ids, f"preview/{seed}")
    rows = [order[split.labels[order] == label] for label in range(len(classes))]
    tiles = []
    with track("draw faces", sum(len(row[:COLUMNS]) for row in rows)) as step:
        for label, row in enumerate(rows):
            for column, i in enumerate(row[:COLUMNS].tolist()):
                face = split[i]
                said = "\n".join(filter(None, (tail(face.id), known(face))))
                tiles.append((classes[label], column, image_of(face), said))
                step(1)
    schema = {"class": pl.String, "column": pl.Int64, "url": pl.String, "said": pl.String}
    found = alt.Chart(pl.DataFrame(tiles, schema=schema, orient="row"))
    heads = pl.DataFrame(
        {
            "class": classes,
            "name": [wrapped(name) for name in classes],
            "faces": [number(len(row), "face") if len(row) else "no face" for row in rows],
        }
    )
    y = alt.Y(CLASS, sort=list(classes), axis=None, scale=alt.Scale(domain=list(classes)))
    x = alt.X("column:Q", axis=None, scale=alt.Scale(domain=[-0.5, COLUMNS - 0.5], nice=False))
    text = {"fontSize": 8.5, "align": "left", "lineBreak": "\n", "color": theme.FAINT}
    head = alt.Chart(heads).encode(y=y)
    return alt.layer(
        head.mark_bar(size=FACE, yOffset=LIFT).encode(
            x=alt.value(-158), x2=alt.value(-150), color=theme.class_colours(classes)
        ),
        head.mark_text(
            align="left", baseline="bottom", lineBreak="\n", dy=LIFT, fontSize=13
        ).encode(x=alt.value(-142), text="name:N"),
        head.mark_text(
            align="left", baseline="top", dy=LIFT + 4, color=theme.FAINT, fontSize=11
        ).encode(x=alt.value(-142), text="faces:N"),
        found.transform_filter("datum.url == ''")
        .mark_square(size=FACE**2, filled=False, strokeWidth=1, yOffset=LIFT, color="#c8c8c8")
        .encode(x=x, y=y),
        found.transform_filter("datum.url != ''")
        .mark_image(width=FACE, height=FACE, yOffset=LIFT)
        .encode(x=x, y=y, url="url:N"),
        found.mark_text(baseline="top", dx=-FACE / 2, dy=LIFT + FACE / 2 + 4, **text).encode(
            x=x, y=y, text="said:N"
        ),
    ).properties(
        width=COLUMNS * ACROSS,
        height=alt.Step(DOWN),
        title=alt.TitleParams(
            f"{faces.name}: {len(split):,} faces of '{shown}'", subtitle=legend(split)
        ),
    )


def image_of(face: Face) -> str:
    """Return a small image of a face as an address, nothing where it cannot be read."""
    try:
        return address(thumbnail(face.image))
    except BaseException as error:  # the loader is foreign code; `ferc data check` reports it
        as_failure(error)  # which lets a request to stop through
        return ""


def wrapped(name: str) -> str:
    """Return the name of a class in a few short lines."""
    lines = textwrap.wrap(name, NAME_LENGTH, max_lines=NAME_LINES, placeholder="…")
    return "\n".join(lines)


def legend(split: FaceSplit) -> str:
    """Return what the text below each face means."""
    if split.valence_arousal is not None:
        return "below each face: id, valence, arousal"
    if split.distributions is not None:
        return "below each face: id, probability of its class"
    return "below each face: id"


def tail(sample: str) -> str:
    """Return the end of a sample's id, where ids differ."""
    return sample if len(sample) <= ID_LENGTH else "…" + sample[1 - ID_LENGTH :]


def known(face: Face) -> str:
    """Return the annotations of a face beside its class."""
    if face.valence is not None and face.arousal is not None:
        return f"{face.valence:+.2f}, {face.arousal:+.2f}"
    if face.distribution is not None:
        return f"{face.distribution[face.label]:.0%}"
    return ""


def points(train: FaceSplit, name: str, seed: int, mixture: Mixture, faces: FaceSet) -> Any:
    """Return the plane with the faces of a split, or a sample of them, and the mixture."""
    assert train.valence_arousal is not None
    some = rank(train.ids, f"preview/{seed}")[:POINTS]
    of = f"{len(some):,} of " if len(some) < len(train) else ""
    title = f"valence and arousal of {of}{len(train):,} faces of '{name}'"
    drawn = plane(train.valence_arousal[some], train.labels[some], mixture, faces.classes, PLANE)
    return drawn.properties(title=alt.TitleParams(title, subtitle=NOTE))


def run_mixture(faces: FaceSet, name: str) -> Mixture:
    """Return the mixture that a run fits, on the training faces without validation faces."""
    train = divide(faces, training=False).train if name == "train" else faces.splits[name]
    assert train.valence_arousal is not None
    return gmm.fit(train.valence_arousal, train.labels, len(faces.classes))


def mean_distributions(classes: Sequence[str], split: FaceSplit) -> Any:
    """Return the mean of the label distributions [N, K] of each class, beside its row."""
    assert split.distributions is not None
    distributions = normalised(split.distributions)
    rows = [
        (classes[label], other, classes[other], float(mean))
        for label in np.unique(split.labels).tolist()
        for other, mean in enumerate(distributions[split.labels == label].mean(axis=0))
    ]
    schema = ["class", "place", "of", "probability"]
    y = alt.Y(CLASS, sort=list(classes), axis=None, scale=alt.Scale(domain=list(classes)))
    return (
        alt.Chart(pl.DataFrame(rows, schema=schema, orient="row"))
        .mark_bar(size=FACE * 0.6, yOffset=LIFT)
        .encode(
            x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1])),
            y=y,
            color=theme.class_colours(classes, "of:N"),
            order="place:Q",
            tooltip=theme.tips("class", "of", probability=".3f"),
        )
        .properties(
            width=BARS,
            height=alt.Step(DOWN),
            title=alt.TitleParams("mean label distribution", subtitle="of the faces of each class"),
        )
    )
