"""mCE and relative mCE against a baseline trial."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.stored import make_run

from ferc_core import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two losses, two seeds, two corruptions at two severities."""
    return make_run(tmp_path_factory.mktemp("robustness") / "run", seeds=(0, 1))


def errors(run, loss: str, corruption: str) -> np.ndarray:
    """The errors of a loss in the cells of a corruption, the mean over seeds."""
    scores = pl.read_parquet(run / "results.parquet")
    rows = scores.filter(metric="accuracy", calibrator="none", loss=loss, corruption=corruption)
    return (
        1
        - rows.group_by("severity", maintain_order=True)
        .agg(pl.col("value").mean())["value"]
        .to_numpy()
    )


def test_they_are_those_of_their_definition(run):
    table = open_run(run).corruption_errors("baseline ce").frame
    assert table["loss"].to_list() == ["ce", "focal"]
    base, other = (
        {c: errors(run, loss, c) for c in ("clean", "snow", "contrast")} for loss in ("ce", "focal")
    )
    ratios = [other[c].sum() / base[c].sum() for c in ("snow", "contrast")]
    rises = [
        (other[c] - other["clean"]).sum() / (base[c] - base["clean"]).sum()
        for c in ("snow", "contrast")
        if (base[c] - base["clean"]).sum() > 0
    ]
    assert table["mce"].to_list() == pytest.approx([1, np.mean(ratios)])
    expected = np.mean(rises) if rises else None
    assert table["relative_mce"][1] == (expected if expected is None else pytest.approx(expected))
    assert table["corruptions"].to_list() == [2, 2]


def test_the_command_shows_them(ferc, run):
    done = ferc("results", run, "--mce", "baseline focal", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[1]["mce"] == 1
    shown = ferc("results", run, "--mce", "baseline focal")
    assert "100.0" in shown.stdout
    assert "mCE" in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--mce", "basline ce"],
            "unknown baseline trial 'basline ce': did you mean 'baseline ce'",
        ),
        (["--mce", "baseline"], "names several trials"),
        (["--mce", "baseline ce", "--by", "seed"], "--mce is a table of its own"),
        (["--mce", "baseline ce", "--fitted"], "is a table of its own"),
    ],
)
def test_a_wrong_request_is_refused(ferc, run, options, message):
    assert message in one_sentence(ferc("results", run, *options), 2)


def test_clean_scores_alone_are_not_enough(run):
    scores = pl.read_parquet(run / "results.parquet").filter(corruption="clean")
    from ferc_core.results.robustness import corruption_errors

    with pytest.raises(Exception, match="clean and of corrupted images"):
        corruption_errors(scores, "baseline ce")
