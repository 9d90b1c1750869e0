"""Result cards: what they hold, the pages made of them, and those that somebody has edited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import SMALL, TWO

from ferc_core import open_run
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.results.cards import RESAMPLES, cell_of, read_card
from ferc_core.results.report.leaderboard import COLUMNS, leaderboard
from ferc_core.results.report.page import by_version

SECTIONS = ("verdict", "scores", "leaderboard", "severity", "heatmap", "tradeoff", "judged")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with two runs on the same toy faces, and the card of each."""
    home = tmp_path_factory.mktemp("home")
    ferc = ferc_in(home)
    for name, more in (("one", ("--calibrator", "none")), ("two", ("--epochs", 2))):
        done = ferc("run", *SMALL, *TWO, *more, "--out", name, "--quiet")
        assert done.returncode == 0, done.stderr
        done = ferc("report", name, "--card", "--out", f"{name}.json")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{name}.json is written.\n"
    return home


def edited(home: Path, path: Path, change) -> Path:
    """Write a card in which something was changed."""
    card = json.loads((home / "one.json").read_text())
    change(card)
    path.write_text(json.dumps(card))
    return path


def test_a_card_has_every_score_and_the_intervals_of_the_run(home):
    run, card = open_run(home / "one"), open_run(home / "one.json")
    assert card.scores.sort(pl.all()).equals(run.scores.sort(pl.all()))
    assert str(card.summary()) == str(run.summary())
    assert [str(trial) for trial in card.trials] == [str(trial) for trial in run.trials]
    for by in ((), ("severity",)):
        asked = by, ["accuracy", "soft_ece"]
        of_card = card.estimates(*asked, 7)  # whatever is asked for, it has those that it has
        of_run = run.estimates(*asked, RESAMPLES, differences=False)
        keys = ["method", "loss", "calibrator", "corruption", "severity", "metric"]
        columns = [*keys, "value", "low", "high", "resamples"]
        assert of_card.select(columns).sort(keys).equals(of_run.select(columns).sort(keys))


def test_a_card_says_what_made_it_and_nothing_of_the_machine(home):
    card, _ = read_card(home / "one.json")
    assert card.run.benchmark == BENCHMARK_VERSION
    assert card.run.versions["ferc-core"]
    assert card.settings["corruptions"] == ["snow", "contrast"]
    assert set(card.hashes) == {"results.parquet", "labels.parquet", "manifest.json", "data"}
    text = (home / "one.json").read_text()
    assert str(home) not in text
    assert not {"out", "data_root", "workers"} & set(card.settings)


def test_the_same_run_gives_the_same_card(home):
    ferc = ferc_in(home)
    assert ferc("report", "one", "--card", "--quiet").returncode == 0
    assert (home / "result.json").read_bytes() == (home / "one.json").read_bytes()


def test_a_page_is_made_of_cards_alone(home, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_bytes((home / f"{name}.json").read_bytes())
    ferc = ferc_in(tmp_path)
    done = ferc("report", "one.json", "two.json")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text()
    for section in (
        "verdict",
        "scores",
        "leaderboard",
        "severity",
        "heatmap",
        "tradeoff",
        "judged",
    ):
        assert f'<section id="{section}">' in text
    for section in ("reliability", "faces"):  # they need predictions
        assert f'<section id="{section}">' not in text
    for name in ("one", "two"):
        assert all(
            f"{name}: {said}" in text for said in read_card(home / f"{name}.json")[0].verdict
        )


def test_tables_read_cards_as_they_read_runs(home):
    ferc = ferc_in(home)
    shown = [ferc("results", name, "--by", "corruption").stdout for name in ("one", "one.json")]
    assert shown[0] == shown[1]
    refused = one_sentence(ferc("intervals", "one.json"), 1)
    assert "one.json has scores alone" in refused


def test_a_card_of_another_version_is_shown_apart(home, tmp_path):
    old = edited(home, tmp_path / "old.json", lambda card: card["run"].update(benchmark="0.9"))
    ferc = ferc_in(home)
    done = ferc("report", old, "one", "two.json", "--out", "mixed.html")
    assert done.returncode == 0, done.stderr
    text = (home / "mixed.html").read_text()
    _, _, apart = text.partition("<h2>Version 0.9 of the benchmark</h2>")
    assert "not to be compared" in apart
    board = text.partition("<h2>Leaderboard</h2>")[2].partition("</section>")[0]
    assert "old" not in board
    assert list(by_version([old, home / "one"])) == [BENCHMARK_VERSION, "0.9"]


# What somebody may have edited


def dropped(card):
    del card["scores"][0]["values"]["accuracy"][3]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: c.pop("cells"), "cells: field required"),
        (lambda c: c.update(ferc_card=2), "ferc_card: input should be 1"),
        (lambda c: c.update(note="mine"), "must not have 'note'"),
        (lambda c: c["run"].pop("benchmark"), "run.benchmark: field required"),
        (lambda c: c["scores"][0].update(noise=3.0), "scores.0.noise: "),
        (lambda c: c["scores"][0]["values"].update(ece="low"), "scores.0.values.ece"),
        (lambda c: c["scores"][0]["values"]["ece"].__setitem__(2, "x"), "scores.0.values.ece.2"),
        (dropped, "scores.0.values.accuracy: 4 values in 5 cells"),
        (lambda c: c["cells"].__setitem__(1, "snow"), "cells: 'snow' is no cell such as 'snow/3'"),
        (lambda c: c["intervals"][0].update(low=[1]), "intervals.0.low"),
        (lambda c: c.update(images=0), "images: "),
        (lambda c: c["scores"].append(c["scores"][0]), "has two rows with dataset toyfaces"),
    ],
)  # fmt: skip
def test_an_edited_card_is_refused_with_the_path_of_the_field(home, tmp_path, change, place):
    card = edited(home, tmp_path / "c.json", change)
    refused = one_sentence(ferc_in(tmp_path)("report", card), 1)
    assert str(card) in refused
    assert place in refused
    assert not (tmp_path / "report.html").exists()


