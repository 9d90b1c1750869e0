"""The benchmark from end to end: train, predict, measure visibility, label, score.

Each step stores what it makes under stable names and skips what is already there, so that a run
that was stopped anywhere, by whatever, is resumed and ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import write_parquet
from ferc_core.base.progress import say, track
from ferc_core.base.seeds import slug
from ferc_core.errors import FercError, RequestError
from ferc_core.experiment import labelling, records, training
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory, default_path
from ferc_core.experiment.entries import resolve
from ferc_core.experiment.jobs import train_missing
from ferc_core.experiment.prediction import predict_missing
from ferc_core.experiment.probing import probe
from ferc_core.experiment.scoring import cases, labels_of, score
from ferc_core.suite.cells import POOLED


@dataclass(frozen=True)
class Outcome:
    """Where the results are, the scores, and what failed."""

    path: Path
    results: pl.DataFrame
    failures: Failures


def run(bench: Benchmark, out: RunDirectory) -> Outcome:
    """Carry out a benchmark in a run directory, or resume it.

    A part that fails does not stop the others; raises `FercError` when nothing can be scored.
    """
    failures = Failures(announce=len(bench.trials) > 1)
    probe(bench)
    with out.claimed(bench):
        bench = without_bad_images(bench, out.skipped, out.checked)
        images = bench.images(out.cache)
        training.check_trials(bench, images, out)
        describe(bench, out)
        train_missing(bench, images, out, failures)
        predict_missing(bench, images, out, failures)
        done = [trial for trial in bench.trials if trial not in failures]
        if not done:
            failures.raise_all()
        done += earlier_trials(bench, out)
        visible = None
        if bench.entries.label_scheme.entry.uses_visibility:
            visible = out.table(
                out.visibility(bench),
                make=lambda: labelling.measured(bench, images["scored"]),
                serves=lambda table: labelling.covers(table, bench.cells[1:]),
            )
        labelling.describe(bench, visible)
        table = labelling.label_table(bench, visible)
        write_parquet(out.labels, table, out.record | records.mixture(bench))
        labels, entries = labels_of(table, bench.cells), bench.entries
        each = cases(out, done, entries.calibrators, labels, failures)
        steps = len(done) * (1 + len(entries.calibrators)) * (len(labels) + (len(labels) > 1))
        with track("score", steps) as step:
            scores = score(each, entries.metrics, bench.config.dataset, failures, step)
        pooled = scores["corruption"] == POOLED.corruption
        out.finish(bench, scores.filter(~pooled), scores.filter(pooled))
    return Outcome(out.path, scores.filter(~pooled), failures)


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
    return Outcome(root, pl.concat(outcome.results for outcome in outcomes), failures)


def opened(config: Config) -> tuple[Benchmark, RunDirectory]:
    """Open a benchmark and its directory; one that was begun keeps its number of threads."""
    bench = Benchmark.open(config)
    out = RunDirectory(Path(config.out) if config.out else default_path(bench))
    begun = out.begun.get("making", {}).get("threads")
    if begun is not None and not config.threads:
        bench = replace(bench, config=bench.config.model_copy(update={"threads": begun}))
    return bench, out


def describe(bench: Benchmark, out: RunDirectory) -> None:
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
    for line in training.describe(bench, training.to_train(bench, out)):
        say(line)
    if bench.entries.dataset.entry.note and not bench.models:
        say(bench.entries.dataset.entry.note)
    say(f"everything goes to {out.path}")


def earlier_trials(bench: Benchmark, out: RunDirectory) -> list[Trial]:
    """Return the trials of earlier calls that have logits in every cell of this one."""
    return [
        trial
        for trial in out.known_trials
        if trial not in bench.trials
        and not out.missing([trial], "scored", bench.cells)
        and not out.missing([trial], "validation", bench.validation_cells)
    ]
