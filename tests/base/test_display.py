"""Progress by context: lines where there is no terminal, a log file, silence, and failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferc_core.base import display
from ferc_core.base.display import Display
from ferc_core.base.failures import Failures
from ferc_core.base.progress import say, track, watching
from ferc_core.errors import PartsFailed, RequestError, RunError, Stopped, StoreError


def work(steps: int, marks: int = 0) -> None:
    """Do some work in steps."""
    with track("work", steps, marks) as step:
        for i in range(steps):
            step(1, f"note {i}")


def shown(capsys, **options) -> list[str]:
    """Return the lines that some work shows."""
    with Display(**options) as watcher, watching(watcher):
        say("a line [bold]")
        work(4, marks=4)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_where_nobody_watches_nothing_is_shown(capsys):
    say("a line")
    work(4, marks=4)
    assert capsys.readouterr() == ("", "")


def test_each_mark_is_a_line_where_there_is_no_terminal(capsys):
    assert shown(capsys) == [
        "a line [bold]",
        "work: 1/4 in 0 s note 0",
        "work: 2/4 in 0 s note 1",
        "work: 3/4 in 0 s note 2",
        "work: done in 0.0 s note 3",
    ]


def test_quiet_shows_nothing_and_the_log_has_every_line_with_its_time(capsys, tmp_path):
    lines = shown(capsys)
    assert shown(capsys, quiet=True, log_file=tmp_path / "log") == []
    logged = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in logged] == lines
    with pytest.raises(RequestError, match="cannot write the log file"):
        shown(capsys, log_file=tmp_path / "absent" / "log")


def test_a_log_file_is_a_file_and_stays_text(capsys, tmp_path):
    for path, reason in (("/dev/full", "not a regular file"), (tmp_path, "it is a folder")):
        with pytest.raises(RequestError, match=f"cannot write the log file {path}: .*{reason}"):
            shown(capsys, log_file=path)
    with Display(log_file=tmp_path / "log") as watcher, watching(watcher):
        say("a \x1b[31mline :smile: \udcff " + "x" * 5000)
        with track("\x1b]0;[red]work", 1) as step:
            step(1, "[bold]\x07")
    for found in (capsys.readouterr().err, (tmp_path / "log").read_text(encoding="utf-8")):
        assert "a \\u001b[31mline :smile: \\udcff xxx" in found
        assert "\\u001b]0;[red]work: done" in found
        assert "[bold]\\u0007" in found
        assert "\x1b" not in found
        assert len(found) < 800


def test_a_log_file_on_a_full_disk_is_named(tmp_path, monkeypatch):
    with Display(quiet=True, log_file=tmp_path / "log") as watcher:
        watcher.log_file = Path("/dev/full")
        with pytest.raises(StoreError, match="the log file /dev/full could not be written: No sp"):
            watcher.say("a line")


@pytest.mark.parametrize(("seconds", "lines"), [(0, 10), (1000, 1)])
def test_long_work_is_a_line_for_each_tenth_and_short_work_one(capsys, monkeypatch, seconds, lines):
    monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", seconds)
    with Display() as watcher, watching(watcher):
        work(1000)
    found = capsys.readouterr().err.splitlines()
    assert len(found) == lines
    assert found[-1].startswith("work: done in")
    assert lines == 1 or found[6].startswith("work: 70% in")


def test_no_work_is_no_line(capsys):
    with Display() as watcher, watching(watcher):
        work(0)
    assert capsys.readouterr().err == ""


def test_failures_keep_the_first_cause_of_each_part_and_say_it_once(capsys):
    failures = Failures()
    with Display() as watcher, watching(watcher):
        failures.add("a", RunError("first"))
        failures.add("a", RunError("second"))
        failures.add("b", KeyError("odd\nkey"))
    assert capsys.readouterr().err.splitlines() == [
        "a failed: first",
        "b failed: KeyError: 'odd\\nkey'",
    ]
    assert "a" in failures
    assert "c" not in failures
    with pytest.raises(PartsFailed, match="2 parts failed: a: first; b: KeyError"):
        failures.raise_any()
    Failures().raise_any()


def test_one_cause_of_everything_is_raised_as_it_is():
    cause, failures = RequestError("the one"), Failures(announce=False)
    failures.add("a", cause)
    failures.add("b", RequestError("the one"))
    with pytest.raises(RequestError, match=r"^the one$"):
        failures.raise_all()
    failures.add("c", RunError("another"))
    with pytest.raises(PartsFailed):
        failures.raise_all()


def test_what_foreign_code_raised_is_named_even_alone():
    failures = Failures(announce=False)
    failures.add("method m", SystemExit(3))
    with pytest.raises(PartsFailed, match=r"method m: it called sys.exit\(3\)"):
        failures.raise_all()
    with pytest.raises(Stopped):  # what stops the process is nobody's failure
        failures.add("method m", Stopped(2))
