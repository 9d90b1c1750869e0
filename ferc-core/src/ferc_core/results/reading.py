"""The scores of run directories, of files that `ferc score --out` writes, and of result cards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import read_json, read_parquet
from ferc_core.base.progress import say, track
from ferc_core.base.tables import checked
from ferc_core.errors import DataError, FercError, RequestError, as_failure
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.calibration import SCHEMA as PARAMETERS
from ferc_core.experiment.cases import Case, averaged, cases, labels_of
from ferc_core.experiment.config import read_toml
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.manifest import checked_manifest
from ferc_core.experiment.scoring import SCHEMA, score
from ferc_core.plugins.host import registry
from ferc_core.results.cards import SUFFIX, Card, read_card
from ferc_core.results.ensembles import ensembles_in, members_of
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import Cell

TRIAL_COLUMNS = ("dataset", "method", "loss", "calibrator", "noise", "seed")
CELL_COLUMNS = ("corruption", "severity")
SCORES = (".parquet", SUFFIX)  # suffixes of files


@dataclass(frozen=True)
class Source:
    """Scores with where they are from.

    out:    the run directory, None for a file of scores or a card
    config: its configuration, empty where there is none that can be read
    apart:  what tells it from others beside it, by name of the column; see `side_by_side`
    card:   the result card that the scores are from
    """

    path: Path
    scores: pl.DataFrame = field(repr=False)
    out: RunDirectory | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    apart: Mapping[str, Any] = field(default_factory=dict)
    card: Card | None = field(default=None, repr=False)

    @property
    def directory(self) -> RunDirectory:
        """The run directory; raises `DataError` for scores alone."""
        if self.out is None or not self.out.labels.exists():
            raise DataError(
                f"{self.path} has scores alone, without labels.parquet and predictions, which this "
                "takes; use the directory of a ferc run"
            )
        return self.out

    @property
    def warnings(self) -> tuple[str, ...]:
        """What seemed to be wrong with the models."""
        if self.card is not None:
            return tuple(self.card.warnings)
        return () if self.out is None else self.out.warnings

    @property
    def manifest(self) -> dict[str, Any]:
        """What is known of how the run was made; raises `DataError` where nothing is."""
        if self.card is not None:
            return self.card.run.model_dump()
        if self.out is None:
            raise DataError(f"{self.path} has scores alone, without a manifest")
        return checked_manifest(read_json(self.out.manifest), self.out.manifest)

    def with_scores(self, scores: pl.DataFrame) -> Source:
        """Return some of the scores, or others."""
        return replace(self, scores=scores)

    def with_more(self, scores: pl.DataFrame) -> Source:
        """Return further scores, too, told apart like the others."""
        told = scores.with_columns(**{name: pl.lit(value) for name, value in self.apart.items()})
        return self.with_scores(pl.concat([self.scores, told.select(self.scores.columns)]))


def sources_in(paths: Iterable[Path | str], failures: Failures) -> list[Source]:
    """Return the scores in some places: run directories, folders of several, files of scores.

    Metrics that are new since are computed from the stored predictions; one that cannot be goes
    into ``failures``. Raises `FercError` where there is nothing to read.
    """
    found = []
    for path in dict.fromkeys(map(Path, paths)):
        if path.suffix in SCORES and not path.is_dir():
            found.append(source_in(path))
            continue
        for out in run_directories(path):
            found.append(Source(out.path, results_of(out, failures), out, config_of(out)))
    return found


def source_in(path: Path) -> Source:
    """Return the scores in a file: those of ``ferc score``, or a result card."""
    if path.suffix != SUFFIX:
        return Source(path, read_scores(path))
    card, frame = read_card(path)
    return Source(path, checked_scores(frame, path), config=card.settings, card=card)


def run_directories(path: Path) -> list[RunDirectory]:
    """Return the run directory at a path, or all in a folder."""
    if not path.is_dir():
        raise RequestError(f"{path} is not a run directory")
    if RunDirectory(path).results.exists():
        return [RunDirectory(path)]
    children = [RunDirectory(child) for child in folders_in(path)]
    children = [child for child in children if child.results.exists()]
    if not children:
        raise DataError(f"{path} has no results yet; rerun the `ferc run` that started it")
    return children


def folders_in(path: Path) -> list[Path]:
    """Return the folders in a folder; links to others are left out, which is said."""
    try:
        found = [child for child in sorted(path.iterdir()) if child.is_dir()]
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    linked = [child for child in found if child.is_symlink()]
    for child in linked:
        say(f"{child} is a link and left out; name what it leads to")
    return [child for child in found if child not in linked]


def results_of(out: RunDirectory, failures: Failures) -> pl.DataFrame:
    """Return the tidy scores of one run directory, with those of metrics that are new since."""
    frame = read_scores(out.results)
    known = set(frame["metric"].unique())
    metrics = registry().metrics
    new = [name for name, m in metrics.items() if name not in known and m.in_every_run]
    if not (new and out.labels.exists()):
        return frame  # without labels the table came alone, and is all there is
    try:
        return pl.concat([frame, scores_of(out, frame, new, failures)])
    except BaseException as error:  # what there is is shown all the same
        failures.add(f"metrics {', '.join(new)}", as_failure(error))
        return frame


def read_scores(path: Path) -> pl.DataFrame:
    """Return the tidy scores in a file; raises `DataError` for what are none.

    A score may be undefined; all else must be there, and every row once.
    """
    return checked_scores(read_parquet(path), path)


def checked_scores(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return the tidy scores of a file; raises `DataError` for what are none."""
    frame = checked(frame, SCHEMA, path, undefined=("value",)).select(*SCHEMA)
    if frame.is_empty():
        raise DataError(f"{path} has no rows")
    if not frame["noise"].is_between(0, 1).all():
        raise DataError(f"{path}: column 'noise' has a value outside [0, 1]")
    keys = [*TRIAL_COLUMNS, *CELL_COLUMNS, "metric"]
    for row in frame.filter(frame.select(keys).is_duplicated()).select(keys).head(1).iter_rows():
        described = ", ".join(f"{name} {value}" for name, value in zip(keys, row, strict=True))
        raise DataError(f"{path} has two rows with {described}")
    return frame


