"""A worker: imports FER-C once, then tries one input after the other in processes of their own.

Each input is written by one fork of this process and met by another, so nothing is left over from
one to the next, limits and signals are real, and the imports are paid for once.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

from campaign import stock
from campaign.boxes import contents, differences
from campaign.cases import Asked, all_cases, found
from campaign.judge import Ended, judged
from campaign.process import ENVIRONMENT, become, fork, wait

LIMIT = 60.0  # seconds after which an input hangs
SHOWN = 20_000  # bytes of output that are kept from its beginning, and from its end


def preload() -> None:
    """Import what commands import; no thread may begin here, for a fork would not have it."""
    import cv2
    import polars
    import timm
    import torch

    import ferc_core.cli
    import ferc_core.experiment.pipeline
    import ferc_core.results.external
    import ferc_core.results.intervals
    import ferc_models.methods.baseline
    import ferc_models.methods.onnx
    import ferc_models.ready
    from ferc_core.plugins.host import registry

    del cv2, polars, timm, torch, ferc_models, ferc_core
    _ = registry().losses
    compile_loops()
    all_cases()
    # What pools start must not import this module: a command line has no such one.
    main = sys.modules["__main__"]
    main.__spec__ = None
    with suppress(AttributeError):
        del main.__file__


def compile_loops() -> None:
    """Call every corruption and visibility once: their loops are compiled, and forks have them."""
    import numpy as np

    from ferc_core.base.limits import SEVERITIES
    from ferc_core.plugins.host import registry
    from ferc_core.testing import sample_image

    image = sample_image(32, 32)
    for corrupt in registry().corruptions.values():
        if corrupt.in_benchmark:
            for severity, table in product(SEVERITIES, corrupt.severity_tables):
                corrupt(image, severity, np.random.default_rng(0), table=table)
    for visibility in registry().visibilities.values():
        visibility(image, image)


def serve(folder: Path, limit: float) -> None:
    """Try the inputs whose ids come in, a line for each, and answer with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stock.FOLDER = folder
    os.environ.update(ENVIRONMENT)
    preload()
    gc.collect()
    gc.freeze()  # forks share what is not touched
    for line in sys.stdin:
        answers.write(json.dumps(tried(line.strip(), limit)) + "\n")
        answers.flush()


def tried(identity: str, limit: float) -> dict[str, Any]:
    """Try one input and return the answer about it."""
    box = Path(tempfile.mkdtemp(prefix="ferc-box-")).resolve()
    try:
        for name in ("work", "home", "tmp", "cache", "outside"):
            (box / name).mkdir()
        note = box.with_name(box.name + ".note")
        begun = time.monotonic()
        written = fork(lambda: write(identity, box, note))
        code, _ = wait(written, None, 300)
        preparing = time.monotonic() - begun
        if code != 0:
            raise RuntimeError(f"the input {identity} could not be written")
        asked: Asked = pickle.loads(note.read_bytes())
        ended = met(asked, box, note, limit)
        verdict = judged(asked, ended)
        return {
            "id": identity,
            "command": asked.command,
            **asdict(verdict),
            "code": ended.code,
            "seconds": round(ended.seconds, 2),
            "preparing": round(preparing, 2),
            "peak": ended.peak,
            "errors": ended.errors,
            "output": ended.output,
        }
    finally:
        for beside in box.parent.glob(f"{box.name}.*"):
            beside.unlink()
        shutil.rmtree(box, ignore_errors=True)


def write(identity: str, box: Path, note: Path) -> None:
    """Write an input into the box and note what is asked."""
    case, dice = found(identity)
    os.chdir(box / "work")
    os.environ["FERC_CACHE"] = str(box / "cache")
    note.write_bytes(pickle.dumps(case.write(box / "work", dice)))


def met(asked: Asked, box: Path, note: Path, limit: float) -> Ended:
    """Run a command in a box and return how it ended."""
    before = contents(box)
    audit = note.with_suffix(".audit")
    # pipes where files would be cut short by the limit that the process gets
    pipe = [os.pipe() if asked.size else None for _ in range(2)]
    files = [note.with_suffix(f".{name}") for name in ("out", "err")]
    begun = time.monotonic()
    process = fork(lambda: become(asked, box, targets(pipe, files), audit))
    code, peak = wait(process, asked.signal, limit)
    seconds = time.monotonic() - begun
    output, errors = (text(*each) for each in zip(pipe, files, strict=True))
    noticed = text(None, audit).splitlines()
    executed = [line for line in noticed if line.startswith("asked the network")]
    if (box / "executed").exists():
        executed.append("a file made it execute code")
    changed = [line for line in noticed if not line.startswith("asked the network")]
    changed += differences(before, contents(box), asked)
    if code == 0 and asked.same is not None:
        made, expected = box / "work" / asked.same[0], stock.FOLDER / asked.same[1]
        if not made.is_file() or made.read_bytes() != expected.read_bytes():
            changed.append(f"{asked.same[0]} is not what an undisturbed command makes")
    return Ended(
        code, output, errors, peak, seconds, tuple(dict.fromkeys(changed)), tuple(executed)
    )


Pipe = tuple[int, int] | None


def targets(pipes: list[Pipe], files: list[Path]) -> list[str]:
    """Return where the outputs of a process go, as paths."""
    return [
        str(file) if pipe is None else f"/dev/fd/{pipe[1]}"
        for pipe, file in zip(pipes, files, strict=True)
    ]


def text(pipe: Pipe, path: Path) -> str:
    """Return what a process wrote, without the middle of what is long."""
    if pipe is not None:
        reads, writes = pipe
        os.close(writes)
        os.set_blocking(reads, False)
        with os.fdopen(reads, "rb") as file:
            content = file.read() or b""
    else:
        content = path.read_bytes() if path.is_file() else b""
    if len(content) > 2 * SHOWN:
        content = content[:SHOWN] + b"\n[...]\n" + content[-SHOWN:]
    return content.decode(errors="backslashreplace")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), float(sys.argv[2]) if sys.argv[2:] else LIMIT)
