"""Executors: independent work in threads, processes or neither, with results in order.

Work is submitted only a little ahead of its use: memory does not grow with the number of items,
and the consumer (a model, say) overlaps with the producer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ferc_core.errors import RunError

T = TypeVar("T")
R = TypeVar("R")

WHY_ENDED = (
    "perhaps memory ran out, or a Python script that starts processes lacks the line "
    "if __name__ == '__main__':"
)
AHEAD = 2  # items in flight for each worker


def serial(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Run one item after the other in this thread."""
    return map(function, items)


def threads(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Run in threads of this process; with no workers, as `serial` does."""
    if workers == 0:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from in_order(pool, function, items, AHEAD * workers)


def processes(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Run in processes of this machine; function, items and results must be picklable."""
    context = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
    pool = ProcessPoolExecutor(max(1, workers), context, initializer=follow_parent)
    try:
        with pool:
            yield from in_order(pool, function, items, AHEAD * max(1, workers))
    except BrokenProcessPool as error:
        raise RunError(f"a worker process ended: {WHY_ENDED}") from error


def follow_parent() -> None:
    """Let this process end with the one that started it, and leave Ctrl-C to that one.

    An interrupted worker might keep a lock that all others wait for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """End this process when the one that started it has ended, even by a kill."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def in_order(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Iterator[R]:
    """Submit at most ``ahead`` items before their turn and yield results in order."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
