"""Why parts of Aff-Wild are left out, and how the notes of the dataset say it."""

from __future__ import annotations

import polars as pl

from ferc_core.base.text import listed, number

LACKS = "lacks "  # and a kind of annotation
TWICE, LOST, UNUSED, LENGTHS, NO_FACE = "twice", "lost", "unused", "lengths", "no face"
NO_NUMBER, UNRATED, OUTSIDE = "no number", "unrated", "outside"
NO_EXPRESSION, OTHER, NO_CODE = "no expression", "other", "no code"

# Reason -> what is counted, and the sentence about it.
REASONS = {
    TWICE: ("annotation file", "the one of the same name in the first folder is used: {files}"),
    LOST: ("video", "missing, or cannot be opened: {files}"),
    UNUSED: ("subject", "no usable frame: {subjects}"),
    LENGTHS: ("frame", "beyond the end of the shorter annotation file, in {videos}: {subjects}"),
    UNRATED: ("frame", "valence or arousal is -5, not annotated"),
    NO_EXPRESSION: ("frame", "the expression is -1, not annotated"),
    OTHER: ("frame", "the expression is 7, Other"),
    NO_NUMBER: ("frame", "a line is not a number, first in {place}"),
    OUTSIDE: ("frame", "valence or arousal is outside [-1, 1], first in {place}"),
    NO_CODE: ("frame", "the expression is not a code from -1 to 7, first in {place}"),
    NO_FACE: ("frame", "no face was found, so no image or box, in {videos}: {subjects}"),
}


def notes_about(rows: pl.DataFrame) -> list[str]:
    """Return a sentence for each reason in the column ``why`` of the rows."""
    present = rows["why"].unique(maintain_order=True).to_list()
    lacks = {
        why: ("subject", f"no {why.removeprefix(LACKS)}: {{subjects}}")
        for why in present
        if why.startswith(LACKS)
    }
    notes = []
    for why, (noun, text) in (lacks | REASONS).items():
        if why not in present:
            continue
        some = rows.filter(pl.col("why") == why)
        count = int(some["count"].sum()) if noun == "frame" else len(some)
        text = text.format(
            files=listed(some["file"].to_list()),
            subjects=listed(some["identity"].unique(maintain_order=True).to_list()),
            videos=number(some["identity"].n_unique(), "video"),
            place=some["file"][0],
        )
        notes.append(f"{number(count, noun)} left out: {text}")
    return notes
