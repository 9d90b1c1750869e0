"""A run directory: where everything that a run makes is stored, and what it belongs to.

config.toml            the resolved configuration
manifest.json          what was made from what: versions, platform, device, settings, data, dates
checkpoints/TRIAL.safetensors
predictions/TRIAL/CORRUPTION-SEVERITY.parquet   logits of every sample
predictions/TRIAL/validation.parquet            logits on the clean validation split
predictions/TRIAL/validation-CORRUPTION-SEVERITY.parquet   for calibrators fitted on all cells
visibility/FUNCTION-SCOPE.parquet               degradation and visibility of every cell
labels.parquet         hard and soft label of every sample in every cell
results.parquet        tidy scores: a row for each trial, calibrator, cell and metric
pooled.parquet         the same, pooled over all corrupted images
checked.json, skipped.txt   with ``--on-bad-image skip``: images that cannot be used
cache/                 with ``--cache``: resized images; may be deleted
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.files import (
    claim,
    read_json,
    read_parquet,
    write_json,
    write_parquet,
    write_text,
)
from ferc_core.base.seeds import key, slug
from ferc_core.base.tables import column, matrix
from ferc_core.experiment import records
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.suite.cells import CLEAN, Cell

Logits = npt.NDArray[np.floating[Any]]


class RunDirectory:
    """Paths, tables and identity of one run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path = path.expanduser()
        self.config = path / "config.toml"
        self.manifest = path / "manifest.json"
        self.labels = path / "labels.parquet"
        self.results = path / "results.parquet"
        self.pooled = path / "pooled.parquet"
        self.skipped = path / "skipped.txt"
        self.checked = path / "checked.json"
        self.cache = path / "cache"
        self.record: dict[str, str] = {}  # what the metadata of a table says about its making

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

    def missing(
        self, trials: Sequence[Trial], part: str, cells: Sequence[Cell]
    ) -> dict[Cell, list[Trial]]:
        """Return the cells that lack logits, each with the trials that lack them."""
        lacking = {
            cell: [t for t in trials if not self.predictions(t, part, cell).exists()]
            for cell in cells
        }
        return {cell: trials for cell, trials in lacking.items() if trials}

    def add_logits(
        self,
        trial: Trial,
        part: str,
        cell: Cell,
        ids: Sequence[str],
        logits: Logits,
        labels: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Store the logits [N, K] of a trial in a cell; validation keeps its ``labels``, too."""
        known = {} if labels is None else {"label": labels}
        frame = pl.DataFrame(
            {"sample": ids, "logits": column(logits.astype(np.float32)), **known}
        ).select(
            "sample",
            pl.lit(cell.corruption).alias("corruption"),
            pl.lit(cell.severity, pl.Int64).alias("severity"),
            pl.exclude("sample"),
        )
        write_parquet(self.predictions(trial, part, cell), frame, self.record)

    def logits(self, trial: Trial, cell: Cell = CLEAN) -> npt.NDArray[np.float64]:
        """Return the logits [N, K] of a trial in a cell of the scored split."""
        return matrix(read_parquet(self.predictions(trial, "scored", cell))["logits"])

    def validation(
        self, trial: Trial, domains: bool = False
    ) -> tuple[Logits, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return logits [M, K], labels [M] and numbers of the cells [M] of the validation split.

        In the clean cell, or for ``domains`` in all cells that are stored.
        """
        files = [self.predictions(trial, "validation", CLEAN)]
        if domains:
            files += sorted(files[0].parent.glob("validation-*.parquet"))
        tables = [read_parquet(path) for path in files]
        return (
            np.concatenate([matrix(table["logits"]) for table in tables]),
            np.concatenate([table["label"].to_numpy() for table in tables]),
            np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
        )

    def table(
        self,
        path: Path,
        make: Callable[[], pl.DataFrame],
        serves: Callable[[pl.DataFrame], bool],
    ) -> pl.DataFrame:
        """Return a stored table, made and stored first where there is none that ``serves``."""
        if path.exists():
            stored = read_parquet(path)
            if serves(stored):
                return stored
        made = make()
        write_parquet(path, made, self.record)
        return made

    def write_labels(self, bench: Benchmark, labels: pl.DataFrame) -> None:
        """Store the labels."""
        write_parquet(self.labels, labels, self.record | records.mixture(bench))

    def finish(self, bench: Benchmark, results: pl.DataFrame, pooled: pl.DataFrame) -> None:
        """Store the scores, and the date in the manifest."""
        judged = self.record | records.mixture(bench)
        write_parquet(self.results, results, judged)
        write_parquet(self.pooled, pooled, judged)
        self.note(ended=records.now())

    def note(self, **circumstances: str) -> None:
        """Record a circumstance in the manifest."""
        write_json(self.manifest, {**read_json(self.manifest), **circumstances})

    @property
    def has_work(self) -> bool:
        """Whether anything is there that took work to make."""
        made = ("checkpoints/*/*", "checkpoints/*.safetensors", "predictions/*/*")
        return any(next(self.path.glob(pattern), None) for pattern in made)

    @cached_property
    def begun(self) -> dict[str, Any]:
        """What the manifest of earlier work says, empty where there is none."""
        found: dict[str, Any] = read_json(self.manifest) if self.manifest.exists() else {}
        return found

    @property
    def known_trials(self) -> list[Trial]:
        """The trials that earlier calls were to train or to open."""
        fields = ("method", "loss", "noise", "seed")
        trials = self.begun.get("trials", {}).values()
        return [Trial(**{name: trial[name] for name in fields}) for trial in trials]

    @contextmanager
    def claimed(self, bench: Benchmark) -> Iterator[RunDirectory]:
        """Hold the directory for one process, and record what is made in it from what.

        Raises `RequestError` when another process holds it, or when it was made by other
        versions, with other settings or from other data.
        """
        with claim(self.path):
            identity = records.identity(bench)
            earlier = self.begun if self.has_work else {}
            if earlier:
                records.refuse_other(self.path, earlier, identity)
                identity["versions"] = {**earlier["versions"], **identity["versions"]}
            circumstances = records.circumstances(bench, earlier.get("trials", {}))
            circumstances |= {k: earlier[k] for k in ("begun", "device") if k in earlier}
            manifest = {**identity, **circumstances}
            write_json(self.manifest, manifest)
            write_text(self.config, bench.config.to_toml())
            self.record = records.of_tables(identity)
            yield self


def default_path(bench: Benchmark) -> Path:
    """Return ``ferc-runs/DATASET-KEY``, the same for the same making and data."""
    making = {**bench.config.making(), "data": bench.faces.fingerprint}
    del making["threads"]  # the number of cores does not ask for another directory
    return Path("ferc-runs") / f"{bench.faces.name}-{key(json.dumps(making), size=4).hex()}"
