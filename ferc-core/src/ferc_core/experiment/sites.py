"""Where trials are trained, cells predicted and shards written: here, in processes, on machines.

A process that is not this one opens the benchmark itself, by its configuration, and is refused
where it finds other data or other versions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from ferc_core.base.files import Held, hold, read_bytes, write_bytes
from ferc_core.base.gpus import see_one
from ferc_core.base.parallel import WORKER, crew_of, remote_failure
from ferc_core.base.paths import with_absolute_paths
from ferc_core.errors import FercError, RequestError, StoreError, as_failure
from ferc_core.experiment import records
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.images.store import ImageStore
from ferc_core.plugins.host import plugin_files, use_plugin_files

T = TypeVar("T")
R = TypeVar("R")

Images = Mapping[str, ImageStore]  # by part of the data


class Site:
    """A benchmark and the folder that its files go to, as every process of the work has them.

    skipped, checked: the files of ``--on-bad-image skip``
    cache:            where ``--cache`` keeps images
    """

    def __init__(
        self,
        bench: Benchmark,
        images: Images,
        held: Held,
        skipped: Path,
        checked: Path,
        cache: Path | None = None,
    ) -> None:
        self.config, self.files = bench.config, plugin_files()
        self.identity = records.identity(bench)
        self.training = bool(bench.trials)
        self.held, self.skipped, self.checked, self.cache = held, skipped, checked, cache
        self.name = token_hex(8)
        self.opened: tuple[Benchmark, Images] | None = (bench, images)

    def __getstate__(self) -> dict[str, Any]:
        return with_absolute_paths({**self.__dict__, "opened": None})

    def open(self) -> tuple[Benchmark, Images]:
        """Return the benchmark and its images; in another process it is opened at the first call.

        Raises `RequestError` where its data or the versions of its packages are others.
        """
        if self.opened is not None:
            return self.opened
        if self.name not in _opened:
            number = os.environ.get(WORKER)
            if number and self.config.device in ("auto", "cuda"):
                see_one(int(number))
            hold(self.held)
            use_plugin_files(self.files)
            bench = Benchmark.open(self.config, training=self.training)
            records.refuse_unlike(self.identity, records.identity(bench))
            bench = without_bad_images(bench, self.skipped, self.checked)
            _opened.clear()
            _opened[self.name] = bench, bench.images(self.cache)
        return _opened[self.name]

    @property
    def here(self) -> bool:
        """Whether this is the process that everybody else works for."""
        return self.opened is not None

    def check(self, name: str, content: bytes) -> None:
        """Raise `FercError` unless this process can do the work and sees a file of its folder."""
        try:
            found = read_bytes(Path(self.held.path) / name)
        except OSError:
            found = b""
        if found != content:
            raise StoreError(
                f"it does not see {self.held.path}; workers need storage that all of them share"
            )
        self.open()
        mine = Path(self.held.path) / f".{token_hex(8)}.part"
        write_bytes(mine, content)
        mine.unlink()

    def failure(self, error: BaseException) -> FercError:
        """Return an error as it can be sent from this process."""
        return as_failure(error) if self.here else remote_failure(error)


_opened: dict[
    str, tuple[Benchmark, Images]
] = {}  # by the name of a site: the last one that this process opened for another


def check_packages(bench: Benchmark) -> None:
    """Raise `RequestError` naming a worker on another machine that has other packages."""
    visit(bench, partial(records.refuse_packages, records.installed(records.MAKERS)))


def check_workers(site: Site, bench: Benchmark) -> None:
    """Raise `RequestError` naming a worker on another machine that cannot do the work."""
    if bench.entries.executor.entry.everywhere is None:
        return
    name, content = f".{token_hex(8)}.part", token_hex(16).encode()
    path = Path(site.held.path) / name
    write_bytes(path, content)
    try:
        visit(bench, partial(site.check, name, content))
    finally:
        with suppress(OSError):
            path.unlink()


def visit(bench: Benchmark, function: Callable[[], Any]) -> None:
    """Call a function in each worker on other machines; raises `RequestError` where it raises."""
    executor = bench.entries.executor
    found = executor.entry.visit(function, bench.config.workers, **executor.call.options)
    for worker, answer in sorted(found.items()):
        if isinstance(answer, BaseException):
            raise RequestError(f"worker {worker} cannot be used: {as_failure(answer)}")


def spread(
    bench: Benchmark, work: Callable[[T], R], items: Iterable[T], count: int
) -> Iterator[R | FercError]:
    """Yield what ``work`` makes of ``count`` items, in order: on other machines where the executor
    has such, in ``config.jobs`` processes, or here.

    In place of what was lost with a worker comes an error; ``work`` must raise none.
    """
    executor, jobs = bench.entries.executor, bench.config.jobs
    if bench.models:  # which are only here
        yield from map(work, items)
    elif executor.entry.everywhere is not None:
        options = executor.call.options
        yield from executor.entry.attempts(work, items, bench.config.workers, **options)
    elif jobs > 1 and count > 1:
        yield from crew_of(work, items, jobs, "--jobs", daemon=False)
    else:
        yield from map(work, items)


def elsewhere(bench: Benchmark, count: int) -> bool:
    """Say whether `spread` leaves this process."""
    far = bench.entries.executor.entry.everywhere is not None
    return not bench.models and (far or (bench.config.jobs > 1 and count > 1))
