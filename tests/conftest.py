"""Fixtures that every test may use, and what holds for all: no cache kept, one core for torch."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.commands import Ferc, ferc_in, process_in

# Nothing is kept in the cache of whoever runs the tests.
CACHE = tempfile.TemporaryDirectory(prefix="ferc-cache-")
os.environ["FERC_CACHE"] = CACHE.name

# Numba keeps a compiled loop while its own file is unchanged, whatever became of those that it
# calls; here they are kept for these very sources.
LOOPS = Path(__file__).parents[1] / "ferc-corruptions" / "src" / "ferc_corruptions"
SOURCES = hashlib.blake2b(b"".join(path.read_bytes() for path in sorted(LOOPS.glob("*.py"))))
KEPT = Path(__file__).parents[1] / ".numba" / SOURCES.hexdigest()[:16]
os.environ.setdefault("NUMBA_CACHE_DIR", str(KEPT))

# Several tests run at a time, so torch takes one core for each; set before torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def ferc(tmp_path: Path) -> Ferc:
    """Run ``ferc ...`` in an empty folder."""
    return ferc_in(tmp_path)


@pytest.fixture
def ferc_process(tmp_path: Path) -> Ferc:
    """Run ``ferc ...`` in an empty folder and in a process of its own."""
    return process_in(tmp_path)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run on toy faces, made once; for tests that only read it."""
    from helpers.runs import SMALL, TWO  # here, since most test files do without it

    folder = tmp_path_factory.mktemp("small")
    done = ferc_in(folder)("run", *SMALL, *TWO, "--out", "run")
    assert done.returncode == 0, done.stderr
    (folder / "shown.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return folder / "run"


@pytest.fixture
def run_copy(small_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run, for a test of its own."""
    return Path(shutil.copytree(small_run, tmp_path / "run"))


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
