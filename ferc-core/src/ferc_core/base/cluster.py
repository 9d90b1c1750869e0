"""The executor ``dask``: the workers of a Dask cluster, one started here or one that runs already.

They are given few large pieces of work and write to storage that all of them share; what comes back
is small. Work of a worker that ends is done again by another, until three have ended by it.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from secrets import token_hex
from typing import Any, TypeVar

from ferc_core.base.memory import keep_freed_blocks
from ferc_core.base.parallel import AHEAD, DONE, FAILED, WORKER, remote_failure
from ferc_core.base.progress import say, watcher, watching
from ferc_core.base.relay import Message, Messenger, Relay
from ferc_core.errors import LostError, RequestError, RunError, StoreError

try:
    import dask as dask_itself
    from distributed import Client, Future, LocalCluster, get_worker
    from distributed.scheduler import KilledWorker
except ImportError as error:
    raise RequestError(
        "executor 'dask' needs dask.distributed: pip install 'ferc-core[dask]'"
    ) from error

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 10  # seconds that a scheduler has to answer
LOOK = 1  # seconds after which it is looked whether any worker is left
DEATHS = 3  # of workers, after which what they were about is lost
ALONE = threading.Lock()  # a worker does one piece of work at a time, whatever its threads


def dask(
    function: Callable[[T], R], items: Iterable[T], workers: int, *, scheduler: str = ""
) -> Iterator[R | LostError]:
    """Run on a Dask cluster: ``workers`` processes of this machine, or those of a ``scheduler``,
    by its address or its file.

    Function, items and results must be picklable. Raises `RequestError` where no scheduler
    answers, and `RunError` when it ends.
    """
    yield from cluster(scheduler, workers).map(function, items)


def everywhere(
    function: Callable[[], R], workers: int, *, scheduler: str = ""
) -> Mapping[str, R | BaseException]:
    """Return what a function returns, or raises, in each worker that is there now."""
    return cluster(scheduler, workers).everywhere(function)


def leave() -> None:
    """Leave the clusters of this process, and end those that were started here."""
    while _clusters:
        _, used = _clusters.popitem()
        used.close()


_clusters: dict[tuple[str, int], Cluster] = {}


def cluster(scheduler: str, workers: int) -> Cluster:
    """Return the cluster of this process with these workers, started or connected to once."""
    if (scheduler, workers) not in _clusters:
        _clusters[scheduler, workers] = opened(scheduler, workers)
    return _clusters[scheduler, workers]


def opened(scheduler: str, workers: int) -> Cluster:
    """Start a cluster, or connect to one."""
    dask_itself.config.set({"distributed.scheduler.allowed-failures": DEATHS - 1})
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        if scheduler:
            is_file = os.path.isfile(scheduler)
            where = {"scheduler_file" if is_file else "address": scheduler}
            client = Client(**where, timeout=PATIENCE)
        else:
            client = Client(
                LocalCluster(
                    n_workers=max(1, workers),
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
    except (OSError, ValueError) as error:
        raise RequestError(
            f"no Dask scheduler answers at {scheduler!r}: start one with 'dask scheduler', or "
            "leave out scheduler= for workers on this machine"
        ) from error
    return Cluster(client, scheduler)


class Cluster:
    """A connection to a scheduler and its workers."""

    def __init__(self, client: Client, scheduler: str) -> None:
        self.client, self.scheduler = client, scheduler or "this machine"
        self.topic, self.relays = f"ferc-{token_hex(8)}", dict[str, Relay]()
        self.watcher = watcher()
        client.subscribe_topic(self.topic, self.show)

    def close(self) -> None:
        """Leave the scheduler, and end a cluster that was started here."""
        started = self.client.cluster
        self.client.close()
        if started is not None:
            started.close()

    def show(self, event: tuple[float, tuple[str, Message]]) -> None:
        """Show what a piece of work tells of its progress."""
        _, (name, message) = event
        if name not in self.relays:
            self.relays[name] = Relay(self.watcher)
        self.relays[name].show(message)

    def workers(self) -> list[str]:
        """Return the addresses of the workers, as soon as there is one."""
        waited = False
        while True:
            with self.reached():
                there = sorted(self.client.nthreads())
            if there:
                return there
            if not waited:
                say(f"waiting for a worker of the Dask scheduler at {self.scheduler}")
                waited = True
            threading.Event().wait(1)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R | LostError]:
        """Do what `dask` does."""
        self.watcher, content = watcher(), pickle.dumps(function)
        waiting: deque[Future] = deque()
        try:
            for item in items:
                while len(waiting) >= AHEAD * len(self.workers()):
                    yield self.result(waiting.popleft())
                waiting.append(self.submit(content, item))
            while waiting:
                yield self.result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def everywhere(self, function: Callable[[], R]) -> dict[str, R | BaseException]:
        """Do what the function `everywhere` does."""
        content = pickle.dumps(Thunk(function))
        asked = {worker: self.submit(content, None, workers=[worker]) for worker in self.workers()}
        answers: dict[str, Any] = {}
        for worker, future in asked.items():
            try:
                answers[worker] = self.result(future, worker)
            except Exception as error:
                answers[worker] = error
        return {w: answer for w, answer in answers.items() if not isinstance(answer, LostError)}

    def submit(self, content: bytes, item: Any, **where: Any) -> Future:
        """Hand out a piece of work."""
        name = f"ferc-{token_hex(8)}"
        with self.reached():
            return self.client.submit(
                run, content, item, self.topic, name, pure=False, key=name, **where
            )

    def result(self, future: Future, worker: str = "") -> Any:
        """Return the result of a piece of work, or raise its error; or say that it is lost, with
        the one ``worker`` that might have done it.
        """
        said = False
        while True:
            try:
                kind, answer = future.result(timeout=LOOK)
                break
            except TimeoutError:
                with self.reached():
                    there = self.client.nthreads()
                if worker and worker not in there:
                    future.cancel()
                    return LostError(f"worker {worker} ended")
                if not (there or said):
                    say(f"the Dask scheduler at {self.scheduler} has no worker left; waiting")
                    said = True
            except KilledWorker:
                return LostError(
                    f"it was lost {DEATHS} times with its worker; perhaps memory ran out there"
                )
            except Exception as error:
                raise self.gone() from error
        if kind == FAILED:
            raise answer
        return answer

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Say in one sentence that the scheduler has ended, where it has."""
        try:
            yield
        except Exception as error:
            raise self.gone() from error

    def gone(self) -> RunError:
        """Return what is to be said where the scheduler has ended."""
        return RunError(
            f"the Dask scheduler at {self.scheduler} has ended or cannot be reached; rerun the "
            "command to resume"
        )


class Thunk:
    """Calls a function without the item that it is given."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function

    def __call__(self, item: object) -> Any:
        """Call the function."""
        return self.function()


def run(content: bytes, item: Any, topic: str, name: str) -> tuple[str, Any]:
    """Do a piece of work in a worker; it tells of its progress under a topic."""
    worker = get_worker()
    with ALONE:
        keep_freed_blocks()
        if isinstance(worker.name, int):  # of a cluster on one machine
            os.environ[WORKER] = str(worker.name)

        def send(message: Message) -> None:
            worker.log_event(topic, (name, message))

        try:
            with watching(Messenger(send)):
                return DONE, work_in(content)(item)
        except StoreError as error:  # its disk may be full, and others' not
            return FAILED, StoreError(f"worker {worker.address}: {error}")
        except BaseException as error:  # whatever the function raises
            return FAILED, remote_failure(error)


@lru_cache(maxsize=2)
def work_in(content: bytes) -> Callable[[Any], Any]:
    """Return a function, unpickled once in a worker, which keeps what it has opened."""
    found: Callable[[Any], Any] = pickle.loads(content)
    return found
