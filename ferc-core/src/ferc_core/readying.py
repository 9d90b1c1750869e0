"""Pictures made ready before they are needed: checked, and read into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ferc_core.plan import Plan
from ferc_core.splits import without_bad_images
from ferc_core.store import write_text
from ferc_core.suite import Pictures
from ferc_core.watch import Watcher


def skip_bad_images(plan: Plan, listing: Path | None, watcher: Watcher) -> Plan:
    """Return the plan without the pictures that cannot be read, and name them in a file, if any."""
    splits = plan.splits
    total = len(splits.train) + len(splits.validation) + len(splits.scored)
    with watcher.track("check pictures", total) as step:
        good, problems = without_bad_images(
            splits, lambda faces, i: Pictures(faces, plan.config.image_size).read(i), step
        )
    if problems and listing is not None:
        write_text(listing, "\n".join(problems) + "\n")
        watcher.say(f"{len(problems)} pictures are skipped; {listing} names them")
    return replace(plan, splits=good)


def keep_pictures(plan: Plan, parts: Sequence[str], watcher: Watcher) -> None:
    """Read the pictures of some parts into memory, where they fit and are not there yet."""
    missing = [plan.pictures[part] for part in parts if plan.pictures[part].worth_keeping]
    with watcher.track("read pictures", sum(map(len, missing))) as step:
        for pictures in missing:
            pictures.keep(step)