def with_metrics(source: Source, names: Sequence[str], failures: Failures) -> Source:
    """Return a source with the scores by these metrics, computed from its predictions where it
    lacks them. Raises `UnknownNameError` for a metric that nobody knows.
    """
    there = set(source.scores["metric"].unique())
    lacking = [name for name in names if name not in there]
    if not lacking:
        return source
    return source.with_more(scores_of(source.directory, source.scores, lacking, failures))


def with_ensembles(source: Source, failures: Failures) -> Source:
    """Return a source with the scores of an ensemble of every trial that has several seeds, by the
    metrics that it has. Raises `RequestError` where there is none.
    """
    metrics = [n for n in source.scores["metric"].unique(maintain_order=True)
               if n in registry().metrics]  # fmt: skip
    trials = ensembles_in(calibrators_of(source.scores), str(source.path))
    return source.with_more(scores_of(source.directory, source.scores, metrics, failures, trials))


def scores_of(
    out: RunDirectory,
    frame: pl.DataFrame,
    metrics: Sequence[str],
    failures: Failures,
    trials: Mapping[Trial, Sequence[str]] | None = None,
) -> pl.DataFrame:
    """Return the scores by some metrics in all cells of a table, of its trials or of these."""
    chosen = [registry().metrics.choose(name) for name in metrics]
    needs = {name for metric in chosen for name in metric.entry.needs}
    trials = calibrators_of(frame) if trials is None else trials
    with track("score", sum(map(len, trials.values())) * len(cells_of(frame))) as step:
        each = cases_in(out, frame, failures, needs, trials)
        return score(each, chosen, frame["dataset"][0], failures, step)


def cases_in(
    out: RunDirectory,
    frame: pl.DataFrame,
    failures: Failures,
    needs: Collection[str] = (),
    trials: Mapping[Trial, Sequence[str]] | None = None,
) -> Iterator[Case]:
    """Yield the stored predictions in all cells of a table, of its trials with their calibrators or
    of these; an ensemble is one of trials of the table.
    """
    known = calibrators_of(frame)
    labels = labels_of(out.read_labels(), cells_of(frame))
    for trial, names in (known if trials is None else trials).items():
        chosen = [registry().calibrators.choose(n) for n in names if n != UNCALIBRATED]
        members = members_of(trial, known)
        each = [
            cases(out, [one], chosen, labels, failures, needs=needs, pooled=False)
            for one in members or [trial]
        ]
        for case in averaged(trial, each) if members else each[0]:
            if case.calibrator in names:
                yield case


def cells_of(frame: pl.DataFrame) -> list[Cell]:
    """Return the cells that a table of scores has, in its order."""
    return [Cell(*cell) for cell in frame.select(CELL_COLUMNS).unique(maintain_order=True).rows()]


def calibrators_of(frame: pl.DataFrame) -> dict[Trial, list[str]]:
    """Return the trials that a table of scores has, and the calibrators of each."""
    columns = ("method", "loss", "noise", "seed", "calibrator")
    found: dict[Trial, list[str]] = {}
    for *trial, calibrator in frame.select(columns).unique(maintain_order=True).iter_rows():
        found.setdefault(Trial(*trial), []).append(calibrator)
    return found


def parameters_in(sources: Iterable[Source]) -> pl.DataFrame:
    """Return what calibrators were fitted to in some runs, as far as it was kept."""
    found = []
    for source in sources:
        if source.out is not None and source.out.calibrators.exists():
            path = source.out.calibrators
            frame = checked(read_parquet(path), PARAMETERS, path).select(*PARAMETERS)
            apart = {name: pl.lit(value) for name, value in source.apart.items()}
            found.append(frame.with_columns(**apart))
    return pl.concat(found, how="diagonal_relaxed") if found else pl.DataFrame(schema=PARAMETERS)


def config_of(out: RunDirectory) -> dict[str, Any]:
    """Return the configuration of a run, empty where there is none that can be read."""
    with suppress(FercError):
        return read_toml(out.config)
    return {}


def sizes_of(configs: Iterable[Mapping[str, Any]]) -> str:
    """Say at which size the images of some runs were corrupted, "" where nothing says it.

    >>> sizes_of([{"image_size": 64}, {"image_size": 224}])
    'Images were corrupted at 64x64 and 224x224 pixels.'
    """
    found = {config.get("image_size") for config in configs}
    sides = sorted(side for side in found if isinstance(side, int) and side > 0)
    shown = " and ".join(f"{side}x{side}" for side in sides)
    return f"Images were corrupted at {shown} pixels." if shown else ""
