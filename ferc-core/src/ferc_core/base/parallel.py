"""Executors: independent work in threads, processes or neither, with results in order.

Work is submitted only a little ahead of its use: memory does not grow with the number of items,
and the consumer (a model, say) overlaps with the producer.

A process has a pipe of its own to the thread that gives it work, and shares no lock and no queue
with others: whenever it is killed, the pipe ends, and nobody waits for it.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ferc_core.base.memory import keep_freed_blocks
from ferc_core.base.progress import watcher, watching
from ferc_core.base.relay import Messenger, Relay
from ferc_core.base.signals import stop_on
from ferc_core.errors import (
    FercError,
    LostError,
    RequestError,
    RunError,
    Stopped,
    as_failure,
    is_out_of_memory,
)

T = TypeVar("T")
R = TypeVar("R")

WHY_ENDED = (
    "perhaps memory ran out, or a Python script that starts processes lacks the line "
    "if __name__ == '__main__':"
)
AHEAD = 2  # items in flight for each worker
LEAST_ADDRESSES = 4 << 30  # bytes that may be mapped; most of them are never used
MOST_WORKERS = 1024
DONE, FAILED, TOLD = "done", "failed", "told"  # what a process sends
WORKER = "FERC_WORKER"  # the environment variable with the number of a process among its like
GRACE = 1.0  # seconds that a process has to remove its temporary files


def serial(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Run one item after the other in this thread."""
    return map(function, items)


def threads(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Run in threads of this process; with no workers, as `serial` does."""
    if workers == 0:
        yield from map(function, items)
        return
    workers = min(workers, MOST_WORKERS)
    with memory_enough(), ThreadPoolExecutor(workers) as pool:
        yield from in_order(pool, function, items, AHEAD * workers)


def processes(
    function: Callable[[T], R], items: Iterable[T], workers: int
) -> Iterator[R | LostError]:
    """Run in processes of this machine; function, items and results must be picklable.

    When one of them ends, a `LostError` stands for the result of its item.
    """
    yield from crew_of(function, items, workers, "--workers")


def crew_of(
    function: Callable[[T], R],
    items: Iterable[T],
    workers: int,
    option: str,
    daemon: bool = True,
) -> Iterator[R | LostError]:
    """Do what `processes` does; ``option`` is that of their number, and what are no ``daemon``
    may start processes of their own.
    """
    workers = min(max(1, workers), MOST_WORKERS)
    with memory_enough():
        crew = Crew(pickle.dumps(function), option, daemon)
        pool = ThreadPoolExecutor(workers)
        try:
            yield from in_order(pool, crew.do, items, AHEAD * workers)
        finally:
            crew.stop()  # first, for the threads wait for what it does
            pool.shutdown(cancel_futures=True)


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


@contextmanager
def memory_enough() -> Iterator[None]:
    """Say in one sentence that memory ran out, where it does."""
    try:
        yield
    except FercError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise as_failure(error) from error
        raise


def check_address_space() -> None:
    """Raise `RequestError` where ``ulimit -v`` leaves fewer addresses than the libraries take.

    Some of them would wait for ever for a thread that could not be started, or abort.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < LEAST_ADDRESSES:
        raise RequestError(
            f"the limit of the address space is {allowed >> 20} MiB, and at least "
            f"{LEAST_ADDRESSES >> 20} MiB are needed: raise it with ulimit -v "
            f"{LEAST_ADDRESSES >> 10}, or limit the resident memory instead"
        )


class Child:
    """A process that runs ``target(connection, *arguments)``, and its end of the pipe to it.

    It ends with this process at the latest.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any, daemon: bool) -> None:
        context = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
        self.connection, theirs = context.Pipe()
        try:
            self.process = context.Process(
                target=live, args=(target, theirs, *arguments), daemon=daemon
            )
            with without_interrupts():
                self.process.start()
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()

    def ended(self, fewer: str) -> LostError:
        """Return what is to be said when it has ended; ``fewer`` is the option that may help."""
        self.process.join(GRACE)
        code = self.process.exitcode
        if code is not None and code < 0:
            how = f"was killed by signal {-code}; perhaps memory ran out"
        else:
            how = f"ended: {WHY_ENDED}"
        return LostError(f"a worker process {how}; rerun with fewer {fewer} to resume")


def stop(children: Sequence[Child]) -> None:
    """End processes, by force those that do not follow within a second."""
    for child in children:
        child.process.terminate()
    last = time.monotonic() + GRACE
    for child in children:
        child.process.join(max(0, last - time.monotonic()))
        child.process.kill()
        child.process.join()


class Crew:
    """Processes that all do the same; they are started when there is work and none is idle.

    What they tell of their progress is shown by whoever watches here.
    """

    def __init__(self, function: bytes, option: str, daemon: bool) -> None:
        self.function, self.option, self.daemon = function, option, daemon  # pickled
        self.watcher = watcher()
        self.idle: SimpleQueue[Child] = SimpleQueue()
        self.all: list[Child] = []
        self.stopped = False
        self.lock = threading.Lock()  # one is started at a time, and none once they are stopped

    def do(self, item: Any) -> Any:
        """Let one of them work on an item, and return its result or raise its error."""
        child, relay = self.free(), Relay(self.watcher)
        try:
            child.connection.send(item)
            while True:
                kind, answer = child.connection.recv()
                if kind != TOLD:
                    break
                relay.show(answer)
        except (EOFError, OSError):
            return child.ended(self.option)
        self.idle.put(child)
        if kind == FAILED:
            raise answer
        return answer

    def free(self) -> Child:
        """Return one that is idle, or a new one."""
        with suppress(Empty):
            return self.idle.get_nowait()
        with self.lock:
            if self.stopped:
                raise RunError("the work was stopped")
            child = Child(serve, self.function, len(self.all), daemon=self.daemon)
            self.all.append(child)
        return child

    def stop(self) -> None:
        """End all of them."""
        with self.lock:
            self.stopped = True
        stop(self.all)


def serve(connection: Connection, function: bytes, number: int) -> None:
    """Do what comes through the pipe, until it ends; the life of process ``number`` of a `Crew`."""
    os.environ[WORKER] = str(number)
    messenger = Messenger(lambda message: connection.send((TOLD, message)))
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            item = connection.recv()
            with watching(messenger):
                work = work or pickle.loads(function)
                answer = DONE, work(item)
        except EOFError:
            return
        except BaseException as error:  # whatever the function raises
            answer = FAILED, remote_failure(error)
        try:
            connection.send(answer)
        except OSError:  # nobody listens any more
            return
        except Exception as error:  # a result that cannot be pickled, or does not fit into memory
            connection.send((FAILED, remote_failure(error)))


def remote_failure(error: BaseException) -> FercError:
    """Return an error that can be sent, with its traceback as a note for --debug."""
    failure = as_failure(error)
    failure.add_note("".join(traceback.format_exception(error)))
    return failure


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Let a process that starts here never hear Ctrl-C, which its imports would answer badly."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def live(target: Callable[..., None], connection: Connection, *arguments: Any) -> None:
    """Let this process end with the one that started it, and leave Ctrl-C to that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_blocks()
    try:
        stop_on(signal.SIGTERM)
        try:
            threading.Thread(target=end_with_parent, daemon=True).start()
        except RuntimeError:  # there is no memory for it
            os._exit(1)
        target(connection, *arguments)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)


def end_with_parent() -> None:
    """End this process when the one that started it has ended, even by a kill."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
