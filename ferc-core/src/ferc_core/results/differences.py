"""Which scores are compared with which, seed by seed and draw by draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ferc_core.base.progress import say
from ferc_core.results.ensembles import member_method
from ferc_core.results.reading import Source, cells_of
from ferc_core.results.requests import Request
from ferc_core.results.resampling import Scores, Setting, groups_of, trials_of
from ferc_core.spec import UNCALIBRATED

MANY = 1000  # comparisons that are worth a word


def compared(
    scores: Mapping[Setting, Mapping[int, Scores]],
    apart: Sequence[Mapping[str, Any]] = ({},),
    baseline: str = "",
    faces: Sequence[object] = (),
) -> Iterator[tuple[Setting, str | None, list[Scores]]]:
    """Yield the scores of each setting, then its differences to others, seed by seed.

    The second part names the other: "loss NAME" or the ``baseline``, "calibrator none", "members"
    of an ensemble, or what tells the first of several runs ``apart``; None for scores themselves.
    ``faces`` are those of each run: only runs on the same ones are compared.
    """
    first: dict[str, str] = {}
    for setting in scores:
        first.setdefault(setting.method, setting.loss)
    told = ", ".join(f"{name} {value}" for name, value in apart[0].items())
    for setting, by_seed in scores.items():
        yield setting, None, list(by_seed.values())
        loss = first[setting.method]
        usual = f"loss {loss}", setting._replace(loss=loss)
        if baseline:
            chosen = next((s for s in scores if f"{s.method} {s.loss}" == baseline), setting)
            usual = baseline, setting._replace(method=chosen.method, loss=chosen.loss)
        for against, other in (
            usual,
            (f"calibrator {UNCALIBRATED}", setting._replace(calibrator=UNCALIBRATED)),
            ("members", setting._replace(method=member_method(setting.method))),
            (told, setting._replace(run=0)),
        ):
            base = scores.get(other, {})
            if faces and faces[setting.run] != faces[other.run]:
                continue
            if bool(member_method(setting.method)) != bool(member_method(other.method)) and base:
                yield setting, against, [minus(mean_of(by_seed), mean_of(base))]
                continue
            shared = [seed for seed in by_seed if seed in base]
            if other != setting and shared:
                yield setting, against, [minus(by_seed[seed], base[seed]) for seed in shared]


def mean_of(by_seed: Mapping[int, Scores]) -> Scores:
    """Return the mean over the seeds of a setting."""
    each = list(by_seed.values())
    return {p: reduce(np.add, (scores[p] for scores in each)) / len(each) for p in each[0]}


def minus(one: Scores, other: Scores) -> Scores:
    """Return the differences of two settings' scores."""
    return {place: one[place] - other[place] for place in one if place in other}


def settings_in(sources: Sequence[Source], request: Request) -> dict[Setting, dict[int, Scores]]:
    """Return the settings that some sources have, with their seeds and no scores."""
    found: dict[Setting, dict[int, Scores]] = {}
    for place, source in enumerate(sources):
        for trial, names in trials_of(source, request).items():
            for name in names:
                setting = Setting(trial.method, trial.loss, trial.noise, name, place)
                found.setdefault(setting, {})[trial.seed] = {}
    return found


def announce(sources: Sequence[Source], request: Request) -> None:
    """Say how many differences are taken where they are so many that few can be found."""
    apart = [source.apart for source in sources]
    pairs = compared(settings_in(sources, request), apart, request.baseline)
    groups = set(groups_of(cells_of(sources[0].scores), request).values())
    several = sum(against is not None for _, against, _ in pairs)
    several *= sum(len(group.metrics) for group in groups)
    if several > MANY:
        say(
            f"{several:,} comparisons: corrected for their number, one counts only where its p is "
            f"below {0.05 / several:.1g}; take fewer with --metric, --by, --method or --where"
        )
