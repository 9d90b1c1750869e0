"""Is a build sound? Every file against the manifest, every count, and pictures made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ferc_core import executors
from ferc_core.address import BENCHMARK_VERSION
from ferc_core.build import (
    BUILDING,
    LABELS,
    MANIFEST,
    counts,
    digest,
    picture_name,
    shard_name,
)
from ferc_core.config import Config
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.images import decode_image
from ferc_core.plan import Plan, make_plan
from ferc_core.plugins import registry
from ferc_core.store import read_json, read_parquet
from ferc_core.suite import Cell, Chunk, Images
from ferc_core.watch import Watcher

WORKERS = 4  # threads that read and hash files


@dataclass(frozen=True)
class Build:
    """A finished build: its folder and its manifest."""

    root: Path
    manifest: dict[str, Any]

    @property
    def format(self) -> str:
        """Return "png" or "parquet"."""
        return str(self.manifest["making"]["format"])

    def config(self, **changes: Any) -> Config:
        """Return the configuration that the build was made with, but for ``changes``."""
        making = {k: v for k, v in self.manifest["making"].items() if k != "format"}
        return Config(**{**making, "split": self.manifest["split"], **changes})

    def picture(self, cell: Cell, sample: str) -> Images:
        """Read one picture; raises `BadImageError` naming its file."""
        if self.format == "png":
            path = self.root / picture_name(cell, sample)
            return decode_image(path.read_bytes(), path)
        for path in sorted((self.root / shard_name(cell, 0)).parent.glob("*.parquet")):
            rows = read_parquet(path).filter(sample=sample)
            if len(rows):
                return decode_image(rows["image"][0]["bytes"], path)
        raise BadImageError(f"no shard of {cell} in {self.root} has the sample {sample!r}")


def open_build(root: Path) -> Build:
    """Return the build in a folder; raises `RequestError` or `DataError` when there is none."""
    if not root.is_dir():
        raise RequestError(f"{root} is no folder")
    if (root / BUILDING).exists() and not (root / MANIFEST).exists():
        raise DataError(f"{root} is a build that was not finished: run the same ferc build again")
    if not (root / MANIFEST).exists():
        raise RequestError(f"{root} is no build: it has no {MANIFEST}")
    manifest = read_json(root / MANIFEST)
    if not isinstance(manifest, dict) or not {"making", "files", "counts"} <= manifest.keys():
        raise DataError(f"{root / MANIFEST} is no manifest of a build")
    if manifest["benchmark"] != BENCHMARK_VERSION:
        raise DataError(
            f"{root} is of benchmark version {manifest['benchmark']}, and this is version "
            f"{BENCHMARK_VERSION}; use the ferc-core that made it"
        )
    return Build(root, manifest)


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
                f"{LABELS} has {found.get(cell, {})} pictures by class in {cell}, "
                f"not {wanted.get(cell, {})}"
            )
    sums = labels["target"].list.sum()
    for sample in labels.filter((sums - 1).abs() > 1e-9)["sample"].head(1):
        yield f"{LABELS}: a soft label of {sample!r} does not sum to 1"


def rebuild(build: Build, n: int, data_root: str, seed: int, watcher: Watcher) -> list[str]:
    """Make ``n`` random pictures again from the data and return those whose pixels differ."""
    config = build.config(data_root=data_root)
    plan = make_plan(config.resolved(registry(), training=False), training=False)
    if plan.faces.fingerprint != build.manifest["data"]:
        raise DataError(f"the data set is not the one that {build.root} was built from")
    rng = np.random.default_rng(seed)
    built = read_parquet(build.root / LABELS)["sample"].unique(maintain_order=True).to_list()
    row = {sample: i for i, sample in enumerate(plan.suite.ids)}
    problems = []
    with watcher.track("make pictures again", n) as step:
        for _ in range(n):
            cell = plan.forms[rng.integers(len(plan.forms))]
            sample = built[rng.integers(len(built))]
            if problem := differs(build, plan, cell, sample, row[sample]):
                problems.append(problem)
            step(1)
    return problems


def differs(build: Build, plan: Plan, cell: Cell, sample: str, row: int) -> str:
    """Return a sentence when a stored picture has other pixels than one made now, else ""."""
    made = plan.suite.corruptor(Chunk(cell, (sample,), plan.pictures["scored"]([row])))[0]
    try:
        stored = build.picture(cell, sample)
    except (OSError, BadImageError) as error:
        return f"{picture_name(cell, sample)} cannot be read: {error}"
    if stored.shape == made.shape and (stored == made).all():
        return ""
    return f"{picture_name(cell, sample)} has other pixels than those made now"
