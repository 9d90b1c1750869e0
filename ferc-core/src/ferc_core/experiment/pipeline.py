"""The benchmark from end to end: train, predict every cell, label, score, store.

Each step writes files with stable names and skips what is already there, so that a run that was
stopped anywhere, by whatever, goes on and ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ferc_core.base.calls import parse_call
from ferc_core.base.files import read_json, write_parquet
from ferc_core.base.progress import Watcher
from ferc_core.base.seeds import slug
from ferc_core.errors import FercError, RequestError, RunError
from ferc_core.experiment.benchmark import NO_LOSS, Plan, make_plan
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory, default_path
from ferc_core.experiment.labelling import make_labels
from ferc_core.experiment.prediction import predict
from ferc_core.experiment.readying import skip_bad_images
from ferc_core.experiment.scoring import score
from ferc_core.experiment.training import train_all
from ferc_core.plugins.host import registry


@dataclass(frozen=True)
class Outcome:
    """Where the results lie, and a sentence for each part that failed."""

    directory: Path
    results: pl.DataFrame
    failures: tuple[str, ...]


def run_experiment(configs: Sequence[Config], watcher: Watcher) -> Outcome:
    """Carry out one configuration, or one for each of several datasets.

    Several go into folders named after the datasets, below the ``out`` that they share. One that
    fails does not stop the others. Raises `FercError` when nothing can be scored.
    """
    if len(configs) == 1:
        return run_benchmark(configs[0], watcher)
    # all names are looked up before the first training
    resolved = [config.resolved(registry()) for config in configs]
    folders = [slug(parse_call(config.dataset).name) for config in resolved]
    for folder in folders:
        if folders.count(folder) > 1:
            raise RequestError(f"the dataset {folder!r} is there twice; give each its own file")
    root = Path(configs[0].out or "ferc-runs/experiment")
    outcomes, failures = [], []
    for config, folder in zip(configs, folders, strict=True):
        try:
            placed = config.model_copy(update={"out": str(root / folder)})
            outcomes.append(run_benchmark(placed, watcher))
            failures += [f"{folder}: {failure}" for failure in outcomes[-1].failures]
        except FercError as error:
            watcher.say(f"{folder} failed: {error}")
            failures.append(f"{folder}: {error}")
    if not outcomes:
        raise RunError("; ".join(failures))
    results = pl.concat(outcome.results for outcome in outcomes)
    return Outcome(root, results, tuple(failures))


def run_benchmark(config: Config, watcher: Watcher) -> Outcome:
    """Carry out a configuration; resumes when its directory holds earlier work.

    Raises `FercError` when nothing can be scored. A part that fails does not stop the others.
    """
    plan = make_plan(config.resolved(registry()))
    directory = RunDirectory(Path(config.out) if config.out else default_path(plan))
    if not config.threads and directory.manifest.exists():  # go on as it was begun
        begun = read_json(directory.manifest)["making"].get("threads", plan.config.threads)
        plan = replace(plan, config=plan.config.model_copy(update={"threads": begun}))
    describe(plan, directory, watcher)
    with directory.claimed(plan) as record:
        if plan.config.on_bad_image == "skip":
            plan = skip_bad_images(plan, directory.skipped, directory.checked, watcher)
        failed = train_all(plan, directory, watcher)
        trained = [run for run in plan.runs if run not in failed]
        failed |= predict(plan, directory, trained, record, watcher)
        done = [run for run in plan.runs if run not in failed]
        failures = [f"{run}: {cause}" for run, cause in failed.items()]
        if not done:
            causes = {str(cause): cause for cause in failed.values()}
            raise causes.popitem()[1] if len(causes) == 1 else RunError("; ".join(failures))
        make_labels(plan, directory.labels, directory.visibility(plan.config), record, watcher)
        steps = len(done) * (1 + len(plan.config.calibrators)) * len(plan.forms)
        with watcher.track("score", steps) as step:
            results, pooled = score(directory, plan.config, done, step, failures.append)
        judged = record | plan.mixture_record
        write_parquet(directory.results, results, judged)
        write_parquet(directory.pooled, pooled, judged)
    return Outcome(directory.path, results, tuple(failures))


def describe(plan: Plan, directory: RunDirectory, watcher: Watcher) -> None:
    """Say what is about to happen."""
    config, splits = plan.config, plan.splits
    watcher.say(
        f"{plan.faces.name}: {len(plan.classes)} classes, {len(splits.train)} faces to train, "
        f"{len(splits.validation)} to validate, {len(splits.scored)} of '{splits.scored_name}' "
        f"to score in {len(plan.forms)} forms each"
    )
    for note in plan.notes:
        watcher.say(f"  {note}")
    trained = sum(run.loss != NO_LOSS for run in plan.runs)
    if trained < len(plan.runs):
        watcher.say(f"ready-made models: {len(plan.runs) - trained}")
    watcher.say(
        f"trainings: {trained}, {config.backbone or 'the backbone of each method'}, "
        f"{config.image_size}x{config.image_size} pixels, {config.epochs} epochs, "
        f"{beginning(config)}"
    )
    if parse_call(config.dataset).name == "toyfaces":
        watcher.say(
            "this is the built-in demonstration: drawn faces, a smaller backbone and smaller "
            "images than the paper's (resnet18 at 224x224)"
        )
    watcher.say(f"everything goes to {directory.path}")


def beginning(config: Config) -> str:
    """Say what weights a training starts from."""
    if config.weights:
        return f"starting from {config.weights}"
    if config.pretrained:
        return "starting from timm's pretrained weights"
    return "from random weights (nothing is downloaded; --weights FILE starts from a local file)"
