"""Corruption errors against a baseline, as on ImageNet-C.

With E the error (1 - accuracy), the mean over seeds, c a corruption and s its severities:

    CE(c)          = sum_s E(s, c) / sum_s E_baseline(s, c)
    relative CE(c) = sum_s (E(s, c) - E(clean)) / sum_s (E_baseline(s, c) - E_baseline(clean))

mCE and relative mCE are their means over the corruptions; the baseline has 1. Calibrators change no
errors, so these are of the plain softmax. Source: Hendrycks and Dietterich 2019, arXiv:1903.12261,
section 4.3.
"""

from __future__ import annotations

import polars as pl

from ferc_core.errors import DataError, RequestError
from ferc_core.results.filters import one_trial
from ferc_core.results.tables import group_columns
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN

MCE, RELATIVE = "mce", "relative_mce"


def corruption_errors(frame: pl.DataFrame, baseline: str) -> pl.DataFrame:
    """Return mCE and relative mCE of every trial against one of them, seeds averaged.

    ``baseline`` is a method, or method and loss as in "baseline ce". Raises `UnknownNameError`
    for a trial that is not there, `RequestError` where several are meant, `DataError` for scores
    without clean or corrupted images. A corruption on which the baseline makes no error, or no
    more than on clean images, has no (relative) CE and counts in no mean.
    """
    scores = frame.filter(metric="accuracy", calibrator=UNCALIBRATED)
    columns = [name for name in group_columns(scores) if name != "calibrator"]
    errors = scores.group_by([*columns, "corruption", "severity"], maintain_order=True).agg(
        error=1 - pl.col("value").mean()
    )
    clean = pl.col("corruption") == CLEAN.corruption
    known = errors.filter(clean).select(*columns, clean="error")
    summed = (
        errors.filter(~clean)
        .join(known, on=columns, how="inner", maintain_order="left")
        .group_by([*columns, "corruption"], maintain_order=True)
        .agg(error=pl.col("error").sum(), rise=(pl.col("error") - pl.col("clean")).sum())
    )
    if summed.is_empty():
        raise DataError("corruption errors need scores of clean and of corrupted images")
    chosen = baseline_rows(summed, baseline)
    against = summed.join(chosen, on=chosen.columns, how="semi").select(
        "corruption", base=pl.col("error"), base_rise=pl.col("rise")
    )
    return (
        summed.join(against, on="corruption", how="left", maintain_order="left")
        .group_by(columns, maintain_order=True)
        .agg(
            (pl.col("error") / pl.col("base")).filter(pl.col("base") > 0).mean().alias(MCE),
            (pl.col("rise") / pl.col("base_rise"))
            .filter(pl.col("base_rise") > 0)
            .mean()
            .alias(RELATIVE),
            pl.len().cast(pl.Int64).alias("corruptions"),
        )
    )


def baseline_rows(summed: pl.DataFrame, baseline: str) -> pl.DataFrame:
    """Return what names the one trial that is meant, without its corruptions."""
    trials = summed.drop("corruption", "error", "rise").unique(maintain_order=True)
    pairs = trials.select("method", "loss").unique(maintain_order=True).rows()
    method, loss = one_trial(baseline, pairs)
    found = trials.filter(method=method, loss=loss)
    if len(found) > 1:
        told = [name for name in trials.columns if found[name].n_unique() > 1]
        raise RequestError(
            f"{baseline!r} is there with several values of {', '.join(told)}; choose one with "
            "--where"
        )
    return found
