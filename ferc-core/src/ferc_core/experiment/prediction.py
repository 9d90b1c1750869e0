"""The predictions of a benchmark: logits of every trial in every cell, where they are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from ferc_core.base.claims import until_done
from ferc_core.base.failures import Failures
from ferc_core.base.progress import Advance, ignore, say, track
from ferc_core.base.seeds import slug
from ferc_core.base.shares import share
from ferc_core.errors import FercError
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.models import Models
from ferc_core.experiment.sanity import signs
from ferc_core.experiment.sites import Images, Site, elsewhere, spread
from ferc_core.images.store import ImageStore, keep
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.corrupt import Suite
from ferc_core.suite.layout import open_build

BUDGET = 1 << 30  # bytes of trained models, and of their answers in a cell, in memory at a time
LOGIT, FEATURES = 8, 4096  # bytes of a logit, and of an image's features, on their way to a file

Todo = Mapping[Cell, Sequence[Trial]]  # what lacks logits


def predict_missing(bench: Benchmark, site: Site, out: RunDirectory, failures: Failures) -> None:
    """Store all logits that are missing; trials that fail go into ``failures``.

    The scored images are predicted in all cells. So are those of validation where a calibrator
    is fitted on all cells, and else in the clean one alone. What another process is about is
    waited for, and done here where that process ends.
    """
    _, images = site.open()
    part_of_work = share(bench.config.part)
    for part, cells in (("validation", bench.validation_cells), ("scored", bench.cells)):
        trials = [trial for trial in bench.trials if trial not in failures]
        mine = cells if part == "validation" else part_of_work.of(cells)
        todo = out.missing([t for t in trials if not t.trains], part, mine, images[part].ids)
        trained = part_of_work.of([t for t in bench.trials if t.trains])
        owned = [trial for trial in trained if trial in trials]
        for cell, lacking in out.missing(owned, part, cells, images[part].ids).items():
            todo[cell] = [*todo.get(cell, ()), *lacking]
        kept = FEATURES if bench.config.keep_features else 0
        size = len(images[part]) * (len(bench.classes) * LOGIT + kept)
        for group in affordable(dict.fromkeys(t for ts in todo.values() for t in ts), out, size):
            these = {c: [t for t in ts if t in group] for c, ts in todo.items()}
            work = Prediction(site, out, part, failures)
            predict_group(bench, work, {c: ts for c, ts in these.items() if ts})


def predict_group(bench: Benchmark, work: Prediction, todo: Todo) -> None:
    """Predict cells by a group of trials, here or elsewhere."""
    _, images = work.site.open()
    n, away = len(images[work.part]), elsewhere(bench, len(todo))

    def attempt(cells: list[Cell]) -> list[Cell]:
        with track(f"predict {work.part}", len(cells) * n) as step:
            if not away:
                return work({cell: todo[cell] for cell in cells}, step).busy
            busy: list[Cell] = []
            items = [{cell: todo[cell]} for cell in cells]
            for cell, done in zip(cells, spread(bench, work, items, len(items)), strict=True):
                found = Done.of(done, todo[cell]) if isinstance(done, FercError) else done
                busy += found.busy
                for trial, cause in found.failures.items():
                    work.failures.add(trial, cause)
                step(n, str(cell))
            return busy

    until_done(todo, attempt, work.out.path, "cells to predict")


class Done:
    """What became of cells: those that another process is ``busy`` with, and what failed."""

    def __init__(self, busy: list[Cell], failures: Mapping[str, FercError]) -> None:
        self.busy, self.failures = busy, failures

    @classmethod
    def of(cls, error: FercError, trials: Iterable[Trial]) -> Done:
        """Return that an error befell all trials."""
        return cls([], {str(trial): error for trial in trials})


class Prediction:
    """Predicts cells of one part of the data, wherever it is called."""

    def __init__(self, site: Site, out: RunDirectory, part: str, failures: Failures) -> None:
        self.site, self.out, self.part, self.failures = site, out, part, failures
        self.models: Models | None = None

    def __getstate__(self) -> dict[str, Any]:
        failures = Failures(announce=False)
        failures.causes = dict(self.failures.causes)
        return {**self.__dict__, "failures": failures, "models": None}

    def __call__(self, todo: Todo, step: Advance = ignore) -> Done:
        """Store the logits of cells, each by its trials."""
        try:
            bench, images = self.site.open()
            keep([images[self.part]])
            self.models = self.models or Models(bench, self.out, self.failures)
            with Claimed(self.out, self.part, todo, images[self.part].ids, self.failures) as cells:
                self.store(bench, images, self.models, cells, step)
            return Done(cells.busy, self.failures.causes)
        except BaseException as error:
            if self.site.here:
                raise
            return Done.of(self.site.failure(error), chain.from_iterable(todo.values()))

    def store(
        self, bench: Benchmark, images: Images, models: Models, cells: Claimed, step: Advance
    ) -> None:
        """Store the logits of claimed cells."""
        scored = images[self.part]
        suite = suite_of(bench, scored, self.part)
        for cell, answers in predictions(suite, cells, models, step):
            for trial, found in answers.items():
                faces = scored.faces if self.part == "validation" else None
                self.out.add_logits(trial, self.part, cell, suite.ids, found, faces)
                if self.part == "scored" and cell == CLEAN and not trial.trains:
                    for text in signs(found.logits, scored.faces.labels, bench.classes):
                        say(f"  warning: {trial}: {text}")
            cells.done(cell)


class Claimed:
    """Cells that lack logits, claimed one after the other as they are asked for."""

    def __init__(
        self,
        out: RunDirectory,
        part: str,
        todo: Todo,
        ids: Sequence[str],
        failures: Failures,
    ) -> None:
        self.out, self.part, self.todo, self.ids, self.failures = out, part, todo, ids, failures
        self.busy: list[Cell] = []
        self.trials: dict[Cell, list[Trial]] = {}  # of the cells that are claimed
        self.claims: dict[Cell, ExitStack] = {}

    def __enter__(self) -> Claimed:
        return self

    def __exit__(self, *error: object) -> None:
        for claim in self.claims.values():
            claim.close()

    def __iter__(self) -> Iterator[Cell]:
        for cell, trials in self.todo.items():
            claim = ExitStack()
            if not claim.enter_context(self.out.claim(f"{self.part}-{slug(str(cell))}")):
                self.busy.append(cell)
                continue
            self.claims[cell] = claim
            lacking = [t for t in trials if t not in self.failures]
            missing = self.out.missing(lacking, self.part, [cell], self.ids)
            if cell in missing:
                self.trials[cell] = missing[cell]
                yield cell
            else:
                self.done(cell)

    def done(self, cell: Cell) -> None:
        """Let others see that a cell is done."""
        self.claims.pop(cell).close()


def suite_of(bench: Benchmark, images: ImageStore, part: str) -> Suite:
    """Return the images of a part in all cells; a build has those of the scored part."""
    suite = bench.suite(images)
    if part == "scored" and bench.config.build:
        return replace(suite, corruptor=open_build(Path(bench.config.build)))
    return suite


def affordable(trials: Iterable[Trial], out: RunDirectory, answers: int) -> Iterator[list[Trial]]:
    """Yield the trials in groups that fit into memory together: the models, by their files' sizes,
    and their ``answers`` in a cell, in bytes.
    """
    group: list[Trial] = []
    size = 0
    for trial in trials:
        path = out.checkpoint(trial)
        need = answers + (path.stat().st_size if path.exists() else 0)
        if group and size + need > BUDGET:
            yield group
            group, size = [], 0
        group.append(trial)
        size += need
    if group:
        yield group


def predictions(
    suite: Suite, cells: Claimed, models: Models, step: Advance
) -> Iterator[tuple[Cell, dict[Trial, Answers]]]:
    """Yield each cell with the answers of its trials for all N images."""
    parts: dict[Trial, list[Answers]] = {}
    for cell, rows, images in suite.chunks(cells):
        for trial in cells.trials[cell]:
            answers = models.answers(trial, images)
            if answers is not None:
                parts.setdefault(trial, []).append(answers)
        if rows.stop == len(suite.ids):
            good = {t: found for t, found in parts.items() if t not in models.failures}
            yield cell, {trial: Answers.together(found) for trial, found in good.items()}
            parts.clear()
        step(len(images), str(cell))
