"""Tables as text: what each format makes of a score, and which one a file gets."""

from __future__ import annotations

import json

import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.paper import rows, show, store

from ferc_core.errors import RequestError
from ferc_core.plugins.host import registry
from ferc_core.results import formats

ODD = r"a_b%c&d#e$f~g^h\i<j>[k]"
FRAME = pl.DataFrame(
    {
        "method": [ODD, "scn"],
        "clean_macro_f1": [0.5, None],
        "ferc_nll": [float("nan"), 1.25],
        "n": [40, 40],
    }
)


@pytest.fixture
def run(tmp_path):
    return store(tmp_path / "run", rows(methods=["rul"], seeds=[0]))


def test_scores_have_the_unit_of_their_metric():
    assert formats.shown("clean_macro_f1", 0.5) == "50.0"
    assert formats.shown("ferc_nll", 1.25) == "1.250"
    assert formats.shown("noise", 0.1) == "0.1"
    assert formats.shown("accuracy", None) == ""
    assert [formats.heading(name) for name in ("ferc_soft_ece", "n", "label_scheme")] == [
        "FER-C soft ECE", "N", "label scheme",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_is_null_where_a_number_is_not_finite(value):
    frame = pl.DataFrame({"accuracy": [value, 0.5], "n": [1, 2], "name": ["a", "b"]})
    text = registry().reporters["json"](frame)
    assert json.loads(text, parse_constant=pytest.fail) == [
        {"accuracy": None, "n": 1, "name": "a"},
        {"accuracy": 0.5, "n": 2, "name": "b"},
    ]
    whole = frame.select("n", "name")  # without any such column
    assert json.loads(formats.json_(whole)) == whole.to_dicts()


def test_json_of_a_run_with_undefined_scores_is_json(tmp_path):
    undefined = lambda metric, **_: float("nan") if metric == "ece" else 0.5
    run = store(tmp_path / "run", rows(methods=["rul"], value=undefined))
    (first, _) = json.loads(show(run, "--format", "json"), parse_constant=pytest.fail)
    assert (first["clean_ece"], first["clean_macro_f1"]) == (None, 0.5)


def test_terminal_markdown_and_html_show_names_as_they_are():
    assert ODD in formats.table(FRAME)
    assert f"| {ODD} | 50.0 | nan | 40 |" in formats.markdown(FRAME)
    assert "|  | 1.250 | 40 |" in formats.markdown(FRAME)
    page = formats.html(FRAME)
    assert r"a_b%c&amp;d#e$f~g^h\i&lt;j&gt;[k]" in page
    assert page.count("<tr>") == 3


def test_a_metric_whose_name_ends_like_a_spread_is_shown():
    headings, _ = formats.people(pl.DataFrame({"ece": [0.1], "ece_sd": [0.2], "width_sd": [0.3]}))
    assert headings == ["ECE", "width sd"]


def test_csv_has_the_plain_values(run):
    lines = show(run, "--format", "csv").splitlines()
    assert lines[0].startswith("method,loss,calibrator,clean_accuracy,clean_macro_f1,")
    assert "0.5" in lines[1].split(",")


# The suffix of a file decides


@pytest.mark.parametrize(
    ("suffix", "format"),
    [(".txt", "table"), (".json", "json"), (".csv", "csv"), (".md", "markdown"), (".tex", "latex")],
)
def test_the_suffix_of_a_file_decides_the_format(run, tmp_path, suffix, format):
    file = tmp_path / "deep" / f"scores{suffix}"
    assert show(run, "--out", file) == ""
    assert file.read_text(encoding="utf-8") == show(run, "--format", format)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "fig.png"], "unknown kind of file '.png'"),
        (["--out", "scores"], "unknown kind of file ''"),
        (["--out", "scores.jsn"], "did you mean '.json'?"),
        (["--out", "a.csv", "--format", "latex"], "a.csv would be csv, not latex"),
        (["--format", "jsn"], "did you mean 'json'?"),
        (["--metric", "accuracy"], "--metric goes with --by"),
    ],
)
def test_a_format_that_cannot_be_is_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError) as refused:
        show(run, *arguments)
    assert message in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_own_reporter_writes_a_file_of_its_own(ferc, run, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from ferc_core import Reporter, hookimpl\n\n\n"
        "@hookimpl\ndef register_reporters(register):\n"
        "    register(Reporter('mine', lambda frame: f'{len(frame)} rows'))\n"
        "    register(Reporter('broken', lambda frame: 1 / 0, suffixes=('.bad',)))\n"
    )
    plugin = ("results", run, "--plugin", "mine.py")
    done = ferc(*plugin, "--format", "mine", "--out", "a.mine")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.mine").read_text() == "2 rows\n"
    message = one_sentence(ferc(*plugin, "--out", "a.bad"), 1)
    assert "reporter 'broken' failed: ZeroDivisionError" in message
    assert not (tmp_path / "a.bad").exists()


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("f1", 0.5432, "54.3"),
        ("rank_correlation", 0.91234, "0.912"),
        ("value", 1.37367, "1.374"),
        ("noise", 0.2, "0.2"),
        ("worst", True, "worst"),
        ("worst", False, ""),
        ("accuracy", None, ""),
    ],
)
def test_values_are_shown_as_people_read_them(column, value, text):
    assert formats.shown(column, value) == text
