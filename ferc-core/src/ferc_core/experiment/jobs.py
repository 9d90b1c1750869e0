"""The trainings of a benchmark: one after the other, or side by side in processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from ferc_core.base.failures import Failures
from ferc_core.base.files import hold
from ferc_core.base.parallel import Child, memory_enough, remote_failure, stop
from ferc_core.base.progress import Advance, say, track, watching
from ferc_core.experiment.augment import training_visibilities
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.training import Images, train
from ferc_core.plugins.host import plugin_files, use_plugin_files
from ferc_core.suite.cells import Cell


def train_missing(
    bench: Benchmark,
    images: Images,
    out: RunDirectory,
    pending: Sequence[Trial],
    failures: Failures,
) -> None:
    """Train every trial that is pending, or resume it; failed ones go into ``failures``."""
    visible: dict[Cell, float] = {}
    if bench.config.soft_augmentation and pending:
        visible = training_visibilities(bench, images["train"])
    if bench.config.jobs > 1 and len(pending) > 1:
        side_by_side(bench.config, out, pending, visible, failures)
        return
    for trial in pending:
        try:
            train(bench, images, out, trial, visible)
        except BaseException as error:  # a method may raise anything; the others continue
            failures.add(trial, error)


def side_by_side(
    config: Config,
    out: RunDirectory,
    trials: Sequence[Trial],
    visible: Mapping[Cell, float],
    failures: Failures,
) -> None:
    """Train trials in ``config.jobs`` processes; one that dies costs only its own trial."""
    waiting = deque(trials)
    setup = config, out, dict(visible), plugin_files()
    workers: dict[Connection, Worker] = {}
    children: list[Child] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < config.jobs:
                with memory_enough():
                    children.append(Child(work, *setup, daemon=False))
                worker = Worker(children[-1])
                workers[worker.connection] = worker
                worker.give(waiting.popleft())
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                worker = workers[connection]
                if worker.heard(failures):
                    continue
                if waiting and worker.alive:
                    worker.give(waiting.popleft())
                else:
                    del workers[connection]
    finally:
        stop(children)


class Worker:
    """A training process, as the one that started it sees it."""

    def __init__(self, child: Child) -> None:
        self.child, self.connection = child, child.connection
        self.trial: Trial | None = None
        self.alive = True
        self.shown: dict[str, tuple[AbstractContextManager[Advance], Advance]] = {}

    def give(self, trial: Trial) -> None:
        """Let the process train a trial."""
        self.trial = trial
        with suppress(OSError):  # `heard` finds that it has ended
            self.connection.send(trial)

    def heard(self, failures: Failures) -> bool:
        """Show what the process tells; False when it has done its trial or is dead."""
        try:
            kind, *rest = self.connection.recv()
        except (EOFError, OSError):
            self.alive = False
            failures.add(self.trial, self.child.ended("--jobs"))
            return False
        if kind == "say":
            say(*rest)
        elif kind == "begin":
            label, total, marks = rest
            shown = track(label, total, marks)
            self.shown[label] = shown, shown.__enter__()
        elif kind == "step":
            self.shown[rest[0]][1](*rest[1:])
        elif kind == "end":
            self.shown.pop(rest[0])[0].__exit__(None, None, None)
        else:
            (failure,) = rest
            if failure is not None:
                failures.add(self.trial, failure)
            return False
        return True


class Messenger:
    """A watcher in a training process, which tells the one that people see."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @contextmanager
    def track(self, label: str, total: float, marks: int) -> Iterator[Advance]:
        """Show the progress of one piece of work."""
        self.connection.send(("begin", label, total, marks))
        yield lambda step, note="": self.connection.send(("step", label, step, note))
        self.connection.send(("end", label))

    def say(self, text: str) -> None:
        """Show a line."""
        self.connection.send(("say", text))


def work(
    connection: Connection,
    config: Config,
    out: RunDirectory,
    visible: Mapping[Cell, float],
    files: Sequence[Path],
) -> None:
    """Train the trials that come, until no more do; the life of a training process."""
    if out.held is not None:
        hold(out.held)
    opened: tuple[Benchmark, Images] | None = None
    while True:
        try:
            trial = connection.recv()
        except (EOFError, OSError):
            return
        failure = None
        try:
            with watching(Messenger(connection)):
                if opened is None:
                    use_plugin_files(files)
                    bench = Benchmark.open(config)
                    bench = without_bad_images(bench, out.skipped, out.checked)
                    opened = bench, bench.images(out.cache)
                train(*opened, out, trial, visible)
        except BaseException as error:  # a method may raise anything; the others continue
            failure = remote_failure(error)
        connection.send(("done", failure))
