"""The trainings of a plan: one after the other, or side by side in processes of their own."""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import Queue, active_children, get_context
from pathlib import Path
from typing import Any

from ferc_core.base.calls import parse_call
from ferc_core.base.files import replacing
from ferc_core.base.parallel import follow_parent
from ferc_core.base.progress import Advance, Silent, Watcher, watching
from ferc_core.data.splits import flip_labels
from ferc_core.errors import FercError, RequestError, RunError, as_failure
from ferc_core.experiment.augment import soft_augmentation, training_visibilities
from ferc_core.experiment.benchmark import Plan, Run, make_plan
from ferc_core.experiment.config import TRAINING, Config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.readying import keep_images, skip_bad_images
from ferc_core.labels import schemes as label_making
from ferc_core.plugins.host import registry
from ferc_core.suite.corrupt import Cell
from ferc_core.task import Epoch, Examples, Task


def train_all(plan: Plan, directory: RunDirectory, watcher: Watcher) -> dict[Run, FercError]:
    """Train every run that has no checkpoint; returns the causes of those that failed."""
    pending = []
    for run in plan.runs:
        ready_made = not registry().methods[parse_call(run.method).name].trains
        if directory.checkpoint(run).exists() and not ready_made:
            # a kill may have come between the checkpoint and the end of the state
            shutil.rmtree(directory.training(run), ignore_errors=True)
        else:
            pending.append(run)
    visible: dict[Cell, float] = {}
    if plan.config.soft_augmentation and pending:
        visible = training_visibilities(plan, watcher)
    if plan.config.jobs > 1 and len(pending) > 1:
        failed = side_by_side(plan.config, directory.path, pending, visible, watcher)
    else:
        failed = {}
        for run in pending:
            try:
                train(plan, directory, run, visible, watcher)
            except Exception as error:  # whatever a method of anybody's raises, the others go on
                failed[run] = as_failure(error)
    for run, cause in failed.items():
        watcher.say(f"{run} failed: {cause}")
    return failed


def train(
    plan: Plan,
    directory: RunDirectory,
    run: Run,
    visible: Mapping[Cell, float],
    watcher: Watcher,
) -> None:
    """Train one run, or go on with it, and store its model.

    ``visible`` are the visibilities that soft augmentation softens by.
    """
    config, call = plan.config, parse_call(run.method)
    method = registry().methods[call.name]
    settings = {
        name: getattr(config, name) or method.defaults.get(name, default)
        for name, default in TRAINING.items()
    }
    parts = ("train", "validation") if method.trains else ("validation",)
    keep_images(plan, directory, parts, watcher)
    label = f"train {run}" if method.trains else f"open {run}"
    with watcher.track(label, config.epochs) as step:
        reached = 0.0

        def progress(epoch: Epoch) -> None:
            nonlocal reached
            f1 = "" if epoch.validation_f1 is None else f", F1 {epoch.validation_f1:.3f}"
            now = epoch.number - 1 + epoch.done
            step(now - reached, f"loss {epoch.loss:.3f}{f1}")
            reached = now

        state = directory.training(run)
        task = Task(
            classes=plan.classes,
            train=examples(plan, "train", run),
            validation=examples(plan, "validation", run),
            loss=run.loss,
            epochs=config.epochs,
            image_size=config.image_size,
            seed=run.seed,
            directory=state,
            weights=Path(config.weights) if config.weights else None,
            pretrained=config.pretrained,
            device=config.device,
            threads=config.threads,
            workers=config.workers,
            augmentation=soft_augmentation(plan, run.seed, visible) if method.trains else None,
            progress=progress,
            say=lambda text: watcher.say(f"  {run}: {text}"),
            options=call.options,
            **settings,
        )
        predictor = method.fit(task)
    checkpoint = directory.checkpoint(run)
    with replacing(checkpoint) as temporary:
        predictor.save(temporary)
        # only a ready-made model is opened again when it is there already
        if checkpoint.exists() and checkpoint.read_bytes() != temporary.read_bytes():
            raise RequestError(
                f"{run.method} is no longer the model that {directory.path} has predictions of; "
                "give another directory with --out"
            )
    shutil.rmtree(state, ignore_errors=True)


