"""What all entries of plugins have in common: a name, a function that may be lazy, their checks."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

from ferc_core.base.calls import wrong_type
from ferc_core.errors import (
    FercError,
    PluginError,
    RequestError,
    UnknownNameError,
    as_failure,
    opencv_failure,
)

Lazy: TypeAlias = Callable[..., Any] | str

NAME = re.compile(r"[a-z0-9][a-z0-9_.+-]*")


def resolve(target: Lazy) -> Callable[..., Any]:
    """Return the callable that ``target`` is or names as ``"module:attribute"``."""
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except BaseException as error:  # a plugin's module is foreign code and may raise anything
        if isinstance(error, ImportError) and "libGL" in str(error):
            raise opencv_failure(error) from error
        raise PluginError(f"{target!r} cannot be imported: {as_failure(error)}") from error
    return found  # type: ignore[return-value]


@dataclass(frozen=True)
class Entry:
    """What every registered thing has: a name, its function, a one-line summary, its source."""

    name: str
    function: Lazy
    summary: str = field(default="", kw_only=True)
    source: str = field(default="", kw_only=True)

    kind: ClassVar[str] = ""  # plural, as in `ferc list` and in the name of the hook
    singular: ClassVar[str] = ""  # as in messages
    home: ClassVar[str] = ""  # the distribution that brings FER-C's own entries
    reserved: ClassVar[tuple[str, ...]] = ()  # keywords that are not for the user

    @cached_property
    def loaded(self) -> Callable[..., Any]:
        """The function itself, imported at first use."""
        return resolve(self.function)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function."""
        return self.loaded(*args, **options)

    def check_fields(self) -> None:
        """Raise `PluginError` for a name that cannot be, or a field of a wrong type."""
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise PluginError(f"{self.name!r} is not a valid name; use a-z, 0-9, '_', '-', '.'")
        for each in fields(self):
            value = getattr(self, each.name)
            if wanted := misfit(str(each.type), value):
                raise PluginError(
                    f"{self.singular} {self.name!r}: {each.name} must be {wanted}, not {value!r}"
                )

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise `RequestError` for an option that the function lacks or of a wrong type."""
        if not options:  # nothing to look up, so nothing to import
            return
        parameters = inspect.signature(self.loaded).parameters.values()
        known = {
            p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY or p.default is not p.empty
        }
        for name in self.reserved:
            known.pop(name, None)
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
        for name, value in options.items():
            if name in known:
                wanted = wrong_type(known[name], value)
                if wanted:
                    raise RequestError(
                        f"option {name!r} of {self.name!r} must be {wanted}, not {value!r}"
                    )
            elif not open_ended:
                raise UnknownNameError(f"option of {self.name!r}", name, known)


def misfit(annotation: str, value: object) -> str:
    """Return what a field of an entry must be where its value is something else.

    >>> misfit("bool", "yes"), misfit("Literal['hard', 'soft']", "hard")
    ('true or false', '')
    """
    listed = re.search(r"Literal\[(.*?)\]", annotation)
    choices = ast.literal_eval(f"({listed[1]},)") if listed else ()
    one = f"one of {', '.join(map(repr, choices))}" if choices else "a text"

    def is_text(part: object) -> bool:
        return isinstance(part, str) and (not choices or part in choices)

    if annotation == "Lazy" or "Callable" in annotation:
        is_name = isinstance(value, str) and ":" in value
        optional = annotation.endswith("None") and value is None
        return "" if callable(value) or is_name or optional else "a function or 'module:attribute'"
    if annotation == "bool":
        return "" if isinstance(value, bool) else "true or false"
    if annotation.startswith("Mapping"):
        return "" if isinstance(value, Mapping) else "a mapping"
    if annotation.startswith("tuple"):
        good = isinstance(value, tuple | list) and all(map(is_text, value))
        return "" if good else f"a tuple, each {one}"
    return "" if is_text(value) else one


@contextmanager
def blaming(entry: Entry) -> Iterator[None]:
    """Turn what an entry raises into a `PluginError` that names it; a `FercError` stays."""
    try:
        yield
    except FercError:
        raise
    except BaseException as error:
        cause = as_failure(error)
        raise PluginError(f"{entry.singular} {entry.name!r} failed: {cause}") from error


def one_each(
    start: Callable[[Iterator[Any]], Iterable[Any]],
    items: Iterable[Any],
    blamed: Callable[[], AbstractContextManager[None]],
    wrong: str,
) -> Iterator[Any]:
    """Yield the results that a function has of items; raises `PluginError` with the sentence
    ``wrong`` unless there is one for each. What it raises itself is ``blamed``.
    """
    given, end = 0, object()

    def counted() -> Iterator[Any]:
        nonlocal given
        for item in items:
            given += 1
            yield item

    offered = counted()
    with blamed():
        results = iter(start(offered))
    for made in itertools.count():
        with blamed():
            result = next(results, end)
        more = next(offered, end) is not end if result is end else made == given
        if more or (result is end and made < given):
            raise PluginError(wrong)
        if result is end:
            return
        yield result
