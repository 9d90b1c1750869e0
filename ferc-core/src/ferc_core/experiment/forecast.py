"""``ferc run --dry-run``: what a run would train and predict, where, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import numpy as np

from ferc_core.base.progress import say
from ferc_core.experiment import records
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.pipeline import describe
from ferc_core.experiment.probing import probe
from ferc_core.experiment.sites import Images
from ferc_core.experiment.training import check_trials, task_of, to_train
from ferc_core.spec import Predictor
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.task import Examples

BATCH = 64  # images of the batch that is timed, at most


def forecast(bench: Benchmark, out: RunDirectory) -> str:
    """Return in words what is to do and how long it may take; nothing is stored.

    A batch of each method is trained and predicted, and one is corrupted in every cell; the
    times are multiplied by the number of images that are missing.
    """
    with bench.entries.executor.entry.in_use():
        probe(bench)
    images = bench.images()
    out.keys = out.keys | records.keys_of(bench)
    to_do = to_train(bench, out)
    check_trials(bench, images, out, to_do)
    describe(bench, out, to_do)
    pending = [trial for trial in to_do if trial.trains]
    todo = {
        part: out.missing(bench.trials, part, cells, images[part].ids)
        for part, cells in (("validation", bench.validation_cells), ("scored", bench.cells))
    }
    cells = sum(map(len, todo.values()))
    pairs = sum(len(todo[part]) * len(images[part]) for part in todo)  # of image and cell
    train, predict = 0.0, 0.0
    for method in dict.fromkeys(trial.method for trial in bench.trials):
        these = [trial for trial in bench.trials if trial.method == method]
        say(f"  timing a batch of {method}")
        learning, predictor = timed_training(bench, images, out, these[0])
        n = sum(trial.method == method for trial in pending)
        train += n * learning * len(images["train"]) * bench.config.epochs
        batch = images["scored"](range(min(BATCH, len(images["scored"]))))
        once = timed(partial(predictor.logits, batch)) / len(batch)
        predict += once * sum(
            sum(trial.method == method for trial in trials) * len(images[part])
            for part in todo
            for trials in todo[part].values()
        )
    corrupt = timed_corruption(bench, images, list(todo["scored"])) * pairs
    workers = bench.config.workers
    total = train / bench.config.jobs + (
        max(predict, corrupt / workers) if workers else predict + corrupt
    )
    return (
        f"to train: {len(pending)} of {len(bench.trials)} trials, about {duration(train)}\n"
        f"to predict: {cells} cells of {len(bench.trials)} trials, about {duration(predict)}, "
        f"and about {duration(corrupt)} to corrupt their images\n"
        f"in all about {duration(total)} on this machine\n"
        "nothing has been stored"
    )


def timed_training(
    bench: Benchmark, images: Images, out: RunDirectory, trial: Trial
) -> tuple[float, Predictor]:
    """Return the seconds that an image takes in an epoch, and a model that learned from a few."""
    fit = bench.entries.methods[trial.method].entry.fit
    task = task_of(bench, images, out, trial, {})
    size = min(BATCH, task.batch_size)
    with TemporaryDirectory() as folder:

        def learn(batches: int) -> Predictor:
            rows = np.arange(size * batches) % len(task.train)
            few = replace(
                task,
                train=some(task.train, rows),
                validation=some(task.validation, np.arange(min(size, len(task.validation)))),
                epochs=1,
                batch_size=size,
                directory=Path(mkdtemp(dir=folder)),  # a state that is there would be resumed
                say=lambda _: None,
            )
            return fit(few)

        predictor = learn(1)  # what is loaded only once does not count
        one, three = timed(lambda: learn(1)), timed(lambda: learn(3))
    return max(0.0, three - one) / (2 * size) if trial.trains else 0.0, predictor


def some(examples: Examples, rows: np.ndarray) -> Examples:
    """Return a few examples; a row may come twice under another id."""
    ids = tuple(f"{i} {examples.ids[row]}" for i, row in enumerate(rows))
    return Examples(
        ids,
        lambda chosen: examples.images(rows[chosen]),
        examples.labels[rows],
        examples.targets[rows],
    )


def timed_corruption(bench: Benchmark, images: Images, cells: list[Cell]) -> float:
    """Return the mean seconds that an image takes to be corrupted."""
    if not cells:
        return 0.0
    few = images["scored"](range(min(2, len(images["scored"]))))
    ids = images["scored"].ids[: len(few)]
    spent = timed(lambda: [bench.corruptor(Chunk(cell, ids, few)) for cell in cells])
    return spent / (len(cells) * len(few))


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def duration(seconds: float) -> str:
    """Return a time in words: "0:01:30"."""
    return str(timedelta(seconds=round(seconds)))
