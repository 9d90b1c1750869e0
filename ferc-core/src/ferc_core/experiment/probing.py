"""Chosen entries are tried on a small sample, so that a bad one fails in seconds, not in hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import generator
from ferc_core.errors import FercError, PluginError, as_failure
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.calibration import takes_soft
from ferc_core.experiment.sites import check_packages
from ferc_core.suite.layout import open_build

SIDE = 64  # pixels of the image that corruptions and visibility are tried on
ROWS = 60  # samples that label scheme and calibrators are tried on
SUM_TOLERANCE = 1e-6  # how far the sum of a row may be from 1


def probe(bench: Benchmark) -> None:
    """Try corruptions, visibility, label scheme and calibrators.

    Raises `FercError` as they do, `PluginError` for what they return or raise otherwise.
    """
    for what, attempt in attempts(bench):
        try:
            attempt()
        except FercError:
            raise
        except BaseException as error:  # an entry may be anybody's
            raise PluginError(f"{what} failed on a small sample: {as_failure(error)}") from error


def attempts(bench: Benchmark) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of every chosen entry with what tries it."""
    entries, config = bench.entries, bench.config
    image, severity = gradient(SIDE), config.severities[-1]
    yield f"executor {entries.executor}", lambda: entries.executor.entry.loaded
    yield f"executor {entries.executor}", partial(check_packages, bench)
    if config.build:
        build = open_build(Path(config.build))
        yield f"build {build.root}", partial(build.check_cells, bench.cells)
    for text in config.corruptions:
        corrupt = partial(entries.corruptions[text], table=config.severity_table)
        rng = generator("probe", "image", text, severity)
        yield f"corruption {text}", partial(corrupt, image, severity, rng)
    if entries.label_scheme.entry.uses_visibility:
        visibility = entries.visibility
        yield f"visibility {visibility}", lambda: float(visibility(image, 255 - image))
    scheme, targets = entries.label_scheme, bench.base.targets[:ROWS]
    v = np.linspace(0, 1, len(targets))
    soften = partial(scheme, targets, v)
    yield (
        f"label scheme {scheme}",
        partial(check_rows, f"label scheme {scheme}", soften, targets.shape),
    )
    k = len(bench.classes)
    logits, labels = np.random.default_rng(0).normal(0, 2, (ROWS, k)), np.arange(ROWS) % k
    for calibrator in entries.calibrators:
        domains = {"domains": np.arange(ROWS) % 2} if calibrator.entry.domains else {}
        truth = np.eye(k)[labels] if takes_soft(calibrator) else labels
        fit = partial(calibrator, logits, truth, **domains)
        what = f"calibrator {calibrator}"
        yield what, partial(check_rows, what, partial(fit_and_apply, fit, logits), logits.shape)


def fit_and_apply(fit: Callable[[], Callable[[Any], Any]], logits: Any) -> Any:
    """Return what a calibrator makes of the logits that it is fitted on."""
    return fit()(logits)


def check_rows(what: str, make: Callable[[], Any], shape: tuple[int, ...]) -> None:
    """Raise `PluginError` unless ``make`` returns distributions [N, K]."""
    found = np.asarray(make())
    if found.shape != shape:
        raise PluginError(f"{what} returned {list(found.shape)} for {list(shape)}")
    if not (found >= 0).all() or np.abs(found.sum(axis=1) - 1).max(initial=0) > SUM_TOLERANCE:
        raise PluginError(f"{what} returned rows that are not distributions, which sum to 1")


def gradient(side: int) -> npt.NDArray[np.uint8]:
    """Return a smooth image [side, side, 3]."""
    ramp = np.linspace(0, 255, side)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], 128.0), axis=2)
    return image.astype(np.uint8)
