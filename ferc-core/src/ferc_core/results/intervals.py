"""The scores of a run directory with their intervals, and those of differences between trials.

Scores are means over seeds and over the cells of a group; so is the score of each draw of images,
and the interval is one of that mean, less the bias of the draws. A difference is taken seed by seed
and draw by draw: each loss against the first loss of its method, or every trial against a chosen
baseline; each calibrator against the plain softmax, an ensemble against the mean of its members,
and of several runs each against the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any

import polars as pl

from ferc_core.base.claims import sharing, waiting_for
from ferc_core.base.failures import Failures
from ferc_core.base.files import check_target, read_table, write_parquet
from ferc_core.base.seeds import key
from ferc_core.base.tables import checked
from ferc_core.errors import DataError
from ferc_core.experiment.directory import SCORES, RunDirectory
from ferc_core.plugins.host import registry
from ferc_core.results.bootstrap import holm, interval, p_value
from ferc_core.results.cards import estimates
from ferc_core.results.differences import announce, compared, mean_of, settings_in
from ferc_core.results.filters import one_trial
from ferc_core.results.reading import Source
from ferc_core.results.requests import Request, checked_metrics
from ferc_core.results.resampling import Map, Scores, Setting, scores_in, subjects_of
from ferc_core.results.side_by_side import filtered

FILE = "intervals.parquet"
MADE_OF = "ferc.made_of"  # in the metadata of the file: the key of what it answers

SCHEMA = {
    "dataset": pl.String,
    "method": pl.String,
    "loss": pl.String,
    "calibrator": pl.String,
    "noise": pl.Float64,
    "corruption": pl.String,
    "severity": pl.Int64,  # null: the mean over severities
    "metric": pl.String,
    "against": pl.String,  # null: the score itself; else "loss NAME", "calibrator none", ...
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,  # of no difference; null for a score itself
    "p_holm": pl.Float64,  # corrected for all differences of the table
    "n": pl.Int64,
    "seeds": pl.Int64,
    "resamples": pl.Int64,
    "level": pl.Float64,
    "unit": pl.String,  # what is drawn: "image" or "subject"
}

# columns that may have empty fields
UNDEFINED = ("severity", "against", "value", "low", "high", "p", "p_holm")


def make_intervals(
    sources: Sequence[Source], request: Request, work: Map, failures: Failures
) -> pl.DataFrame:
    """Return the intervals of runs.

    They have the columns of ``SCHEMA`` and those that tell runs apart, which are compared with each
    other, too. Those of runs by themselves are stored in each directory; the same request on the
    same results is answered from there. A metric or calibrator that fails goes into ``failures``.
    Raises `RequestError` for a wrong request, `DataError` where there are scores alone.
    """
    request.check()
    sources = filtered(sources, request.filters)
    metrics = checked_metrics(request.metrics, sources, request.ensemble)
    request = replace(request, metrics=metrics)
    if request.baseline:
        pairs = dict.fromkeys((s.method, s.loss) for s in settings_in(sources, request))
        request = replace(request, baseline=" ".join(one_trial(request.baseline, list(pairs))))
    for source in sources:
        subjects_of(source, request.unit)  # raises where that cannot be
    announce(sources, request)
    if any(source.apart for source in sources):
        return between(sources, request, work, failures)
    return corrected(pl.concat(of_one(each, request, work, failures) for each in sources))


def of_one(source: Source, request: Request, work: Map, failures: Failures) -> pl.DataFrame:
    """Return the stored intervals of one run directory, made now unless they are there."""
    out = source.directory
    file = out.path / FILE
    with sharing(out.path), waiting_for(out.path, SCORES, "its scores"):
        check_target(file)
        answers = made_of(out, request)
        with suppress(DataError):  # there are none, or they are damaged
            stored, record = read_table(file)
            if record.get(MADE_OF) == answers:
                return checked(stored, SCHEMA, file, UNDEFINED).select(*SCHEMA)
        known = len(failures.causes)
        scores = scores_in(source, request, work, failures)
        frame = corrected(pl.DataFrame(rows_for(scores, [source], request), SCHEMA))
        scored = read_table(out.results)[1]
        record = {k: v for k, v in scored.items() if k.startswith("ferc.")}
        if len(failures.causes) == known:
            record[MADE_OF] = answers
        write_parquet(file, frame, record)
    return frame


def between(
    sources: Sequence[Source], request: Request, work: Map, failures: Failures
) -> pl.DataFrame:
    """Return the intervals of several runs that are told apart, and of their differences."""
    drawn = (scores_in(source, request, work, failures) for source in sources)
    return frame_of(joined(enumerate(drawn)), sources, request)


def joined(
    each: Iterable[tuple[int, Mapping[Setting, dict[int, Scores]]]],
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of several runs, each with its place, as one."""
    return {
        setting._replace(run=place): seeds
        for place, found in each
        for setting, seeds in found.items()
    }


