"""Claims: several processes share a folder, and what a dead one was about is taken over."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ferc_core.base import claims
from ferc_core.base.claims import claimed, locked, others, sharing, until_done, waiting_for
from ferc_core.errors import RequestError, StoreError

HOLDER = """
import sys, time
from pathlib import Path
from ferc_core.base.claims import claimed, sharing
folder = Path(sys.argv[1])
with sharing(folder), claimed(folder, "a") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that works in a folder and has claimed "a"."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "True\n"
        yield job
        job.kill()


def test_what_one_process_claims_no_other_gets_until_it_ends_by_whatever(tmp_path):
    with holder(tmp_path) as job, sharing(tmp_path):
        with claimed(tmp_path, "a") as mine, claimed(tmp_path, "b") as free:
            assert (mine, free) == (False, True)
        with locked(tmp_path):
            assert others(tmp_path, mine=1)
        job.send_signal(signal.SIGKILL)
        job.wait()
        with claimed(tmp_path, "a") as mine:
            assert mine
        with locked(tmp_path):
            assert not others(tmp_path, mine=1)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_claim_is_exclusive_within_a_process_too(tmp_path):
    with sharing(tmp_path), claimed(tmp_path, "a") as first, claimed(tmp_path, "a") as second:
        assert (first, second) == (True, False)


def test_what_another_process_does_is_waited_for_and_done_where_it_ends(tmp_path):
    done: list[str] = []

    def work(items: list[str]) -> list[str]:
        busy = []
        for item in items:
            with claimed(tmp_path, item) as mine:
                (done if mine else busy).append(item)
        return busy

    with holder(tmp_path) as job, sharing(tmp_path):
        threading.Timer(1, job.kill).start()
        until_done(["a", "b"], work, tmp_path, "parts")
        assert done == ["b", "a"]
        with waiting_for(tmp_path, "a", "something"):
            pass


def test_a_folder_that_stays_locked_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "LONGEST", 0.2)
    with (
        locked(tmp_path),
        pytest.raises(RequestError, match=r"another process keeps .* locked"),
        sharing(tmp_path),
    ):
        pass
    with sharing(tmp_path):
        pass


def test_what_cannot_be_a_folder_to_work_in_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", Path("/dev/null")):
        with pytest.raises(RequestError, match="is not a directory"), sharing(place):
            pass
    with pytest.raises(RequestError, match="cannot write to"), sharing(tmp_path / "file" / "run"):
        pass


def test_links_are_not_followed_to_claims(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".claims").symlink_to(tmp_path / "outside")
    with pytest.raises((RequestError, StoreError), match="link"), sharing(tmp_path / "run"):
        pass
    assert not any((tmp_path / "outside").iterdir())


def test_a_waiting_process_says_so_once(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(claims, "say", said.append)
    monkeypatch.setattr(claims, "PAUSE", 0.01)
    start = time.monotonic()
    with sharing(tmp_path):
        until_done(
            [1, 2], lambda items: items if time.monotonic() < start + 0.2 else [], tmp_path, "parts"
        )
    assert said == [f"waiting for other processes that work in {tmp_path}: 2 parts"]
