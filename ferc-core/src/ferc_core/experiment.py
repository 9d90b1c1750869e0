"""The benchmark from end to end: train, predict every cell, label, score, store.

Each step writes files with stable names and skips what is already there, so that a run that was
stopped anywhere, by whatever, goes on and ends with the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core import labels as label_making
from ferc_core.built import open_build
from ferc_core.config import TRAINING, Config
from ferc_core.errors import RunError
from ferc_core.expr import parse_call
from ferc_core.labelling import make_labels
from ferc_core.plan import Plan, Run, make_plan
from ferc_core.plugins import registry
from ferc_core.rundir import RunDirectory, default_path
from ferc_core.scoring import score
from ferc_core.spec import Predictor
from ferc_core.splits import flip_labels, without_bad_images
from ferc_core.store import replacing, write_parquet, write_text
from ferc_core.suite import CHUNK, Cell, Pictures
from ferc_core.task import Epoch, Examples, Task
from ferc_core.watch import Watcher


@dataclass(frozen=True)
class Outcome:
    """Where the results lie, and the runs that failed with their causes."""

    directory: Path
    results: pl.DataFrame
    failed: dict[Run, str]


def run_benchmark(config: Config, watcher: Watcher) -> Outcome:
    """Carry out a configuration; resumes when its directory holds earlier work.

    Raises `FercError` when nothing can be scored. A training that fails does not stop the others.
    """
    plan = make_plan(config.resolved(registry()))
    directory = RunDirectory(Path(config.out) if config.out else default_path(plan))
    describe(plan, directory, watcher)
    with directory.claimed(plan) as record:
        if plan.config.on_bad_image == "skip":
            plan = skip_bad_images(plan, directory.path / "skipped.txt", watcher)
        failed: dict[Run, str] = {}
        for run in plan.runs:
            try:
                train(plan, directory, run, watcher)
            except RunError as error:
                failed[run] = str(error)
                watcher.say(f"{run} failed: {error}")
        done = [run for run in plan.runs if run not in failed]
        if not done:
            raise RunError(next(iter(failed.values())))
        predict(plan, directory, done, record, watcher)
        make_labels(plan, directory.labels, directory.visibility(plan.config), record, watcher)
        steps = len(done) * (1 + len(plan.config.calibrators)) * len(plan.forms)
        with watcher.track("score", steps) as step:
            results, pooled = score(directory, plan.config, done, step)
        write_parquet(directory.results, results, record)
        write_parquet(directory.pooled, pooled, record)
    return Outcome(directory.path, results, failed)


def describe(plan: Plan, directory: RunDirectory, watcher: Watcher) -> None:
    """Say what is about to happen."""
    config, splits = plan.config, plan.splits
    watcher.say(
        f"{plan.faces.name}: {len(plan.classes)} classes, {len(splits.train)} faces to train, "
        f"{len(splits.validation)} to validate, {len(splits.scored)} of '{splits.scored_name}' "
        f"to score in {len(plan.forms)} forms each"
    )
    for note in (*plan.faces.notes, *splits.notes):
        watcher.say(f"  {note}")
    watcher.say(
        f"trainings: {len(plan.runs)}, {config.backbone or 'the backbone of each method'}, "
        f"{config.image_size}x{config.image_size} pixels, {config.epochs} epochs, "
        f"{beginning(config)}"
    )
    if parse_call(config.dataset).name == "toyfaces":
        watcher.say(
            "this is the built-in demonstration: drawn faces, a smaller backbone and smaller "
            "pictures than the paper's (resnet18 at 224x224)"
        )
    watcher.say(f"everything goes to {directory.path}")


def beginning(config: Config) -> str:
    """Say what weights a training starts from."""
    if config.weights:
        return f"starting from {config.weights}"
    if config.pretrained:
        return "starting from timm's pretrained weights"
    return "from random weights (nothing is downloaded; --weights FILE starts from a local file)"


def skip_bad_images(plan: Plan, listing: Path, watcher: Watcher) -> Plan:
    """Return the plan without the pictures that cannot be read, and name them in a file."""
    splits = plan.splits
    total = len(splits.train) + len(splits.validation) + len(splits.scored)
    with watcher.track("check pictures", total) as step:
        good, problems = without_bad_images(
            splits, lambda faces, i: Pictures(faces, plan.config.image_size).read(i), step
        )
    if problems:
        write_text(listing, "\n".join(problems) + "\n")
        watcher.say(f"{len(problems)} pictures are skipped; {listing} names them")
    return replace(plan, splits=good)


def keep_pictures(plan: Plan, parts: Sequence[str], watcher: Watcher) -> None:
    """Read the pictures of some parts into memory, where they fit and are not there yet."""
    missing = [plan.pictures[part] for part in parts if plan.pictures[part].worth_keeping]
    with watcher.track("read pictures", sum(map(len, missing))) as step:
        for pictures in missing:
            pictures.keep(step)


def examples(plan: Plan, part: str, run: Run) -> Examples:
    """Return the training or validation pictures as a method sees them."""
    pictures = plan.pictures[part]
    labels = pictures.faces.labels
    if part == "train" and run.noise:
        labels = flip_labels(labels, run.noise, len(plan.classes), run.seed)
    targets = label_making.one_hot(labels, len(plan.classes))
    return Examples(pictures.faces.ids, pictures, labels, targets)


def train(plan: Plan, directory: RunDirectory, run: Run, watcher: Watcher) -> None:
    """Train one run, or go on with it, unless its checkpoint is there."""
    checkpoint, state = directory.checkpoint(run), directory.training(run)
    if checkpoint.exists():
        shutil.rmtree(state, ignore_errors=True)  # a kill may have come between the two
        return
    config, call = plan.config, parse_call(run.method)
    method = registry().methods[call.name]
    settings = {
        name: getattr(config, name) or method.defaults.get(name, default)
        for name, default in TRAINING.items()
    }
    keep_pictures(plan, ("train", "validation"), watcher)
    with watcher.track(f"train {run}", config.epochs) as step:
        reached = 0.0

        def progress(epoch: Epoch) -> None:
            nonlocal reached
            f1 = "" if epoch.validation_f1 is None else f", F1 {epoch.validation_f1:.3f}"
            now = epoch.number - 1 + epoch.done
            step(now - reached, f"loss {epoch.loss:.3f}{f1}")
            reached = now

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
            workers=config.workers,
            progress=progress,
            say=lambda text: watcher.say(f"  {run}: {text}"),
            options=call.options,
            **settings,
        )
        predictor = method.fit(task)
    with replacing(checkpoint) as temporary:
        predictor.save(temporary)
    shutil.rmtree(state, ignore_errors=True)


def predict(
    plan: Plan,
    directory: RunDirectory,
    runs: Sequence[Run],
    record: dict[str, str],
    watcher: Watcher,
) -> None:
    """Store the logits of every run in every cell that has none, and on validation."""
    pending = {
        cell: [run for run in runs if not directory.predictions(run, cell).exists()]
        for cell in plan.forms
    }
    validating = [run for run in runs if not directory.validation(run).exists()]
    needed = {*validating, *(run for cell in pending.values() for run in cell)}
    forms = [cell for cell in plan.forms if pending[cell]]
    predictors = {run: load(plan, directory, run) for run in runs if run in needed}
    if needed:
        keep_pictures(plan, ("validation", "scored"), watcher)
    pictures = plan.pictures["validation"]
    for run in validating:
        rows = range(len(pictures))
        logits = np.concatenate(
            [predictors[run].logits(pictures(rows[i : i + CHUNK])) for i in rows[::CHUNK]]
        )
        frame = predictions_frame(pictures.faces.ids, logits).with_columns(
            label=pl.Series(pictures.faces.labels)
        )
        write_parquet(directory.validation(run), frame, record)
    suite = plan.suite
    if plan.config.build:
        suite = replace(suite, corruptor=open_build(Path(plan.config.build)))
    parts: dict[Run, list[np.ndarray]] = {run: [] for run in runs}
    with watcher.track("predict", len(forms) * len(suite.ids)) as step:
        for cell, place, images in suite.chunks(forms):
            for run in pending[cell]:
                parts[run].append(predictors[run].logits(images))
            if place.stop == len(suite.ids):
                for run in pending[cell]:
                    frame = predictions_frame(suite.ids, np.concatenate(parts[run]), cell)
                    write_parquet(directory.predictions(run, cell), frame, record)
                    parts[run].clear()
            step(len(images), str(cell))


def load(plan: Plan, directory: RunDirectory, run: Run) -> Predictor:
    """Return the trained model of a run."""
    method = registry().methods[parse_call(run.method).name]
    return method.load_predictor(directory.checkpoint(run), plan.config.device)


def predictions_frame(
    ids: Sequence[str], logits: np.ndarray, cell: Cell | None = None
) -> pl.DataFrame:
    """Return predictions as a table: sample, corruption and severity if any, logits."""
    frame = pl.DataFrame(
        {"sample": ids, "logits": logits.tolist()},
        schema={"sample": pl.String, "logits": pl.List(pl.Float32)},
    )
    if cell is None:
        return frame
    return frame.select(
        "sample",
        pl.lit(cell.corruption).alias("corruption"),
        pl.lit(cell.severity, pl.Int64).alias("severity"),
        "logits",
    )
