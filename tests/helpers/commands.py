"""Commands in processes of their own, as a user runs them, and where the repository is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
SHARED = REPOSITORY.parent / "shared"

Ferc = Callable[..., subprocess.CompletedProcess[str]]


def ferc_in(folder: Path) -> Ferc:
    """Run ``ferc ...`` as a user does, in a folder; returns code, output and errors."""

    def run(*arguments: object, path: Path | None = None, **environment: str):
        full = os.environ | environment
        if path is not None:
            full["PYTHONPATH"] = str(path)
        return subprocess.run(
            [sys.executable, "-m", "ferc_core.cli", *map(str, arguments)],
            cwd=folder,
            env=full,
            text=True,
            capture_output=True,
            timeout=300,
        )

    return run


def one_sentence(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the message of a command that refused, after checking that it refused properly."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ferc: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]
