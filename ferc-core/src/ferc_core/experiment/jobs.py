"""The trainings of a benchmark: one after the other, side by side, or on other machines."""

from __future__ import annotations

from collections.abc import Sequence

from ferc_core.base.claims import until_done
from ferc_core.base.failures import Failures
from ferc_core.errors import FercError
from ferc_core.experiment.augment import training_visibilities
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.sites import Site, spread
from ferc_core.experiment.training import Training
from ferc_core.suite.cells import Cell


def train_missing(
    bench: Benchmark, site: Site, out: RunDirectory, pending: Sequence[Trial], failures: Failures
) -> None:
    """Train every trial that is pending, or resume it; failed ones go into ``failures``.

    What another process is about is waited for, and done here where that process ends.
    """
    visible: dict[Cell, float] = {}
    if bench.config.soft_augmentation and pending:
        _, images = site.open()
        visible = training_visibilities(bench, images["train"])
    work = Training(site, out, visible)

    def attempt(trials: list[Trial]) -> list[Trial]:
        busy = []
        for trial, done in zip(trials, spread(bench, work, trials, len(trials)), strict=True):
            if isinstance(done, FercError):
                failures.add(trial, done)
            elif not done:
                busy.append(trial)
        return busy

    until_done(pending, attempt, out.path, "trainings")
