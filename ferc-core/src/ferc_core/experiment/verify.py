"""Is a build sound? Every file against the manifest, every count, and images made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base import parallel as executors
from ferc_core.base.files import read_parquet
from ferc_core.base.progress import Watcher
from ferc_core.errors import BadImageError, DataError
from ferc_core.experiment.benchmark import Plan, make_plan
from ferc_core.experiment.build import counts, digest
from ferc_core.experiment.config import Config
from ferc_core.plugins.host import registry
from ferc_core.suite.corrupt import Cell, Chunk
from ferc_core.suite.layout import LABELS, MANIFEST, Build, image_name

WORKERS = 4  # threads that read and hash files


def verify(build: Build, watcher: Watcher) -> list[str]:
    """Return a sentence for everything that differs from the manifest."""
    files: dict[str, str] = build.manifest["files"]
    there = {
        path.relative_to(build.root).as_posix()
        for path in build.root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    problems = [f"{name} is missing" for name in sorted(files.keys() - there)]
    problems += [f"{name} does not belong there" for name in sorted(there - {*files, MANIFEST})]
    present = sorted(files.keys() & there)
    with watcher.track("hash files", len(present)) as step:
        hashes = executors.threads(hasher(build.root), present, WORKERS)
        for name, found in zip(present, hashes, strict=True):
            if found != files[name]:
                problems.append(f"{name} is not the file that was built")
            step(1)
    return problems + list(label_problems(build))


def hasher(root: Path) -> Callable[[str], str]:
    """Return the function that hashes a file below ``root``."""
    return lambda name: digest((root / name).read_bytes())


def label_problems(build: Build) -> Iterator[str]:
    """Yield a sentence for every cell whose labels do not count up to the manifest's numbers."""
    if not (build.root / LABELS).exists():
        return
    try:
        labels = read_parquet(build.root / LABELS)
        found = counts(labels)
    except (DataError, pl.exceptions.PolarsError) as error:
        yield f"{LABELS} cannot be read: {error}"
        return
    wanted = build.manifest["counts"]
    for cell in sorted(wanted.keys() | found.keys()):
        if wanted.get(cell) != found.get(cell):
            yield (
                f"{LABELS} has {found.get(cell, {})} images by class in {cell}, "
                f"not {wanted.get(cell, {})}"
            )
    sums = labels["target"].list.sum()
    for sample in labels.filter((sums - 1).abs() > 1e-9)["sample"].head(1):
        yield f"{LABELS}: a soft label of {sample!r} does not sum to 1"


def rebuild(build: Build, n: int, data_root: str, seed: int, watcher: Watcher) -> list[str]:
    """Make ``n`` random images again from the data and return those whose pixels differ."""
    config = Config(**build.settings, data_root=data_root)
    plan = make_plan(config.resolved(registry(), training=False), training=False)
    if plan.faces.fingerprint != build.manifest["data"]:
        raise DataError(f"the dataset is not the one that {build.root} was built from")
    rng = np.random.default_rng(seed)
    built = build.samples
    row = {sample: i for i, sample in enumerate(plan.suite.ids)}
    problems = []
    with watcher.track("make images again", n) as step:
        for _ in range(n):
            cell = plan.forms[rng.integers(len(plan.forms))]
            sample = built[rng.integers(len(built))]
            if problem := differs(build, plan, cell, sample, row[sample]):
                problems.append(problem)
            step(1)
    return problems


def differs(build: Build, plan: Plan, cell: Cell, sample: str, row: int) -> str:
    """Return a sentence when a stored image has other pixels than one made now, else ""."""
    made = plan.suite.corruptor(Chunk(cell, (sample,), plan.pictures["scored"]([row])))[0]
    try:
        stored = build.pictures(cell, [sample])[0]
    except (BadImageError, DataError) as error:
        return f"{image_name(cell, sample)} cannot be read: {error}"
    if stored.shape == made.shape and (stored == made).all():
        return ""
    return f"{image_name(cell, sample)} has other pixels than those made now"
