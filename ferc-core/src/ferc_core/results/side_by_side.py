"""Several runs in one table: told apart by what differs between their configurations.

Runs whose trials do not collide stand below each other as they are. Where two hold the same trial,
a column is added for each setting that differs (epochs, visibility, ...), or a column ``run`` where
none does. Only runs that are judged on other faces cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.config import JUDGING, LATER, MAKING, SETTINGS
from ferc_core.results.filters import Filters
from ferc_core.results.reading import TRIAL_COLUMNS, Source, sources_in

RUN = "run"
# Settings that say which faces are judged: where one differs, scores are not comparable.
FACES = ("split", "limit", "classes", "calibrate_on")
# What tables show in columns of their own, or what a comparison is about in any case.
SHOWN = ("dataset", "calibrators", "corruptions", "severities", *FACES)


def opened(paths: Iterable[Path | str], failures: Failures) -> list[Source]:
    """Return the scores in some places, told apart where that is needed."""
    return side_by_side(sources_in(paths, failures))


def side_by_side(sources: Sequence[Source]) -> list[Source]:
    """Return the sources with what tells them apart, as columns of their scores, too.

    Raises `RequestError` where the same dataset was judged on other faces or by another version of
    the benchmark.
    """
    check_comparable(sources)
    if not collide(sources):
        return list(sources)
    apart = [differing(source, sources) for source in sources]
    if collide([told(s, a) for s, a in zip(sources, apart, strict=True)]):
        names = labels([source.path for source in sources])
        apart = [{RUN: name, **a} for name, a in zip(names, apart, strict=True)]
    return [told(s, a) for s, a in zip(sources, apart, strict=True)]


def told(source: Source, apart: dict[str, Any]) -> Source:
    """Return a source with columns that tell it from others."""
    scores = source.scores.with_columns(**{name: pl.lit(value) for name, value in apart.items()})
    return replace(source, scores=scores, apart=apart)


def together(sources: Sequence[Source]) -> pl.DataFrame:
    """Return the scores of several sources as one table."""
    frames = [source.scores for source in sources]
    columns = frames[0].columns
    return pl.concat([frame.select(columns) for frame in frames], how="vertical_relaxed")


def filtered(sources: Sequence[Source], filters: Filters) -> list[Source]:
    """Return the sources with the scores that are asked for, without those that have none.

    Raises `RequestError` for what no source has.
    """
    filters.check(together(sources))
    found = [source.with_scores(filters(source.scores)) for source in sources]
    return [source for source in found if len(source.scores)]


def collide(sources: Sequence[Source]) -> bool:
    """Say whether two sources hold the same trial, told apart or not."""
    seen: set[tuple[object, ...]] = set()
    for source in sources:
        trials = source.scores.select(*TRIAL_COLUMNS, *source.apart).unique().rows()
        if seen & set(trials):
            return True
        seen |= set(trials)
    return False


def differing(source: Source, sources: Sequence[Source]) -> dict[str, Any]:
    """Return the settings of a source that differ among all of them, but for resources."""
    roles = (MAKING, JUDGING)
    names = [n for n, setting in SETTINGS.items() if setting.role in roles and n not in SHOWN]
    if not all(each.config for each in sources):
        return {}
    return {
        name: plain(source.config.get(name, LATER.get(name)))
        for name in names
        if len({str(each.config.get(name, LATER.get(name))) for each in sources}) > 1
    }


def plain(value: Any) -> Any:
    """Return a setting as a value of a table."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, int | float | str) else str(value)


def labels(paths: Sequence[Path]) -> list[str]:
    """Return names of paths, as short as tells them apart.

    >>> labels([Path("a/run"), Path("b/run")]), labels([Path("x/one"), Path("x/two")])
    (['a/run', 'b/run'], ['one', 'two'])
    """
    for parts in range(1, 1 + max(len(path.parts) for path in paths)):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i})" for i, path in enumerate(paths)]


def check_comparable(sources: Sequence[Source]) -> None:
    """Raise `RequestError` for two sources that judge one dataset on different faces."""
    first: dict[str, tuple[Source, dict[str, Any]]] = {}
    for source in sources:
        identity = identity_of(source)
        if not identity:
            continue
        name = str(source.scores["dataset"][0])
        other, known = first.setdefault(name, (source, identity))
        for part, value in identity.items():
            if known.get(part, value) != value:
                raise RequestError(
                    f"{other.path} and {source.path} cannot be compared: they have {name} with "
                    f"{part.replace('_', ' ')} {known[part]!r} and {value!r}"
                )


def identity_of(source: Source) -> dict[str, Any]:
    """Return what says which faces a source is judged on, as far as it is known."""
    found: dict[str, Any] = {}
    with suppress(DataError):
        manifest = source.manifest
        found = {name: manifest[name] for name in ("benchmark", "classes")}
        found |= {name: source.config[name] for name in FACES if name in source.config}
        found["data"] = manifest["data"]
    return found