def examples(plan: Plan, part: str, run: Run) -> Examples:
    """Return the training or validation images as a method sees them."""
    pictures = plan.pictures[part]
    labels = pictures.faces.labels
    if part == "train" and run.noise:
        scheme = plan.config.noise_scheme
        labels = flip_labels(labels, run.noise, len(plan.classes), run.seed, scheme)
    targets = label_making.one_hot(labels, len(plan.classes))
    return Examples(pictures.faces.ids, pictures, labels, targets)


# --- side by side ---------------------------------------------------------------------------------

SECONDS_BETWEEN_LOOKS = 0.1


class Messenger:
    """A watcher in a process of its own, which tells the one that people see."""

    def __init__(self, messages: Queue[Any]) -> None:
        self.messages = messages

    @contextmanager
    def track(self, label: str, total: float) -> Iterator[Advance]:
        """Show progress of one piece of work."""
        key = f"{os.getpid()} {label}"  # several processes may do the same thing
        self.messages.put(("begin", key, label, total))
        yield lambda step, note="": self.messages.put(("step", key, step, note))
        self.messages.put(("end", key))

    def say(self, text: str) -> None:
        """Show a line."""
        self.messages.put(("say", text))


_messages: Queue[Any]  # of a training process


def begin(messages: Queue[Any]) -> None:
    """Prepare a training process."""
    global _messages
    _messages = messages
    follow_parent()


def train_apart(
    config: Config, root: Path, run: Run, visible: Mapping[Cell, float]
) -> FercError | None:
    """Train one run in this process; returns the cause of its failure, if any."""
    watcher = Messenger(_messages)
    try:
        with watching(watcher):
            plan, directory = make_plan(config), RunDirectory(root)
            if plan.config.on_bad_image == "skip":
                plan = skip_bad_images(plan, directory.skipped, directory.checked, Silent())
            train(plan, directory, run, visible, watcher)
    except Exception as error:  # whatever a method of anybody's raises, the others go on
        return as_failure(error)
    return None


def side_by_side(
    config: Config,
    root: Path,
    runs: Sequence[Run],
    visible: Mapping[Cell, float],
    watcher: Watcher,
) -> dict[Run, FercError]:
    """Train runs in ``config.jobs`` processes; returns the causes of those that failed."""
    context = get_context("spawn")
    messages: Queue[Any] = context.Queue()
    pool = ProcessPoolExecutor(config.jobs, context, initializer=begin, initargs=(messages,))
    try:
        futures = {pool.submit(train_apart, config, root, run, visible): run for run in runs}
        relay(messages, list(futures), watcher)
    except BaseException:
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    causes = {run: cause_of(future) for future, run in futures.items()}
    return {run: cause for run, cause in causes.items() if cause is not None}


def relay(messages: Queue[Any], futures: list[Future[FercError | None]], watcher: Watcher) -> None:
    """Show what the training processes tell, until all are done."""
    shown: dict[str, tuple[ExitStack, Advance]] = {}
    done = False
    while not done:
        done = all(future.done() for future in futures)
        while True:
            try:
                kind, *rest = messages.get(timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                break
            if kind == "say":
                watcher.say(*rest)
            elif kind == "begin":
                stack = ExitStack()
                shown[rest[0]] = stack, stack.enter_context(watcher.track(*rest[1:]))
            elif kind == "step":
                shown[rest[0]][1](*rest[1:])
            else:
                shown.pop(rest[0])[0].close()


def cause_of(future: Future[FercError | None]) -> FercError | None:
    """Return why a training failed, if it did."""
    try:
        return future.result()
    except BrokenProcessPool:
        return RunError(
            "its process, or one beside it, was killed, perhaps for want of memory; "
            "the same command goes on with fewer --jobs"
        )
