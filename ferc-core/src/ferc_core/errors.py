"""The errors that FER-C raises on purpose.

    Stopped                        a signal: exit code 130 or 143
    FercError                      exit code 1
    ├── RequestError               exit code 2: what was asked for cannot be done
    │   └── UnknownNameError       no such plugin entry, class or column; also a KeyError
    ├── DataError                  the data is not what it should be
    │   └── BadImageError          one image cannot be used; names it
    ├── PluginError                a plugin broke its contract
    ├── StoreError                 a file could not be written
    └── RunError                   a part of the work failed; the rest continues
        ├── LostError              the process that did it ended
        └── PartsFailed            several, or one of several; knows their causes

Every message is one sentence that says what is wrong and, where there is a remedy, what to do.
"""

from __future__ import annotations

import difflib
import errno
import re
import signal
from collections.abc import Iterable, Mapping

OUT_OF_MEMORY = re.compile(
    "can't start new thread|(out of|not enough|insufficient|can('t|not) allocate) memory"
    "|resource temporarily unavailable|failed to map segment",
    re.IGNORECASE,
)


class FercError(Exception):
    """Base of all errors with a message meant for the user; can be sent between processes."""

    exit_code = 1

    def __reduce__(self) -> tuple[object, ...]:
        return restored, (type(self), self.args), self.__dict__


def restored(kind: type[FercError], args: tuple[object, ...]) -> FercError:
    """Return an error as it was in the process that it comes from."""
    error = kind.__new__(kind)
    error.args = args
    return error


class Stopped(BaseException):
    """A signal to stop; not an `Exception`, which a plugin's code might catch."""

    def __init__(self, number: int) -> None:
        self.number, self.exit_code = number, 128 + number
        super().__init__()


class RequestError(FercError):
    """The request is wrong: an option, a name, a path or a combination of them."""

    exit_code = 2


class UnknownNameError(RequestError, KeyError):
    """A name that is not known, with the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(known)
        super().__init__(f"unknown {kind} {name!r}: {suggest(name, self.known)}")

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class DataError(FercError):
    """A dataset, table or image is not what it should be."""


class BadImageError(DataError):
    """One image cannot be read or used."""


class PluginError(FercError):
    """A plugin broke the contract of its hook."""


class StoreError(FercError):
    """A file could not be written: the disk is full, say."""


class RunError(FercError):
    """A part of the work was understood and failed; other parts may succeed."""


class LostError(RunError):
    """Work was lost with the process that did it; an executor yields it in place of a result."""


class PartsFailed(RunError):
    """Parts of the work failed and the others are done; ``causes`` has the error of each."""

    def __init__(self, causes: Mapping[str, Exception]) -> None:
        self.causes = dict(causes)
        parts = "; ".join(f"{part}: {cause}" for part, cause in self.causes.items())
        count = f"{len(self.causes)} part{'s' if len(self.causes) > 1 else ''}"
        super().__init__(f"{count} failed: {parts}")


def opencv_failure(error: ImportError) -> RequestError:
    """Return the error for an OpenCV that cannot be loaded, with both remedies."""
    return RequestError(
        f"OpenCV cannot be loaded ({error}): install the system library (on Debian: apt-get "
        "install libgl1), or replace the package: pip uninstall opencv-python && pip install "
        "opencv-python-headless"
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for a near name, else the list of known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(names)}" if names else "there is none"


def as_failure(error: BaseException) -> FercError:
    """Return an error as it is when it is ours, and as one sentence with its type otherwise.

    Foreign code may raise anything, `SystemExit` and the panics of libraries in Rust included, so
    that ``except BaseException`` stands around it; a request to stop is raised again here.
    """
    by_user = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if isinstance(error, Stopped) or (isinstance(error, KeyboardInterrupt) and by_user):
        raise error
    if isinstance(error, FercError):
        return error
    said = described(error)
    if is_out_of_memory(error):
        said = f"memory ran out ({said}); use fewer --workers or --jobs, or a smaller --batch-size"
    elif is_out_of_files(error):
        said = f"too many files are open ({said}); raise the limit with ulimit -n"
    failure = RunError(said)
    failure.__cause__ = error  # whose traceback --debug shows
    return failure


def described(error: BaseException) -> str:
    """Return type and message of an error in one line."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}), which would have ended FER-C"
    try:
        text = " ".join(str(error).split())
    except Exception:  # a plugin's error may not even have a text
        text = ""
    return ": ".join(filter(None, (type(error).__name__, text)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy, OpenCV, torch or the system means that."""
    return isinstance(error, MemoryError) or bool(OUT_OF_MEMORY.search(described(error)))


def is_out_of_files(error: BaseException) -> bool:
    """Whether an error of the system or of a library means that no more files can be opened."""
    return getattr(error, "errno", None) == errno.EMFILE or "TooManyOpenFiles" in described(error)
