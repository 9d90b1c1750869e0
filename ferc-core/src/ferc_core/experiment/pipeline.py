"""The benchmark from end to end: train, predict, measure visibility, label, score.

Each step stores what it makes under stable names and skips what is already there, so that a run
that was stopped anywhere, by whatever, is resumed and ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ferc_core.base.claims import waiting_for
from ferc_core.base.failures import Failures
from ferc_core.base.memory import keep_freed_blocks
from ferc_core.base.progress import say
from ferc_core.base.seeds import slug
from ferc_core.errors import FercError, RequestError
from ferc_core.experiment import training
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.calibration import at_bounds
from ferc_core.experiment.cases import labels_of
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import SCORES, RunDirectory
from ferc_core.experiment.entries import resolve
from ferc_core.experiment.jobs import train_missing
from ferc_core.experiment.labelling import label_table, visibilities
from ferc_core.experiment.prediction import predict_missing
from ferc_core.experiment.probing import probe
from ferc_core.experiment.records import default_path
from ferc_core.experiment.sanity import signs
from ferc_core.experiment.scoring import SCHEMA, score_run
from ferc_core.experiment.sites import Site, check_workers
from ferc_core.suite.cells import CLEAN


@dataclass(frozen=True)
class Outcome:
    """Where the results are, the scores, what failed, and what seems to be wrong."""

    path: Path
    results: pl.DataFrame
    failures: Failures
    warnings: tuple[str, ...] = ()


def run(bench: Benchmark, out: RunDirectory) -> Outcome:
    """Carry out a benchmark in a run directory, or resume it; or the part of it that is asked for.

    A part that fails does not stop the others; raises `FercError` when nothing can be scored.
    """
    keep_freed_blocks()
    failures = Failures(announce=len(bench.trials) > 1)
    with bench.entries.executor.entry.in_use():
        probe(bench)
        with out.claimed(bench) as held:
            bench = without_bad_images(bench, out.skipped, out.checked)
            images = bench.images(out.cache)
            site = Site(bench, images, held, out.skipped, out.checked, out.cache)
            check_workers(site, bench)
            pending = training.to_train(bench, out)
            describe(bench, out, pending)
            training.check_trials(bench, images, out, pending)
            train_missing(bench, site, out, pending, failures)
            predict_missing(bench, site, out, failures)
            if all(trial in failures for trial in bench.trials):
                failures.raise_all()
            if bench.config.part:
                return Outcome(out.path, pl.DataFrame(schema=SCHEMA), failures)
            with waiting_for(out.path, SCORES, "its scores"):
                visible = visibilities(bench, images["scored"], out)
                labels = label_table(bench, visible)
                out.write_labels(bench, labels)
                trials = to_score(bench, out, failures)
                by_cell = labels_of(labels, bench.cells)
                results, pooled, parameters = score_run(bench, out, trials, by_cell, failures)
                warnings = (*warnings_of(bench, out, trials), *at_bounds(parameters))
                out.finish(bench, results, pooled, parameters, warnings)
    return Outcome(out.path, results, failures, warnings)


def run_configs(configs: Sequence[Config]) -> Outcome:
    """Carry out one configuration, or one for each of several datasets.

    Several go into directories named after the datasets, below the ``out`` that they share. One
    that fails does not stop the others.
    """
    if len(configs) == 1:
        return run(*opened(configs[0]))
    # all names are looked up before the first training
    names = [slug(resolve(config)[1].dataset.name) for config in configs]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"the dataset {name!r} is there twice; give each its own file")
    root = Path(configs[0].out or "ferc-runs/experiment")
    outcomes, failures = [], Failures()
    for config, name in zip(configs, names, strict=True):
        try:
            placed = config.model_copy(update={"out": str(root / name)})
            outcomes.append(run(*opened(placed)))
            failures.merge(outcomes[-1].failures, name)
        except FercError as error:
            failures.add(name, error)
    if not outcomes:
        failures.raise_any()
    results = pl.concat(outcome.results for outcome in outcomes)
    warnings = tuple(text for outcome in outcomes for text in outcome.warnings)
    return Outcome(root, results, failures, warnings)


def opened(config: Config) -> tuple[Benchmark, RunDirectory]:
    """Open a benchmark and its directory; one that was begun keeps its number of threads."""
    bench = Benchmark.open(config)
    out = RunDirectory(Path(config.out) if config.out else default_path(bench))
    begun = out.begun.get("making", {}).get("threads")
    if isinstance(begun, int) and not config.threads:
        bench = replace(bench, config=bench.config.model_copy(update={"threads": begun}))
    return bench, out


def describe(bench: Benchmark, out: RunDirectory, pending: Sequence[Trial]) -> None:
    """Say what is about to happen."""
    splits = bench.splits
    say(
        f"{bench.faces.name}: {len(bench.classes)} classes, {len(splits.train)} faces to train, "
        f"{len(splits.validation)} to validate, {len(splits.scored)} of '{splits.scored_name}' "
        f"to score in {len(bench.cells)} cells each"
    )
    for note in bench.notes:
        say(f"  {note}")
    earlier = earlier_trials(bench, out)
    if earlier:
        say(f"  scored, but not part of this call: {'; '.join(map(str, earlier))}")
    unscored = [t for t in out.known_trials if t not in (*bench.trials, *earlier)]
    if unscored:
        say(f"  left out, lacking predictions of some cells: {'; '.join(map(str, unscored))}")
    for line in training.describe(bench, pending):
        say(line)
    if bench.entries.dataset.entry.note and not bench.models:
        say(bench.entries.dataset.entry.note)
    say(f"everything goes to {out.path}")


def to_score(bench: Benchmark, out: RunDirectory, failures: Failures) -> list[Trial]:
    """Return the trials that have logits, with those of earlier calls."""
    done = [trial for trial in bench.trials if trial not in failures]
    return [*done, *earlier_trials(bench, out)]


def warnings_of(bench: Benchmark, out: RunDirectory, trials: Sequence[Trial]) -> Iterator[str]:
    """Yield what seems to be wrong with models that came from elsewhere."""
    faces = bench.splits.scored
    for trial in trials:
        if trial.trains:
            continue
        left_out, lost = out.lost(trial)
        if left_out:
            yield (
                f"{trial}: {', '.join(left_out)} left out, which {bench.faces.name} lacks: "
                f"{100 * lost:.1f} % of its probability on clean faces"
            )
        for text in signs(out.logits(trial, CLEAN, faces.ids), faces.labels, bench.classes):
            yield f"{trial}: {text}"


def earlier_trials(bench: Benchmark, out: RunDirectory) -> list[Trial]:
    """Return the trials of earlier calls that have logits in every cell of this one."""
    return [
        trial
        for trial in out.known_trials
        if trial not in bench.trials
        and not out.missing([trial], "scored", bench.cells, bench.splits.scored.ids)
        and not out.missing(
            [trial], "validation", bench.validation_cells, bench.splits.validation.ids
        )
    ]
