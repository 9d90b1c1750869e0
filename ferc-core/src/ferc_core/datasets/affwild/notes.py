"""Why parts of Aff-Wild are left out, and how the notes of the dataset say it."""

from __future__ import annotations

import polars as pl

from ferc_core.base.text import listed, number

LACKS = "lacks "  # and a kind of annotation
TWICE, LOST, UNUSED, LENGTHS, NO_FACE = "twice", "lost", "unused", "lengths", "no face"
NO_NUMBER, NO_FEELING, OUTSIDE = "no number", "no feeling", "outside"
NO_EXPRESSION, OTHER, NO_CODE = "no expression", "other", "no code"

# Of whole files, videos and identities; `names` are files where there are any, else identities.
WHOLE = {
    TWICE: ("annotation file", "the one of the same name in the first folder counts: {names}"),
    LOST: ("video", "not there, or cannot be opened: {names}"),
    UNUSED: ("identity", "no frame can be used: {names}"),
}
# Of single frames; `names` are the identities, and `place` is the first of the lines.
FRAMES = {
    LENGTHS: "beyond the shorter of the annotation files, in {videos}: {names}",
    NO_FEELING: "valence or arousal is -5, not annotated",
    NO_EXPRESSION: "the expression is -1, not annotated",
    OTHER: "the expression is 7, Other",
    NO_NUMBER: "a line is no number, the first is {place}",
    OUTSIDE: "valence or arousal lies outside [-1, 1], first in {place}",
    NO_CODE: "the expression is none of -1 to 7, first in {place}",
    NO_FACE: "no face was found, so there is no image or no box, in {videos}: {names}",
}


def notes_about(rows: pl.DataFrame) -> list[str]:
    """Return a sentence for each reason in the column ``why`` of the rows."""
    out = rows.filter(pl.col("why") != "")
    reasons = out["why"].unique(maintain_order=True).to_list()
    lacks = {
        why: ("identity", f"no {why.removeprefix(LACKS)}: {{names}}")
        for why in reasons
        if why.startswith(LACKS)
    }
    notes = []
    for why, (noun, text) in {**lacks, **WHOLE}.items():
        if why in reasons:
            some = out.filter(pl.col("why") == why)
            names = [file or person for file, person in some["file", "identity"].rows()]
            notes.append(f"{number(len(some), noun)} left out: {text.format(names=listed(names))}")
    for why, text in FRAMES.items():
        if why in reasons:
            some = out.filter(pl.col("why") == why)
            text = text.format(
                names=listed(some["identity"].unique(maintain_order=True).to_list()),
                videos=number(some["identity"].n_unique(), "video"),
                place=some["file"][0],
            )
            notes.append(f"{number(int(some['count'].sum()), 'frame')} left out: {text}")
    return notes
