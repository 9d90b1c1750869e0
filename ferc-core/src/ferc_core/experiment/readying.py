"""Images made ready before they are needed: checked, and read into memory or a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ferc_core.base.files import read_json, write_json, write_text
from ferc_core.base.parallel import threads
from ferc_core.base.progress import Advance, Watcher
from ferc_core.base.seeds import key
from ferc_core.base.text import number
from ferc_core.errors import BadImageError, DataError
from ferc_core.experiment.benchmark import PARTS, Plan
from ferc_core.experiment.directory import RunDirectory
from ferc_core.images.cache import mapped
from ferc_core.suite.corrupt import Pictures


def skip_bad_images(plan: Plan, listing: Path, record: Path, watcher: Watcher) -> Plan:
    """Return the plan without the images that cannot be read, and name these in ``listing``.

    All are read for that once: ``record`` keeps what was found, for the next call and for other
    processes. Raises `DataError` when nothing is left of a part.
    """
    state = key(*(part for name in PARTS for part in plan.pictures[name].address)).hex()
    found = read_json(record) if record.exists() else {}
    if found.get("state") != state:
        with watcher.track("check images", sum(map(len, plan.pictures.values()))) as step:
            bad = {name: bad_rows(plan.pictures[name], step) for name in PARTS}
        found = {"state": state, "bad": bad}
        write_json(record, found)
    problems = [text for rows in found["bad"].values() for text in rows.values()]
    if not problems:
        return plan
    write_text(listing, "\n".join(problems) + "\n")
    watcher.say(f"{number(len(problems), 'picture')} skipped; see {listing}")
    splits = plan.splits
    for name, rows in found["bad"].items():
        faces = getattr(splits, name)
        good = [i for i in range(len(faces)) if str(i) not in rows]
        if rows and not good:
            raise DataError(f"no image of a whole split can be used; the last: {problems[-1]}")
        splits = replace(splits, **{name: faces.take(good)})
    return replace(plan, splits=splits)


def bad_rows(pictures: Pictures, advance: Advance) -> dict[str, str]:
    """Return the rows whose image cannot be used, each with a sentence."""

    def problem(i: int) -> str:
        try:
            pictures.read(i)
        except BadImageError as error:
            return str(error)
        return ""

    bad = {}
    for i, text in enumerate(threads(problem, range(len(pictures)), os.cpu_count() or 1)):
        if text:
            bad[str(i)] = text
        advance(1)
    return bad


def keep_images(
    plan: Plan, directory: RunDirectory, parts: Sequence[str], watcher: Watcher
) -> None:
    """Read the images of some parts once, where they are not kept yet.

    They go into memory where they fit, or, if the plan has a cache, into files of the directory.
    """
    pending = [plan.pictures[part] for part in parts if not plan.pictures[part].kept]
    if not plan.config.cache:
        pending = [pictures for pictures in pending if pictures.fit_into_memory]
    with watcher.track("read images", sum(map(len, pending))) as step:
        for pictures in pending:
            if plan.config.cache:
                pictures.keep(mapped(directory.cache, pictures, step))
            else:
                pictures.keep(advance=step)
