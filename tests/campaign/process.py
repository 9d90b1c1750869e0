"""Processes as a user starts them: their outputs, limits and surroundings, and how they end."""

from __future__ import annotations

import atexit
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from campaign.cases import Asked
from campaign.judge import MEMORY

ENOUGH = MEMORY + (1 << 29)  # bytes at which a process is ended, for others need some, too
CROWD = 150  # threads and processes that no input may start

ENVIRONMENT = {
    "COLUMNS": "120", "TERM": "dumb", "NO_COLOR": "1", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "2", "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "", "PYTHONIOENCODING": "utf-8",
}  # fmt: skip
KEPT = ("PATH", "PYTHONPATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def fork(work: Callable[[], object]) -> int:
    """Do some work in a fork, the leader of a group of its own; returns its number."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        os.setsid()
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def wait(process: int, sent: tuple[int, float] | None, limit: float) -> tuple[int | None, int]:
    """Wait for a process; returns its exit code, None where time was over, and its peak of memory.

    Whatever it started and left behind is killed.
    """
    begun, highest, over = time.monotonic(), 0, False
    handle = os.pidfd_open(process)
    try:
        while not select.select([handle], [], [], 0.05 if sent else 0.2)[0]:
            passed = time.monotonic() - begun
            highest = max(highest, held(process))
            if sent is not None and passed >= sent[1]:
                os.kill(process, sent[0])
                sent = None
            over = passed > limit or crowd(process) > CROWD
            if over or highest > ENOUGH:
                break
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
    finally:
        os.close(handle)
    peak = max(highest, usage.ru_maxrss * 1024)
    return None if over else os.waitstatus_to_exitcode(status), peak


def crowd(process: int) -> int:
    """Return how many threads and processes of its own a process has."""
    folder = Path(f"/proc/{process}")
    try:
        threads = (folder / "stat").read_text().rpartition(")")[2].split()[17]
        started = (folder / "task" / str(process) / "children").read_text().split()
    except (OSError, IndexError):
        return 0
    return int(threads) + len(started)


def held(process: int) -> int:
    """Return the bytes of memory that a process holds."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * resource.getpagesize()


def become(asked: Asked, box: Path, outputs: list[str], audit: Path) -> NoReturn:
    """Become the process that a user would have started."""
    notices = os.open(audit, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    redirect(0, os.open(os.devnull, os.O_RDONLY))
    point(2, asked.stderr, outputs[1])
    point(1, asked.stdout, outputs[0])
    surround(asked, box)
    os.chdir(box / "work")
    limit(asked)
    if asked.process:
        with suppress(OSError):
            os.close(notices)
        arguments = [os.fsencode(a) for a in asked.arguments]
        os.execv(sys.executable, [sys.executable, "-P", "-m", "ferc_core.cli", *arguments])
    sys.argv = ["ferc", *asked.arguments]
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, stream(number, getattr(asked, name) == "closed", asked.encoding))
    sys.addaudithook(watcher(box, notices, asked.network))
    from ferc_core.cli import main

    leave(main)


def leave(main: Callable[[], None]) -> NoReturn:
    """Do as an interpreter does: run, flush, and exit with the code."""
    code: Any = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for out in (sys.stdout, sys.stderr):
        try:
            if out is not None:
                out.flush()
        except (OSError, ValueError) as error:
            if out is sys.stdout:  # as the interpreter: "Exception ignored in ...", code 120
                with suppress(OSError, ValueError):
                    sys.stderr.write(f"Traceback (most recent call last): {error!r}\n")
                    sys.stderr.flush()
                code = 120
    os._exit((code or 0) & 0xFF)


def redirect(number: int, to: int) -> None:
    """Let a descriptor be another one."""
    if to != number:
        os.dup2(to, number)
        os.close(to)


def point(number: int, where: str, path: str) -> None:
    """Let an output go to a file, a full disk, a pipe that nobody reads, or be closed."""
    if where == "closed":
        os.close(number)
    elif where == "pipe":
        reads, writes = os.pipe()
        os.close(reads)
        redirect(number, writes)
    else:
        name = "/dev/full" if where == "full" else path
        redirect(number, os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))


def stream(number: int, closed: bool, encoding: str) -> Any:
    """Return a standard stream as an interpreter would open it."""
    if closed:
        return None
    errors = "strict" if number == 1 else "backslashreplace"
    return open(number, "w", encoding=encoding, errors=errors, closefd=False)


def surround(asked: Asked, box: Path) -> None:
    """Set the variables of the environment, of which none is that of whoever runs the campaign."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept | ENVIRONMENT)
    os.environ["PYTHONIOENCODING"] = asked.encoding
    os.environ["HOME"], os.environ["TMPDIR"] = str(box / "home"), str(box / "tmp")
    os.environ["FERC_CACHE"] = str(box / "cache")
    for name, value in asked.environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None
    os.umask(0o022)


def limit(asked: Asked) -> None:
    """Set the limits of the process."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number, value in (
        (resource.RLIMIT_AS, asked.memory),
        (resource.RLIMIT_NOFILE, asked.files),
        (resource.RLIMIT_FSIZE, asked.size),
        (resource.RLIMIT_CORE, 0),
    ):
        if value or number == resource.RLIMIT_CORE:
            resource.setrlimit(number, (value, value))


def watcher(box: Path, notices: int, network: bool) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that notes what is written outside a box, and keeps it off the net."""
    changing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    paths = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.truncate": 1}
    free = (str(box), "/dev/", "/proc/", "/sys/")

    def note(line: str) -> None:
        with suppress(OSError):
            os.write(notices, f"{line}\n".encode(errors="backslashreplace"))

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo"):
            address = values[1] if event == "socket.connect" else values[0]
            if isinstance(address, (str, bytes)) and event == "socket.connect":
                return  # a socket of this machine, as pools have them
            if not network:
                note(f"asked the network: {event} {address!r}")
            raise OSError(101, "Network is unreachable")
        if event == "open" and not (values[2] or 0) & changing:
            return
        for value in values[: 1 if event == "open" else paths.get(event, 0)]:
            if isinstance(value, (str, bytes, os.PathLike)):
                place = os.path.realpath(os.fsdecode(value))
                if not f"{place}/".startswith(free):
                    note(f"{event} of {place}")

    return watch
