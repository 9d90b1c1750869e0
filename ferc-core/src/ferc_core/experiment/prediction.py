"""The predictions of a plan: logits of every run in every cell, stored where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.calls import parse_call
from ferc_core.base.files import write_parquet
from ferc_core.base.progress import Advance, Watcher
from ferc_core.errors import FercError, as_failure
from ferc_core.experiment.benchmark import Plan, Run
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.readying import keep_images
from ferc_core.plugins.host import registry
from ferc_core.spec import Predictor
from ferc_core.suite.corrupt import CLEAN, Cell, Suite
from ferc_core.suite.layout import open_build

Place = Callable[[Run, Cell], Path]


def predict(
    plan: Plan,
    directory: RunDirectory,
    runs: Sequence[Run],
    record: dict[str, str],
    watcher: Watcher,
) -> dict[Run, FercError]:
    """Store all logits that are missing; returns the causes for the runs that failed.

    The scored images are predicted in all forms. So are those of validation where a calibrator
    is fitted on all forms, and else in their clean form alone.
    """
    models = Models(plan, directory, watcher)
    scored = plan.suite
    if plan.config.build:
        scored = replace(scored, corruptor=open_build(Path(plan.config.build)))
    validation = replace(plan.suite, pictures=plan.pictures["validation"])
    fitted_on = validation_forms(plan)
    known = {"label": pl.Series(validation.pictures.faces.labels)}
    work: tuple[tuple[str, Suite, Sequence[Cell], Place, dict[str, pl.Series]], ...] = (
        ("validation", validation, fitted_on, directory.validation, known),
        ("scored", scored, plan.forms, directory.predictions, {}),
    )
    for part, suite, forms, place, more in work:
        missing = {cell: [r for r in runs if not place(r, cell).exists()] for cell in forms}
        missing = {cell: runs for cell, runs in missing.items() if runs}
        if not missing:
            continue
        keep_images(plan, directory, (part,), watcher)
        with watcher.track(f"predict {part}", len(missing) * len(suite.ids)) as step:
            fill(suite, missing, place, models, more, record, step)
    return models.failed


class Models:
    """The trained models of a plan, loaded when first asked; one that fails is not asked again."""

    def __init__(self, plan: Plan, directory: RunDirectory, watcher: Watcher) -> None:
        self.plan, self.directory, self.watcher = plan, directory, watcher
        self.loaded: dict[Run, Predictor] = {}
        self.failed: dict[Run, FercError] = {}

    def logits(self, run: Run, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
        """Return the logits of a run, or None if it fails or has failed."""
        if run in self.failed:
            return None
        try:
            if run not in self.loaded:
                self.loaded[run] = load(self.plan, self.directory, run)
            return self.loaded[run].logits(images)
        except Exception as error:  # whatever a method of anybody's raises, the others go on
            self.failed[run] = as_failure(error)
            self.watcher.say(f"{run} failed: {self.failed[run]}")
            return None


def fill(
    suite: Suite,
    missing: dict[Cell, list[Run]],
    place: Place,
    models: Models,
    more: dict[str, pl.Series],
    record: dict[str, str],
    step: Advance,
) -> None:
    """Store the missing logits of a suite, a file for each run and cell; ``more`` are columns."""
    parts: dict[Run, list[np.ndarray]] = {}
    for cell, rows, images in suite.chunks(list(missing)):
        for run in missing[cell]:
            logits = models.logits(run, images)
            if logits is not None:
                parts.setdefault(run, []).append(logits)
        if rows.stop == len(suite.ids):
            for run, found in parts.items():
                if run not in models.failed:
                    frame = predictions_frame(suite.ids, np.concatenate(found), cell)
                    write_parquet(place(run, cell), frame.with_columns(**more), record)
            parts.clear()
        step(len(images), str(cell))


def validation_forms(plan: Plan) -> tuple[Cell, ...]:
    """Return the forms of the validation images that the calibrators are fitted on."""
    calibrators = registry().calibrators
    names = [parse_call(text).name for text in plan.config.calibrators]
    return plan.forms if any(calibrators[name].domains for name in names) else (CLEAN,)


def load(plan: Plan, directory: RunDirectory, run: Run) -> Predictor:
    """Return the trained model of a run."""
    method = registry().methods[parse_call(run.method).name]
    return method.load_predictor(directory.checkpoint(run), plan.config.device)


def predictions_frame(ids: Sequence[str], logits: np.ndarray, cell: Cell) -> pl.DataFrame:
    """Return predictions as a table: sample, corruption, severity, logits."""
    frame = pl.DataFrame(
        {"sample": ids, "logits": logits.tolist()},
        schema={"sample": pl.String, "logits": pl.List(pl.Float32)},
    )
    return frame.select(
        "sample",
        pl.lit(cell.corruption).alias("corruption"),
        pl.lit(cell.severity, pl.Int64).alias("severity"),
        "logits",
    )
