"""A dataset in one image: faces of each class with their labels, and other annotations.

Left, a row of faces for each class; right, the training faces in the valence-arousal plane with
the mixture of the paper (eqs 5-6), or the mean label distribution of each class. Drawn by
matplotlib; the same faces give the same bytes.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.files import replacing
from ferc_core.base.progress import track
from ferc_core.base.seeds import rank
from ferc_core.data.splits import divide
from ferc_core.errors import RequestError, UnknownNameError, as_failure
from ferc_core.faces import Face, FaceSet, FaceSplit
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture import Mixture
from ferc_core.labels.schemes import normalised
from ferc_core.suite.gallery import thumbnail

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 8  # faces of a class
POINTS = 2000  # in the plane, at most
SIGMAS = (1, 2)  # radii of the ellipses in standard deviations
DPI = 110
# Matplotlib's tab20, its ten dark colours first.
COLOURS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
    *("#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5"),
    *("#c49c94", "#f7b6d2", "#c7c7c7", "#dbdb8d", "#9edae5"),
)
INK, FAINT, PALE = "#222222", "#777777", "#c8c8c8"

# Inches.
MARGIN, HEADER, LABEL = 0.25, 0.5, 1.65
TILE, GAP, CAPTION = 0.84, 0.1, 0.28
STEP = TILE + CAPTION + GAP  # from row to row
WIDTH = MARGIN + LABEL + COLUMNS * (TILE + GAP)  # of a row with its label
LIFT = 0.12  # of a title above its content
PLANE, BARS, BESIDE, BELOW = 6.6, 3.2, 0.8, 0.75
# Points, and characters that fit.
TITLE, NAME, NOTE, SMALL = 12, 10.5, 8, 6.5
NAME_LENGTH, NAME_LINES, ID_LENGTH = 17, 3, 15

NO_MARKUP: Any = {"text.parse_math": False}  # a name may contain dollar signs


def draw(
    faces: FaceSet, path: Path, split: str = "", seed: int = 0, mixture: Mixture | None = None
) -> None:
    """Draw a dataset into a PNG file.

    ``split`` is the one whose faces are shown, by default ``train`` or the first; ``seed`` chooses
    the faces. The ellipses are those of ``mixture``, by default fitted on the training faces.
    Images that cannot be read are empty frames.

    Raises `RequestError` if matplotlib is missing, the split does not exist, or a mixture is given
    for a dataset without valence and arousal.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RequestError(
            "figures are drawn by matplotlib: pip install 'ferc-core[plots]'"
        ) from error
    usual = "train" if "train" in faces.splits else next(iter(faces.splits))
    if split and split not in faces.splits:
        raise UnknownNameError("split", split, faces.splits)
    shown = split or usual
    points, distributions = faces.splits[usual].valence_arousal, faces.splits[shown].distributions
    if mixture is not None and points is None:
        raise RequestError(f"{faces.name} has no valence and arousal to draw a mixture over")
    rows = len(faces.classes) * STEP
    width, height = WIDTH + MARGIN, rows
    if points is not None:
        width, height = width + BESIDE + PLANE, max(height, PLANE + BELOW)
    elif distributions is not None:
        width, height = width + BESIDE + BARS, height + BELOW
    with rc_context(NO_MARKUP), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing glyph is drawn as a box
        figure = Figure(figsize=(width, HEADER + height), dpi=DPI)
        draw_faces(place(figure, 0, WIDTH, rows), faces, shown, seed)
        if points is not None:
            axes = place(figure, WIDTH + BESIDE, PLANE, PLANE)
            draw_points(axes, faces.splits[usual], usual, seed)
            draw_mixture(axes, mixture or run_mixture(faces, usual), faces.classes)
        elif distributions is not None:
            axes = place(figure, WIDTH + BESIDE, BARS, rows)
            draw_distributions(axes, normalised(distributions), faces.splits[shown].labels, rows)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")


def place(figure: Figure, left: float, width: float, height: float) -> Axes:
    """Return axes below the header, at a position in inches."""
    across, down = figure.get_size_inches()
    bottom = down - HEADER - height
    axes: Axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
    return axes


def draw_faces(axes: Axes, faces: FaceSet, shown: str, seed: int) -> None:
    """Draw a row of faces for each class; the units of the axes are inches."""
    axes.set_axis_off()
    split, classes = faces.splits[shown], faces.classes
    title = f"{faces.name}: {len(split):,} faces of '{shown}'"
    axes.text(MARGIN, -LIFT, title, fontsize=TITLE, color=INK)
    axes.text(WIDTH - GAP, -LIFT, legend(split), fontsize=NOTE, color=FAINT, ha="right")
    order = rank(split.ids, f"preview/{seed}")
    rows = [order[split.labels[order] == label] for label in range(len(classes))]
    with track("draw faces", sum(len(row[:COLUMNS]) for row in rows)) as step:
        for label, row in enumerate(rows):
            top = label * STEP
            draw_name(axes, classes[label], len(row), top, colour(label))
            for column, i in enumerate(row[:COLUMNS].tolist()):
                draw_face(axes, split[i], MARGIN + LABEL + column * (TILE + GAP), top)
                step(1)
    axes.set(xlim=(0, WIDTH), ylim=(len(rows) * STEP, 0))


