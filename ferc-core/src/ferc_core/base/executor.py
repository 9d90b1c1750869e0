"""Executors as plugins register them: whatever does independent work, results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ferc_core.base.entry import Entry, blaming, one_each, resolve
from ferc_core.errors import LostError


@dataclass(frozen=True)
class Executor(Entry):
    """``map(function, items, workers) -> iterator of results``, in the order of the items.

    Where a worker ends, it may yield a `ferc_core.errors.LostError` in place of the result. One
    with ``everywhere(function, workers) -> {worker: result or error}``, which calls a function
    once in each worker, has workers on other machines: they are given whole trials and cells, and
    write to storage that all of them share. ``leave()`` is called when no more work comes.
    """

    function: Callable[[Callable[[Any], Any], Iterable[Any], int], Iterator[Any]] | str
    everywhere: Callable[..., Mapping[str, Any]] | str | None = field(default=None, kw_only=True)
    leave: Callable[[], None] | str | None = field(default=None, kw_only=True)

    kind, singular = "executors", "executor"

    def __call__(
        self, function: Callable[[Any], Any], items: Iterable[Any], workers: int, **options: Any
    ) -> Iterator[Any]:
        """Yield the results; raises `PluginError` unless there is one for each item."""
        for result in self.attempts(function, items, workers, **options):
            if isinstance(result, LostError):
                raise result
            yield result

    def attempts(
        self, function: Callable[[Any], Any], items: Iterable[Any], workers: int, **options: Any
    ) -> Iterator[Any]:
        """Yield the results, and a `LostError` for each that was lost with its worker."""
        # what goes wrong in one of ours is the fault of the function
        ours = self.loaded.__module__.startswith("ferc_core.")
        return one_each(
            lambda offered: self.loaded(function, offered, workers, **options),
            items,
            nullcontext if ours else partial(blaming, self),
            f"executor {self.name!r} does not give one result for each item",
        )

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Leave what the executor has started, or is connected to, at the end of the block."""
        try:
            yield
        finally:
            if self.leave is not None:
                resolve(self.leave)()

    def visit(self, function: Callable[[], Any], workers: int, **options: Any) -> Mapping[str, Any]:
        """Return what a function returns in each worker on other machines, or raises there."""
        if self.everywhere is None:
            return {}
        return resolve(self.everywhere)(function, workers, **options)  # type: ignore[no-any-return]