def frame_of(
    scores: Mapping[Setting, Mapping[int, Scores]],
    sources: Sequence[Source],
    request: Request,
    differences: bool = True,
) -> pl.DataFrame:
    """Return the intervals of scores, and of their differences."""
    columns = {name: pl.Series([source.apart[name] for source in sources]).dtype
               for name in sources[0].apart}  # fmt: skip
    rows = rows_for(scores, sources, request, differences)
    for source in sources:
        rows += estimates(source, request.by, request.metrics)
    return corrected(pl.DataFrame(rows, {**columns, **SCHEMA}))


def corrected(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows of intervals with the p of differences corrected for their number."""
    p = frame["p"].fill_null(float("nan")).to_numpy()
    return frame.with_columns(
        pl.col("p").fill_nan(None), pl.Series("p_holm", holm(p)).fill_nan(None)
    )


def made_of(out: RunDirectory, request: Request) -> str:
    """Return the key of all that intervals depend on."""
    metrics = registry().metrics
    owners = {metrics.owner(name) for name in metrics}
    return key(
        *astuple(request),
        out.results.read_bytes(),
        out.labels.read_bytes(),
        *sorted(f"{o} {o.file.read_bytes() if o.file else b''!r}" for o in owners),
    ).hex()


def rows_for(
    scores: Mapping[Setting, Mapping[int, Scores]],
    sources: Sequence[Source],
    request: Request,
    differences: bool = True,
) -> list[dict[str, Any]]:
    """Return the rows of the answer."""
    apart, faces = [source.apart for source in sources], list(map(faces_of, sources))
    units = [
        "image" if source.card or subjects_of(source, request.unit) is None else "subject"
        for source in sources
    ]
    return [
        {
            **apart[setting.run],
            **{name: value for name, value in setting._asdict().items() if name != "run"},
            "dataset": sources[setting.run].scores["dataset"][0],
            "against": against,
            **row,
            "n": sources[setting.run].scores["n"][0],
            "seeds": len(by_seed),
            "resamples": request.resamples,
            "level": request.level,
            "unit": units[setting.run],
        }
        for setting, against, by_seed in compared(scores, apart, request.baseline, faces)
        if differences or against is None
        for row in rows_of(by_seed, request.level, against is not None)
    ]


def faces_of(source: Source) -> tuple[str, int]:
    """Return the dataset of a source and the number of its faces, which draws depend on."""
    return source.scores["dataset"][0], source.scores["n"][0]


def rows_of(by_seed: Sequence[Scores], level: float, difference: bool) -> Iterator[dict[str, Any]]:
    """Yield the mean over seeds with its interval, for every group and metric, and the p of a
    difference.
    """
    for (group, metric), mean in mean_of(dict(enumerate(by_seed))).items():
        low, high = interval(float(mean[0]), mean[1:], level)
        yield {
            "corruption": group.corruption,
            "severity": group.severity,
            "metric": metric,
            "value": float(mean[0]),
            "low": low,
            "high": high,
            "p": p_value(float(mean[0]), mean[1:]) if difference else None,
        }
