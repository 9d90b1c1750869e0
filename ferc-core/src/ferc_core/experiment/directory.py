"""A run directory: where everything that a run makes is stored, and what it belongs to.

config.toml            the resolved configuration
manifest.json          what was made from what: versions, platform, device, settings, data, dates
checkpoints/TRIAL.safetensors, TRIAL.json   the trained model, and what it was made from
predictions/TRIAL/CORRUPTION-SEVERITY.parquet   logits of every sample
predictions/TRIAL/validation.parquet            logits on the clean validation split
predictions/TRIAL/validation-CORRUPTION-SEVERITY.parquet   for calibrators fitted on all cells
visibility/FUNCTION-SCOPE.parquet               degradation and visibility of every cell
labels.parquet         hard and soft label of every sample in every cell
results.parquet        tidy scores: a row for each trial, calibrator, cell and metric
pooled.parquet         the same, pooled over all corrupted images
calibrators.parquet    what was fitted: temperatures and other small parameters
checked.json, skipped.txt   with ``--on-bad-image skip``: images that cannot be used
cache/                 with ``--cache``: resized images; may be deleted

Every file says what it was made from, and is used only where that is what is asked for: a file
that is damaged, or of something else, is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.claims import claimed, locked, others, sharing
from ferc_core.base.files import (
    OURS,
    UNFINISHED,
    Held,
    digest_of,
    names_in,
    read_json,
    read_table,
    sweep,
    write_json,
    write_parquet,
    write_text,
)
from ferc_core.base.paths import expanded, with_absolute_paths
from ferc_core.base.progress import say
from ferc_core.base.seeds import slug
from ferc_core.base.tables import matrix
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment import records
from ferc_core.experiment.answers import (
    FEATURES,
    TARGET,
    Answers,
    as_table,
    checked_logits,
    content_of,
    features_in,
    lost_in,
    record_of,
    unlike,
)
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.calibration import Validation
from ferc_core.experiment.manifest import checked_manifest
from ferc_core.faces import FaceSplit
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import checked_labels

SCORES = "scores"  # the claim of who writes labels, scores or intervals
HAS_FEATURES = "ferc.features"  # in the metadata of logits: "no" where the model has none


class RunDirectory:
    """Paths, tables and identity of one run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path = expanded(path)
        self.config = path / "config.toml"
        self.manifest = path / "manifest.json"
        self.labels = path / "labels.parquet"
        self.results = path / "results.parquet"
        self.pooled = path / "pooled.parquet"
        self.calibrators = path / "calibrators.parquet"
        self.skipped = path / "skipped.txt"
        self.checked = path / "checked.json"
        self.cache = path / "cache"
        self.record: dict[str, str] = {}  # what the metadata of every file says about its making
        self.keep_features = False
        self._found: set[Path] = set()  # files of logits that can be used

    def __getstate__(self) -> dict[str, Any]:
        return with_absolute_paths({**self.__dict__, "_found": set()})

    def checkpoint(self, trial: Trial) -> Path:
        """The trained model of a trial."""
        return self.path / "checkpoints" / f"{trial.name}.safetensors"

    def training(self, trial: Trial) -> Path:
        """The state of a training that has not ended."""
        return self.path / "checkpoints" / f"{trial.name}.training"

    def predictions(self, trial: Trial, part: str, cell: Cell) -> Path:
        """The logits of a trial in a cell, of the part "scored" or "validation"."""
        name = f"{slug(cell.corruption)}-{cell.severity}"
        if part == "validation":
            name = part if cell == CLEAN else f"{part}-{name}"
        return self.path / "predictions" / trial.name / f"{name}.parquet"

    def visibility(self, bench: Benchmark) -> Path:
        """The visibilities of every cell by the configured function and scope."""
        config = bench.config
        name = f"{slug(config.visibility)}-{config.visibility_scope}.parquet"
        return self.path / "visibility" / name

    def made_from(self, trial: Trial) -> dict[str, str]:
        """What the files of a trial say about their making."""
        return {**self.record, "ferc.key": self.keys[trial]}

    def made_of(self, trial: Trial) -> Path:
        """What the checkpoint of a trial was made from, and its hash."""
        return self.path / "checkpoints" / f"{trial.name}.json"

    def model(self, trial: Trial) -> str:
        """Return the hash of the checkpoint that a trial has, or had; "" where it has none."""
        with suppress(DataError):
            found = read_json(self.made_of(trial))
            if isinstance(found, dict):
                return str(found.get("ferc.checkpoint", ""))
        return ""

    def add_checkpoint(self, trial: Trial, file: Path) -> None:
        """Record what the checkpoint of a trial, still under another name, is made from."""
        digest = digest_of(file)
        write_json(self.made_of(trial), {**self.made_from(trial), "ferc.checkpoint": digest})

    def has_checkpoint(self, trial: Trial) -> bool:
        """Whether a trial has a checkpoint that can be used; says why not where it has another."""
        path = self.checkpoint(trial)
        if not path.exists():
            return False
        reason = "nothing says what it was made from"
        with suppress(DataError):
            found = read_json(self.made_of(trial))
            reason = records.difference(found, self.made_from(trial))
            if not reason and found.get("ferc.checkpoint") != digest_of(path):
                reason = "it is damaged"
        if reason:
            say(f"{path} cannot be used, since {reason}; it is made again")
        return not reason

    def missing(
        self, trials: Sequence[Trial], part: str, cells: Sequence[Cell], ids: Sequence[str]
    ) -> dict[Cell, list[Trial]]:
        """Return the cells that lack logits of these samples, each with the trials that do."""
        lacking = {
            cell: [t for t in trials if not self.has_logits(t, part, cell, ids)] for cell in cells
        }
        return {cell: trials for cell, trials in lacking.items() if trials}

    def has_logits(self, trial: Trial, part: str, cell: Cell, ids: Sequence[str]) -> bool:
        """Whether there are logits that can be used; says why not where there are others."""
        path = self.predictions(trial, part, cell)
        if path not in self._found and path.exists():
            try:
                frame, record = self._stored(path, trial, cell, ids)
                if FEATURES in frame.columns or HAS_FEATURES in record or not self.keep_features:
                    self._found.add(path)
            except DataError as error:
                say(f"{error}; it is made again")
        return path in self._found

    def add_logits(
        self,
        trial: Trial,
        part: str,
        cell: Cell,
        ids: Sequence[str],
        answers: Answers,
        faces: FaceSplit | None = None,
    ) -> None:
        """Store the logits of a trial in a cell; validation keeps the labels of its ``faces``."""
        frame = as_table(cell, ids, answers, faces)
        path = self.predictions(trial, part, cell)
        record = {"ferc.checkpoint": self.model(trial), **record_of(frame, answers)}
        if self.keep_features and answers.features is None:
            record[HAS_FEATURES] = "no"
        write_parquet(path, frame, {**self.made_from(trial), **record})
        self._found.add(path)

    def logits(
        self, trial: Trial, cell: Cell = CLEAN, ids: Sequence[str] | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the logits [N, K] of a trial in a cell of the scored split, for these samples.

        Raises `DataError` where the file is damaged, of other samples, or of another trial.
        """
        return self.answers(trial, cell, ids).logits.astype(np.float64)

    def answers(
        self, trial: Trial, cell: Cell, ids: Sequence[str] | None, features: bool = False
    ) -> Answers:
        """Return what `logits` returns, and where asked for the features that are kept."""
        path = self.predictions(trial, "scored", cell)
        frame, _ = self._stored(path, trial, cell, ids)
        return Answers(
            matrix(frame["logits"]), features=features_in(frame, path) if features else None
        )

    def lost(self, trial: Trial, cell: Cell = CLEAN) -> tuple[tuple[str, ...], float]:
        """Return the outputs of a model that the dataset lacks, and their mean probability."""
        return lost_in(self.predictions(trial, "scored", cell))

    def validation(self, trial: Trial, cells: Sequence[Cell]) -> Validation:
        """Return what a trial says of the validation split in some cells, the first of them clean.

        Raises `DataError` where a file is damaged, of other samples, or of another trial.
        """
        ids, parts = None, []
        for number, cell in enumerate(cells):
            path = self.predictions(trial, "validation", cell)
            frame, _ = self._stored(path, trial, cell, ids)
            ids = frame["sample"].to_list()
            logits, labels = matrix(frame["logits"]), frame["label"].to_numpy()
            soft = matrix(frame[TARGET]) if TARGET in frame.columns else None
            domains, features = np.full(len(frame), number), features_in(frame, path)
            parts.append(Validation(logits, labels, domains, soft, features))
        return Validation.together(parts)

    def _stored(
        self, path: Path, trial: Trial, cell: Cell | None, ids: Sequence[str] | None = None
    ) -> tuple[pl.DataFrame, dict[str, str]]:
        """Return a table of logits with its metadata; raises `DataError` unless it is whole and of
        this trial, this cell and these samples.
        """
        if trial not in self.keys:
            raise DataError(
                f"{self.manifest} says nothing of {trial}, so {path} cannot be trusted; rerun the "
                "ferc run that made it"
            )
        frame, record = read_table(path)
        frame = checked_logits(frame, path, self.classes)
        reason = records.difference(record, self.made_from(trial))
        if not reason and self.model(trial) not in ("", record.get("ferc.checkpoint")):
            reason = "it is of another model"
        reason = reason or unlike(frame, cell, ids)
        if not reason and content_of(frame) != record.get("ferc.content"):
            reason = "it is damaged"
        if reason:
            raise DataError(f"{path} cannot be used, since {reason}")
        return frame, record

    def table(
        self,
        path: Path,
        make: Callable[[], pl.DataFrame],
        serves: Callable[[pl.DataFrame], bool],
        made_from: Mapping[str, str],
    ) -> pl.DataFrame:
        """Return a stored table, made and stored first where there is none that ``serves`` and
        says that it was made from this.
        """
        if path.exists():
            try:
                stored, record = read_table(path)
                if not records.difference(record, made_from) and serves(stored):
                    return stored
            except DataError as error:
                say(f"{error}; it is made again")
        made = make()
        write_parquet(path, made, made_from)
        return made

    def write_labels(self, bench: Benchmark, labels: pl.DataFrame) -> None:
        """Store the labels."""
        write_parquet(self.labels, labels, self.record | records.mixture(bench))

    def read_labels(self) -> pl.DataFrame:
        """Return the labels that the results were scored against; raises `DataError` for others."""
        labels, results = read_table(self.labels)[0], read_table(self.results)[1]
        if results.get("ferc.labels") != digest_of(self.labels):
            raise DataError(
                f"{self.labels} does not hold the labels that {self.results.name} was scored "
                "against; rerun the ferc run that made it"
            )
        return checked_labels(labels, self.labels)

    def finish(
        self,
        bench: Benchmark,
        results: pl.DataFrame,
        pooled: pl.DataFrame,
        parameters: pl.DataFrame,
        warnings: Sequence[str] = (),
    ) -> None:
        """Store the scores with what seems to be wrong with them, and the date in the manifest."""
        judged = self.record | records.mixture(bench) | {"ferc.labels": digest_of(self.labels)}
        judged |= records.of_warnings(warnings)
        write_parquet(self.results, results, judged)
        write_parquet(self.pooled, pooled, judged)
        write_parquet(self.calibrators, parameters, judged)
        self.note(ended=records.now())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What seemed to be wrong with the models that the results are of."""
        return records.warnings_in(read_table(self.results)[1], self.results)

    def note(self, **circumstances: str) -> None:
        """Record a circumstance in the manifest."""
        with locked(self.path):
            known = read_json(self.manifest)
            if {**known, **circumstances} != known:
                write_json(self.manifest, {**known, **circumstances})

    @property
    def has_work(self) -> bool:
        """Whether anything is there that took work to make."""
        below = self.path / "predictions"
        folders = self.path / "checkpoints", *(below / name for name in names_in(below))
        return any(names_in(folder) for folder in folders)

    @property
    def begun(self) -> dict[str, Any]:
        """What the manifest of earlier work says, empty where there is none that can be read.

        Raises `DataError` for the manifest of something else.
        """
        try:
            found = read_json(self.manifest)
        except DataError:
            return {}
        return checked_manifest(found, self.manifest)

    @cached_property
    def classes(self) -> int:
        """The number of classes, once there is a manifest."""
        return len(checked_manifest(read_json(self.manifest), self.manifest)["classes"])

    @cached_property
    def keys(self) -> dict[Trial, str]:
        """What the files of each known trial were made from."""
        fields = ("method", "loss", "noise", "seed")
        trials = self.begun.get("trials", {}).values()
        return {Trial(**{name: each[name] for name in fields}): each["key"] for each in trials}

    @property
    def known_trials(self) -> list[Trial]:
        """The trials that earlier calls were to train or to open."""
        return list(self.keys)

    @contextmanager
    def claimed(self, bench: Benchmark) -> Iterator[Held]:
        """Work in the directory, perhaps beside other processes, and record what is made from what.

        Raises `RequestError` when it was made by other versions, with other settings or from other
        data, or is no run directory.
        """
        there = [n for n in names_in(self.path) if n not in OURS and not UNFINISHED.fullmatch(n)]
        if there and self.manifest.name not in there:
            raise RequestError(
                f"{self.path} holds {there[0]} and is not a run directory, for it has no "
                f"{self.manifest.name}; choose another directory with --out"
            )
        with sharing(self.path) as held:
            with locked(self.path):
                self._begin(bench, alone=not others(self.path, mine=1))
            yield held

    def _begin(self, bench: Benchmark, alone: bool) -> None:
        """Put a locked directory in order and write its manifest; see `claimed`."""
        if alone:
            sweep(self.path)
        identity, begun = records.identity(bench), self.begun
        if self.manifest.exists() and not begun:
            say(f"{self.manifest} cannot be read; it is made again")
        earlier = begun if self.has_work or not alone else {}
        if earlier:
            records.refuse_other(self.path, earlier, identity)
            identity["versions"] = {**earlier["versions"], **identity["versions"]}
        circumstances = records.circumstances(bench, earlier.get("trials", {}))
        circumstances |= {k: earlier[k] for k in ("begun", "device") if k in earlier}
        self.keys = records.keys_of(bench) if not earlier else self.keys | records.keys_of(bench)
        write_json(self.manifest, {**identity, **circumstances})
        whole = bench.config.model_copy(update={"part": ""})
        write_text(self.config, whole.to_toml())
        self.record = records.of_tables(identity)
        self.keep_features = bench.config.keep_features

    def claim(self, name: str) -> AbstractContextManager[bool]:
        """Claim a part of the work; False where another process has it."""
        return claimed(self.path, name)
