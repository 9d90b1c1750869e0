"""Is a build sound? Every file against the manifest, every count, and images made again."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ferc_core.base.files import LOCK
from ferc_core.base.progress import track
from ferc_core.base.schemas import shown
from ferc_core.errors import BadImageError, DataError
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.build import counts, hashes_of
from ferc_core.experiment.config import Config
from ferc_core.images.store import Images
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.layout import LABELS, MANIFEST, VISIBILITY, Build


def verify(build: Build) -> list[str]:
    """Return a sentence for everything that differs from the manifest."""
    files: dict[str, str] = build.manifest["files"]
    there = dict(entries_in(build.root))
    present = [name for name in sorted(files) if there.get(name) == "file"]
    problems = [f"{name} is missing" for name in sorted(files.keys() - there.keys())]
    for name, kind in sorted(there.items()):
        if name in files and kind != "file":
            problems.append(f"{name} is {kind}, not a file")
        elif name not in {*files, MANIFEST, LOCK}:
            problems.append(f"{name} does not belong there")
    with track("hash files", len(present)) as step:
        for name, found in zip(present, hashes_of(build.root, present), strict=True):
            if found != files[name]:
                problems.append(f"{name} is not the file that was built")
            step(1)
    return problems + list(label_problems(build))


def entries_in(root: Path) -> Iterator[tuple[str, str]]:
    """Yield everything below a folder but the folders, with what it is; links are not followed."""
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in (*names, *links):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            kind = "a link" if stat.S_ISLNK(mode) else "a device or a pipe"
            yield Path(path).relative_to(root).as_posix(), "file" if stat.S_ISREG(mode) else kind


def label_problems(build: Build) -> Iterator[str]:
    """Yield a sentence for tables that are none, and for every cell whose labels do not count up
    to the manifest's numbers.
    """
    if not (build.root / LABELS).exists():
        return
    try:
        found = counts(build.labels)
        if (build.root / VISIBILITY).exists():
            _ = build.visibility
    except DataError as error:
        yield str(error)
        return
    wanted = build.manifest["counts"]
    for cell in sorted(wanted.keys() | found.keys()):
        if wanted.get(cell) != found.get(cell):
            yield (
                f"{LABELS} has {found.get(cell, {})} images by class in {cell}, "
                f"not {wanted.get(cell, {})}"
            )


def rebuild(build: Build, n: int, data_root: str, seed: int) -> list[str]:
    """Make ``n`` random images again from the data and return those whose pixels differ."""
    config = Config(**build.settings, data_root=data_root)
    bench = Benchmark.open(config, training=False)
    if bench.faces.fingerprint != build.manifest["data"]:
        raise DataError(f"the dataset is not the one that {build.root} was built from")
    rng = np.random.default_rng(seed)
    built, images = build.samples, bench.images()["scored"]
    row = {sample: i for i, sample in enumerate(images.ids)}
    for sample in built:
        if sample not in row:
            raise DataError(f"{build.root} has the sample {shown(sample)}, which its dataset lacks")
    problems = []
    with track("make images again", n) as step:
        for _ in range(n):
            cell = bench.cells[rng.integers(len(bench.cells))]
            sample = built[rng.integers(len(built))]
            made = bench.corruptor(Chunk(cell, (sample,), images([row[sample]])))[0]
            if problem := differs(build, cell, sample, made):
                problems.append(problem)
            step(1)
    return problems


def differs(build: Build, cell: Cell, sample: str, made: Images) -> str:
    """Return a sentence when a stored image has other pixels than one made now, else ""."""
    try:
        stored = build.images(cell, [sample])[0]
    except (BadImageError, DataError) as error:
        return f"{named(build, cell, sample)} cannot be read: {error}"
    if stored.shape == made.shape and (stored == made).all():
        return ""
    return f"{named(build, cell, sample)} has other pixels than those made now"


def named(build: Build, cell: Cell, sample: str) -> str:
    """Return the file of a sample, and which it is where there are several in it."""
    file = build.file(cell, sample)
    return file if file.endswith(".png") else f"{shown(sample)} in {file}"