def legend(split: FaceSplit) -> str:
    """Return what the text below each face means."""
    if split.valence_arousal is not None:
        return "below each face: id, valence, arousal"
    if split.distributions is not None:
        return "below each face: id, probability of its class"
    return "below each face: id"


def draw_name(axes: Axes, name: str, count: int, top: float, shade: str) -> None:
    """Draw the head of a row: a bar in the colour of the class, its name, its number of faces."""
    axes.bar(MARGIN, TILE, 0.1, top, color=shade, align="edge")
    lines = textwrap.wrap(name, NAME_LENGTH, max_lines=NAME_LINES, placeholder="…")
    number = f"{count:,} face{'' if count == 1 else 's'}" if count else "no face"
    left, middle = MARGIN + 0.2, top + TILE / 2
    axes.text(left, middle, "\n".join(lines), fontsize=NAME, color=INK, va="bottom")
    axes.text(left, middle + 0.05, number, fontsize=NOTE, color=FAINT, va="top")


def draw_face(axes: Axes, face: Face, left: float, top: float) -> None:
    """Draw a face in its square, and its annotations below it."""
    try:
        image = thumbnail(face.image)
    except BaseException as error:  # the loader is foreign code; `ferc data check` reports it
        as_failure(error)  # which lets a request to stop through
        right, bottom = left + TILE, top + TILE
        frame = [left, right, right, left, left], [top, top, bottom, bottom, top]
        axes.plot(*frame, color=PALE, linewidth=1)
    else:
        height, width = image.shape[:2]
        x, y = (TILE * (1 - side / max(height, width)) / 2 for side in (width, height))
        extent = (left + x, left + TILE - x, top + TILE - y, top + y)
        axes.imshow(image, extent=extent, aspect="auto", interpolation="antialiased")
    lines = "\n".join(filter(None, (tail(face.id), known(face))))
    axes.text(left, top + TILE + 0.03, lines, fontsize=SMALL, color=FAINT, va="top")


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


def draw_points(axes: Axes, train: FaceSplit, name: str, seed: int) -> None:
    """Draw valence and arousal of the faces of a split, or of a sample of them."""
    assert train.valence_arousal is not None
    some = rank(train.ids, f"preview/{seed}")[:POINTS]
    colours = [colour(label) for label in train.labels[some].tolist()]
    x, y = train.valence_arousal[some].T
    axes.scatter(x, y, s=8, c=colours, alpha=0.45, linewidths=0)
    of = f"{len(some):,} of " if len(some) < len(train) else ""
    title = f"valence and arousal of {of}{len(train):,} faces of '{name}'"
    axes.set_title(title, fontsize=TITLE, color=INK, pad=72 * LIFT)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="valence", ylabel="arousal")
    axes.axhline(0, color=PALE, linewidth=0.8, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.8, zorder=0)


def run_mixture(faces: FaceSet, name: str) -> Mixture:
    """Return the mixture that a run fits, on the training faces without validation faces."""
    train = divide(faces, training=False).train if name == "train" else faces.splits[name]
    assert train.valence_arousal is not None
    return gmm.fit(train.valence_arousal, train.labels, len(faces.classes))


def draw_mixture(axes: Axes, mixture: Mixture, classes: Sequence[str]) -> None:
    """Draw the ellipses of a mixture with the names of their classes."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3, foreground="white")]
    for label in np.flatnonzero(mixture.pi).tolist():
        mean, shade = mixture.mu[label], colour(label)
        for sigmas in SIGMAS:
            edge = ellipse(mean, mixture.sigma[label], sigmas)
            axes.plot(*edge.T, color=shade, linewidth=2.2 / sigmas)
        name = "\n".join(textwrap.wrap(classes[label], NAME_LENGTH))
        text = axes.text(mean[0], mean[1], name, fontsize=NOTE + 1, color=shade)
        text.set(weight="bold", ha="center", va="center", path_effects=outline, clip_on=True)
    reach = " and ".join(map(str, SIGMAS))
    note = f"ellipses: {reach} standard deviations of the mixture used for soft labels"
    axes.text(0, -1.19, note, fontsize=NOTE, color=FAINT, ha="center")


def ellipse(
    mean: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64], sigmas: float
) -> npt.NDArray[np.float64]:
    """Return points [M, 2] of the ellipse with a radius of ``sigmas`` standard deviations."""
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    edge: npt.NDArray[np.float64] = mean + sigmas * (np.linalg.cholesky(covariance) @ circle).T
    return edge


def draw_distributions(
    axes: Axes, distributions: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], height: float
) -> None:
    """Draw the mean of the label distributions [N, K] of each class beside its row."""
    for label in np.unique(labels).tolist():
        left, middle = 0.0, label * STEP + TILE / 2
        for other, mean in enumerate(distributions[labels == label].mean(axis=0).tolist()):
            axes.barh(middle, mean, 0.6 * TILE, left, color=colour(other))
            left += mean
    axes.set_title("mean label distribution", fontsize=TITLE, color=INK, pad=72 * LIFT)
    axes.set(xlim=(0, 1), ylim=(height, 0), yticks=[], xlabel="probability")
    axes.spines[["top", "right"]].set_visible(False)


def colour(label: int) -> str:
    """Return the colour of a class."""
    return COLOURS[label % len(COLOURS)]
