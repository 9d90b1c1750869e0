"""Which of the scores are asked for."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ferc_core.base.text import listed
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.suite.cells import CLEAN

COMPARISON = re.compile(r"\s*([\w.-]+)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")
COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Filters:
    """Values of columns, and comparisons such as "noise=0", that all must hold.

    The clean set stays whatever corruptions are asked for.
    """

    methods: Sequence[str] = ()
    losses: Sequence[str] = ()
    calibrators: Sequence[str] = ()
    corruptions: Sequence[str] = ()
    where: Sequence[str] = ()

    @property
    def columns(self) -> dict[str, Sequence[str]]:
        """The values that are asked for, by column."""
        return {
            "method": self.methods,
            "loss": self.losses,
            "calibrator": self.calibrators,
            "corruption": self.corruptions,
        }

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table of scores that are asked for, perhaps none."""
        for column, values in self.columns.items():
            if values:
                kept = [*values, CLEAN.corruption] if column == "corruption" else values
                frame = frame.filter(pl.col(column).is_in(kept))
        for text in self.where:
            frame = frame.filter(comparison(text, frame))
        return frame

    def check(self, frame: pl.DataFrame) -> None:
        """Raise `UnknownNameError` for a value or a column that a table lacks, `RequestError` for a
        comparison that cannot be read or that no row meets.
        """
        for column, values in self.columns.items():
            there = frame[column].unique(maintain_order=True).to_list()
            for value in values:
                if value not in there:
                    raise UnknownNameError(column, value, there)
        for i, text in enumerate(self.where):
            if replace(self, where=self.where[: i + 1])(frame).is_empty():
                column = parts_of(text)[0]
                values = listed(sorted(map(str, frame[column].unique())), 10)
                raise RequestError(f"no score has {text}; {column} is {values}")


def one_trial(text: str, trials: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the method and loss that a text means: a method, or both as in "baseline ce".

    Raises `UnknownNameError` for none of the trials, `RequestError` for several.
    """
    found = [(method, loss) for method, loss in trials if text in (method, f"{method} {loss}")]
    if not found:
        raise UnknownNameError("baseline trial", text, [" ".join(trial) for trial in trials])
    if len(found) > 1:
        names = ", ".join(repr(" ".join(trial)) for trial in found)
        raise RequestError(f"{text!r} names several trials; choose one of {names}")
    return found[0]


def parts_of(text: str) -> tuple[str, str, str]:
    """Return column, sign and value of a comparison."""
    found = COMPARISON.fullmatch(text)
    if found is None or not found[3]:
        raise RequestError(
            f"cannot read {text!r}: write a comparison such as noise=0 or severity>=3"
        )
    return found[1], found[2], found[3]


def comparison(text: str, frame: pl.DataFrame) -> pl.Expr:
    """Return the condition that a text asks for."""
    column, sign, value = parts_of(text)
    if column not in frame.columns or column in ("metric", "value"):
        there = [name for name in frame.columns if name not in ("metric", "value")]
        raise UnknownNameError("column", column, there)
    wanted: Any = value
    if frame.schema[column].is_numeric():
        try:
            wanted = float(value)
        except ValueError:
            raise RequestError(f"{column} is a number; cannot compare it in {text!r}") from None
    elif sign not in ("=", "==", "!="):
        raise RequestError(f"{column} is a text; compare it with = or != in {text!r}")
    condition: pl.Expr = COMPARE[sign](pl.col(column), pl.lit(wanted))
    return condition
