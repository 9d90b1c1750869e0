"""What kills and power cuts have in common: small work that is stopped, resumed, and compared.

Each attempt is a fork of this process, in which everything is imported and nothing was computed,
so that it begins at once.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.commands import ferc_in
from helpers.runs import METHOD, contents

from ferc_core.experiment import build as building
from ferc_core.suite import layout

FACES = "toyfaces(train=96,valid=16,test=16)"
CELLS = ("--corruption", "snow", "--corruption", "contrast", "--image-size", 32)
SHARD = 6  # images of a job of a build, so that small ones have several
RUN = ("run", "--dataset", FACES, *CELLS, "--threads", 1, "--workers", 0, "--out", "made")

# A loss that needs no torch, which takes seconds to import; the method does not look at it.
LOSS = """
from ferc_core import Loss, hookimpl
@hookimpl
def register_losses(register):
    register(Loss("light", lambda num_classes, class_prior: None))
"""

# What is stopped: a run, a run that trains a network, a build of files, a build of shards.
WORK: dict[str, tuple[object, ...]] = {
    "run": (*RUN, "--plugin", "light.py", *METHOD[:4], "--loss", "light"),
    "training": (*RUN, "--backbone", "test_resnet", "--epochs", 3, "--batch-size", 32,
                 "--loss", "ce", "--severity", 3),
    "build": ("build", "--dataset", FACES, *CELLS, "--severity", 3, "--executor", "serial",
              "--out", "made"),
    "shards": ("build", "--dataset", FACES, *CELLS, "--executor", "threads", "--format", "parquet",
               "--out", "made"),
}  # fmt: skip

LIGHT = ("ferc_core.experiment.pipeline", "ferc_models.plugin")
HEAVY = ("ferc_models.methods.baseline", "ferc_models.training", "timm")  # what "training" needs


def prepare(names: Iterable[str]) -> None:
    """Import everything, and let libraries compute on one core: a fork takes no threads along."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[variable] = "1"
    for name in (*LIGHT, *(HEAVY if "training" in names else ())):
        importlib.import_module(name)
    layout.SHARD = building.SHARD = SHARD  # type: ignore[misc]


@dataclass(frozen=True)
class Ended:
    """How an attempt ended: its exit code, minus the signal that killed it, and its messages."""

    code: int
    said: str
    seconds: float


class Attempt:
    """A command that runs in a fork, in a folder; ``inside`` is called there first."""

    def __init__(
        self, folder: Path, command: tuple[object, ...], inside: Callable[[], object] = lambda: None
    ) -> None:
        self.log = folder.parent / f"{folder.name}.log"
        self.begun = time.monotonic()
        self.number = os.fork()
        if self.number == 0:
            self._work(folder, command, inside)

    def _work(
        self, folder: Path, command: tuple[object, ...], inside: Callable[[], object]
    ) -> None:
        code = 70
        try:
            os.setsid()
            os.environ["FERC_CACHE"] = str(folder / "cache")
            inside()
            (folder / "light.py").write_text(LOSS)
            done = ferc_in(folder)(*command)
            self.log.write_text(done.stdout + done.stderr)
            code = done.returncode
        except BaseException as error:  # the fork must never return
            self.log.write_text(repr(error))
        finally:
            sys.stdout.flush()
            os._exit(code)

    def kill(self) -> None:
        """Stop it at once, as the system does."""
        os.kill(self.number, signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still."""
        os.kill(self.number, signal.SIGSTOP)

    def wait(self) -> Ended:
        """Return how it ended."""
        _, status = os.waitpid(self.number, 0)
        said = self.log.read_text() if self.log.exists() else ""
        self.log.unlink(missing_ok=True)
        return Ended(os.waitstatus_to_exitcode(status), said, time.monotonic() - self.begun)


def finished(folder: Path, command: tuple[object, ...]) -> Ended:
    """Carry out a command undisturbed, or resume it."""
    return Attempt(folder, command).wait()


def made_in(folder: Path) -> dict[str, str]:
    """Return a hash of every file that the work made, but for dates; the settings count, too."""
    made = folder / "made"
    if not made.is_dir():
        return {}
    found = contents(made)
    settings = made / "config.toml"
    if settings.exists():
        found["config.toml"] = hashlib.sha256(settings.read_bytes()).hexdigest()
    return found


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the files that are lost, changed or left over."""
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def empty_files(folder: Path) -> tuple[int, int]:
    """Return how many files of the work are empty, and how many there are."""
    sizes = [
        path.stat().st_size
        for path in (folder / "made").rglob("*")
        if path.is_file() and path.name != ".lock"
    ]
    return sizes.count(0), len(sizes)


def readable(said: str) -> str:
    """Return the last lines of what a command said."""
    return json.dumps(said[-400:])