def test_what_is_no_card_is_refused(home, tmp_path):
    ferc = ferc_in(tmp_path)
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "text.json").write_text("{")
    for name, said in (("list", "is not a result card"), ("text", "not valid JSON"),
                       ("gone", "cannot be read: No such file")):  # fmt: skip
        assert said in one_sentence(ferc("report", f"{name}.json"), 1)
    assert "one run directory" in one_sentence(
        ferc("report", home / "one", home / "two", "--card"), 2
    )
    assert "one run directory" in one_sentence(ferc("report", home / "one.json", "--card"), 2)
    assert "use --out FILE.json" in one_sentence(
        ferc("report", home / "one", "--card", "--out", "a.html"), 2
    )
    assert "a card has no images" in one_sentence(
        ferc("report", home / "one", "--card", "--with-images"), 2
    )


def test_cells_are_read_strictly():
    assert str(cell_of("low/light/3")) == "low/light/3"
    for text in ("snow", "snow/", "/3", "snow/x", "snow/-1", "snow/1234"):
        with pytest.raises(ValueError, match="is no cell"):
            cell_of(text)


# The leaderboard


def numbers(text: str) -> tuple[float, float, float]:
    value, low, high = (float(part.strip("()*")) for part in text.replace(" to ", " ").split()[:3])
    return value, low, high


def test_differences_are_taken_on_the_same_faces_and_are_wider_between_cards(home):
    boards = [
        leaderboard(open_run(*paths), 200)
        for paths in ((home / "one", home / "two"), (home / "one.json", home / "two.json"))
    ]
    paired, single = (
        {tuple(row[:2]): row for row in board.rows if board} for board in boards
    )  # fmt: skip
    assert [len(rows) for rows in (paired, single)] == [3, 3]  # one has no calibrator
    wider = 0
    for place, row in paired.items():
        other = single[place]
        for i in range(2, 2 + 2 * len(COLUMNS), 2):
            assert row[i] == other[i]  # the scores
            if not row[i + 1]:
                assert not other[i + 1]
                continue
            value, low, high = numbers(row[i + 1])
            expected = numbers(row[i])[0] - numbers(first_row(paired)[i])[0]
            assert value == pytest.approx(expected, abs=0.11)
            assert low <= value <= high
            assert ("*" in row[i + 1]) == (low > 0 or high < 0) or 0 in (low, high)
            wide = numbers(other[i + 1])
            wider += wide[2] - wide[1] > high - low
    assert wider >= 4  # of 6


def first_row(rows):
    """Return the row that the others are compared with: it has no differences."""
    return next(row for row in rows.values() if not row[3])


def test_other_faces_are_not_compared(home, tmp_path):
    def other(card):
        card.update(dataset="others")

    card = edited(home, tmp_path / "other.json", other)
    board = leaderboard(open_run(home / "one", card), 50)
    assert board is not None
    (row,) = [row for row in board.rows if row[0].startswith("others")]
    assert [row[i] for i in (3, 5, 7)] == ["", "", ""]
    assert np.isfinite(numbers(row[2])).all()


def test_one_line_is_no_leaderboard(home):
    assert leaderboard(open_run(home / "one"), 20) is None
