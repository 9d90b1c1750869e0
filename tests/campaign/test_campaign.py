"""The campaign in short: an input of every case, and every parser with what hypothesis makes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from helpers.commands import REPOSITORY
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from campaign.cases import Asked, chosen
from campaign.fuzz import TARGETS, WATCHED, examples
from campaign.judge import Ended, judged
from campaign.runner import answers, described

INPUTS, LIMIT = 115, 60.0

# Names, options and separators, as a call has them, in any order.
CALLS = st.text(st.sampled_from("ab1_.+-=(),\"' \t\\\n\u00e9\u0661"), max_size=24)


@pytest.mark.skipif(sys.platform != "linux", reason="forks and watches processes as Linux does")
def test_no_input_does_harm(tmp_path: Path) -> None:
    inputs = chosen(INPUTS, quick=True)
    ended = list(answers(inputs, 1, tmp_path, LIMIT))
    assert sorted(answer["id"] for answer in ended) == sorted(inputs)
    findings = [described(answer) for answer in ended if answer["why"]]
    assert not findings, "\n".join(["", *findings])


@seed(0)
@settings(max_examples=300, deadline=None, database=None)
@given(text=CALLS, name=st.sampled_from(["calls", "sums"]))
def test_what_is_read_is_written_as_the_same(text: str, name: str) -> None:
    TARGETS[name](text.encode())


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_a_refusal_comes_out_of_a_parser(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    good = examples(name)
    for data in good:
        TARGETS[name](data)

    @seed(0)
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.sampled_from(good), st.integers(0, 400), st.binary(max_size=40), st.integers(0, 9))
    def meet(data: bytes, at: int, more: bytes, gone: int) -> None:
        TARGETS[name](data[:at] + more + data[at + gone :])

    meet()


def test_nox_fuzzes_every_target() -> None:
    text = (REPOSITORY / "noxfile.py").read_text(encoding="utf-8")
    fuzzed = text.partition("FUZZED = (")[2].partition("\n)")[0]
    assert set(re.findall(r'"(\w+)"', fuzzed)) == set(TARGETS) == set(WATCHED)


ASKED = Asked("run", "x")
VERDICTS = (
    (ASKED, Ended(0, "", "", 1, 1.0), "done", True),
    (ASKED, Ended(2, "", "ferc: no such file x\n", 1, 1.0), "sentences", True),
    (ASKED, Ended(2, "", "Usage: ferc run\nError: No such option\n", 1, 1.0), "sentences", True),
    (ASKED, Ended(None, "", "", 1, 60.0), "hangs", False),
    (ASKED, Ended(1, "", "Traceback (most recent call last):\n", 1, 1.0), "tracebacks", False),
    (ASKED, Ended(1, "", "", 1, 1.0), "silent", False),
    (ASKED, Ended(1, "", "ferc: a\nferc: b\n", 1, 1.0), "silent", False),
    (ASKED, Ended(1, "", "ferc: \x1b[31mred\n", 1, 1.0), "silent", False),
    (ASKED, Ended(1, "", "ferc: " + "x\n" * 50, 1, 1.0), "silent", False),
    (ASKED, Ended(-11, "", "", 1, 1.0), "silent", False),
    (ASKED, Ended(1, "", "ferc: a\n", 3 << 30, 1.0), "memory over 2 GB", False),
    (ASKED, Ended(1, "", "ferc: a\n", 1, 1.0, ("x was changed",)), "foreign files changed", False),
    (ASKED, Ended(1, "", "ferc: a\n", 1, 1.0, (), ("a mark",)), "code executed", False),
    (Asked("run", expect="refused"), Ended(0, "", "", 1, 1.0), "silent", False),
    (Asked("run", expect="done"), Ended(2, "", "ferc: a\n", 1, 1.0), "silent", False),
    (Asked("verify", "x"), Ended(1, "x.png is missing\n", "", 1, 1.0), "sentences", True),
    (Asked("run", signal=(1, 0.1)), Ended(-1, "", "", 1, 1.0), "sentences", True),
)


@pytest.mark.parametrize(("asked", "ended", "kind", "fine"), VERDICTS)
def test_the_judge_knows_every_end(asked: Asked, ended: Ended, kind: str, fine: bool) -> None:
    verdict = judged(asked, ended)
    assert (verdict.kind, verdict.fine) == (kind, fine)


@pytest.mark.skipif(sys.platform != "linux", reason="forks and watches processes as Linux does")
def test_what_a_process_changes_is_noticed(tmp_path: Path) -> None:
    from campaign.boxes import contents, differences

    box = tmp_path / "box"
    for name in ("work", "outside", "cache"):
        (box / name).mkdir(parents=True)
        (box / name / "mine").write_text("mine")
    (box / "work" / "gone").touch()
    before = contents(box)
    for name in ("work", "outside", "cache"):
        (box / name / "mine").write_text("other")
    (box / "work" / "gone").unlink()
    (box / "work" / "new").touch()
    (box / "outside" / "new").symlink_to(os.devnull)
    assert differences(before, contents(box), ASKED) == [
        "outside/mine was changed",
        "outside/new appeared",
        "work/gone was removed",
        "work/mine was changed",
    ]
