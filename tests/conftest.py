"""Shared pieces: commands in processes of their own, and distributions made up for a test."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Nothing is kept in the cache of whoever runs the tests.
CACHE = tempfile.TemporaryDirectory(prefix="ferc-cache-")
os.environ["FERC_CACHE"] = CACHE.name

# Several tests run at a time, so torch takes one core for each; set before torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY / "examples"
SHARED = REPOSITORY.parent / "shared"

Ferc = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ferc(tmp_path: Path) -> Ferc:
    """Run ``ferc ...`` in an empty folder."""
    return ferc_in(tmp_path)


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


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, on which the tests' small networks are fastest."""
    import torch  # here, since most test files do without it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def distribution(tmp_path: Path) -> Callable[..., Path]:
    """Install a distribution with one module into a scratch path; returns that path."""
    site = tmp_path / "site"

    def install(name: str, source: str, version: str = "1.0") -> Path:
        module = name.replace("-", "_")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[ferc]\n{module} = {module}\n")
        return site

    return install


def one_sentence(result: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the message of a command that refused, after checking that it refused properly."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ferc: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]
