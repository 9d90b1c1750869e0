"""``--on-bad-image skip``: images that cannot be read are found before they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ferc_core.base.files import write_json, write_text
from ferc_core.base.progress import say, track
from ferc_core.base.schemas import Checked, read_checked
from ferc_core.base.seeds import key
from ferc_core.base.text import number
from ferc_core.errors import DataError
from ferc_core.experiment.benchmark import PARTS, Benchmark
from ferc_core.images.store import ImageStore, bad_rows


class Found(Checked):
    """What ``checked.json`` holds: the images of ``state``, and what is wrong with some rows."""

    state: str
    bad: dict[str, dict[str, str]]


def known(
    record: Path, state: str, images: Mapping[str, ImageStore]
) -> dict[str, dict[str, str]] | None:
    """Return what was found in images of this ``state``; None where no file says it."""
    with suppress(OSError, ValueError):
        found = read_checked(record, Found)
        rows = {name: set(map(str, range(len(images[name])))) for name in PARTS}
        fits = found.bad.keys() == rows.keys() and all(found.bad[n].keys() <= rows[n] for n in rows)
        if found.state == state and fits:
            return {name: found.bad[name] for name in PARTS}
    return None


def without_bad_images(bench: Benchmark, listing: Path, record: Path) -> Benchmark:
    """Return the benchmark without the images that cannot be read, naming these in ``listing``.

    Does nothing unless the configuration says so. All images are read once for that: ``record``
    keeps what was found, for the next call and for other processes. Raises `DataError` when
    nothing is left of a part.
    """
    if bench.config.on_bad_image != "skip":
        return bench
    images = bench.images()
    address = (part for name in PARTS for part in images[name].address)
    state = key(bench.config.max_pixels, *address).hex()
    bad = known(record, state, images)
    if bad is None:
        with track("check images", sum(map(len, images.values()))) as step:
            bad = {name: bad_rows(images[name], step) for name in PARTS}
        write_json(record, {"state": state, "bad": bad})
    problems = [text for rows in bad.values() for text in rows.values()]
    if not problems:
        return bench
    write_text(listing, "\n".join(problems) + "\n")
    say(f"{number(len(problems), 'image')} skipped; see {listing}")
    splits = bench.splits
    for name, rows in bad.items():
        faces = getattr(splits, name)
        good = [i for i in range(len(faces)) if str(i) not in rows]
        if rows and not good:
            raise DataError(f"no image of a whole split can be used; the last: {problems[-1]}")
        splits = replace(splits, **{name: faces.take(good)})
    return bench.with_splits(splits)
