"""FER-C from Python: the verbs, and one sentence as FercError for every mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.commands import EXAMPLES, own_plugins
from helpers.runs import folder_of_faces

import ferc_core as ferc
from ferc_core.errors import FercError, RequestError


@pytest.fixture(scope="module")
def faces() -> ferc.FaceSet:
    return ferc.open_dataset("toyfaces", train=8, valid=16, test=12, size=40)


# --- datasets, corruptions, scores


def test_a_part_is_for_the_command_line():
    with pytest.raises(RequestError, match="part is for job arrays of ferc run"):
        ferc.run(dataset="toyfaces", part="1/2", quiet=True)


def test_a_dataset_opens_by_its_name_with_options_in_either_form(tmp_path):
    folder_of_faces(tmp_path / "faces")
    for root in (tmp_path / "faces", str(tmp_path / "faces")):
        faces = ferc.open_dataset("folder", root)
        assert faces.classes == ("angry", "calm")
    one = ferc.open_dataset("toyfaces(train=9)", valid=8, test=8)
    other = ferc.open_dataset("toyfaces", train=9, valid=8, test=8)
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["toyface"], {}, "did you mean 'toyfaces'"),
        (["folder"], {}, "needs its root directory"),
        (["folder", "nowhere"], {}, "nowhere"),
        (["toyfaces", "nowhere"], {}, "has no root directory"),
        (["toyfaces"], {"trian": 3}, "did you mean 'train'"),
        (["toyfaces"], {"train": "many"}, "must be a number"),
    ],
)
def test_a_dataset_that_cannot_be_opened_is_refused(arguments, options, message):
    with pytest.raises(FercError, match=message):
        ferc.open_dataset(*arguments, **options)


def test_an_image_is_corrupted_the_same_way_at_each_call_and_left_alone(faces):
    image = faces.splits["test"][0].image
    kept = image.copy()
    snow = ferc.corrupt(image, "snow", 3, seed=7)
    np.testing.assert_array_equal(snow, ferc.corrupt(image, "snow", 3, seed=7))
    np.testing.assert_array_equal(image, kept)
    assert (snow != ferc.corrupt(image, "snow", 3, seed=8)).any()
    assert (snow != ferc.corrupt(image, "snow", 3, seed=7, sample="another")).any()
    other = ferc.corrupt(image, "snow", 3, seed=7, severity_table="tiny-imagenet-c")
    assert (snow != other).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("snwo", 3), "did you mean 'snow'"),
        (("snow", 3.0), "severity must be a whole number, 1 to 5, not 3.0"),
        (("snow", 0), "severity must be 1, 2, 3, 4 or 5, not 0"),
    ],
)
def test_a_corruption_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(RequestError, match=message):
        ferc.corrupt(np.zeros((40, 40, 3), np.uint8), *arguments)


def test_what_is_not_an_image_is_refused():
    for array in (
        np.zeros((40, 40)),
        np.zeros((40, 40, 3)),
        np.zeros((8, 8, 3), np.uint8),
        "x.png",
    ):
        with pytest.raises(FercError, match="image"):
            ferc.corrupt(array, "snow", 3)
    with pytest.raises(FercError, match="severity table"):
        ferc.corrupt(np.zeros((40, 40, 3), np.uint8), "snow", 3, severity_table="imagnet-c")


def test_scores_are_hard_against_labels_and_soft_against_targets():
    rng = np.random.default_rng(0)
    probs, targets = rng.dirichlet(np.ones(4), (2, 50))
    labels = targets.argmax(axis=1)
    both = ferc.score(probs, labels, targets)
    assert both.columns == ["metric", "title", "value", "higher_is_better", "n"]
    metrics = ferc.registry().metrics
    assert both["metric"].to_list() == [name for name, m in metrics.items() if not m.needs]
    for name, value in both.select("metric", "value").iter_rows():
        against = targets if metrics[name].target == "soft" else labels
        assert value == metrics[name](probs, against)
    hard, soft = ferc.score(probs, labels), ferc.score(probs, targets=targets)
    assert set(hard["metric"]) | set(soft["metric"]) == set(both["metric"])
    assert not set(hard["metric"]) & set(soft["metric"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"probs": [[0.5, 0.5]]}, "give labels"),
        ({"probs": [[2.0, 0.5]], "labels": [0]}, "not logits"),
        ({"probs": [[0.5, np.nan]], "labels": [0]}, "nan"),
        ({"probs": [[0.5, 0.5]], "labels": [2]}, "2"),
        ({"probs": [[0.5, 0.5]], "labels": [0, 1]}, "1|2"),
        ({"probs": [0.5, 0.5], "labels": [0, 1]}, "N, K"),
        ({"probs": "probs.csv", "labels": [0]}, "probs"),
    ],
)
def test_arrays_that_cannot_be_scored_are_refused(arrays, message):
    with pytest.raises(FercError, match=message):
        ferc.score(**arrays)


# --- runs


def test_a_run_takes_strings_and_paths_one_value_or_a_list(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of_faces(tmp_path / "faces")
    settings = {"methods": "softmax_regression", "losses": ["ce"], "corruptions": "contrast",
                "severities": 3, "image_size": 32, "label_scheme": "one-hot", "quiet": True,
                "dataset": "folder"}  # fmt: skip
    with own_plugins():
        run = ferc.run(
            data_root=tmp_path / "faces", out=Path("run"), plugins=[EXAMPLES / "my_method.py"],
            log_file="log.txt", **settings,
        )  # fmt: skip
        again = ferc.run(
            data_root="faces", out="run", plugins=[str(EXAMPLES / "my_method.py")], **settings
        )
        rerun = ferc.run("run", quiet=True)
    assert repr(run) == "Run('run'): 1 trial in 2 cells"
    assert run.scores.equals(again.scores)
    assert run.scores.equals(rerun.scores)
    assert not run.failures.causes
    assert "everything goes to run" in (tmp_path / "log.txt").read_text()


def test_what_fails_is_warned_of_and_kept(tmp_path):
    plugin = tmp_path / "bad.py"
    plugin.write_text(
        "from ferc_core import Metric, hookimpl\n"
        "@hookimpl\n"
        "def register_metrics(register):\n"
        "    register(Metric('raises', lambda probs, targets: 1 / 0))\n"
    )
    folder_of_faces(tmp_path / "faces")
    with own_plugins(), pytest.warns(UserWarning, match="metric raises failed: ZeroDivisionError"):
        run = ferc.run(
            dataset="folder", data_root=tmp_path / "faces", methods="softmax_regression",
            losses="ce", corruptions="contrast", severities=3, image_size=32, quiet=True,
            label_scheme="one-hot", plugins=[EXAMPLES / "my_method.py", plugin],
            out=tmp_path / "run",
        )  # fmt: skip
    assert list(run.failures.causes) == ["metric raises"]
    assert "accuracy" in set(run.scores["metric"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "toyface"}, "did you mean 'toyfaces'"),
        ({"losess": "ce"}, "did you mean 'losses'"),
        ({"noise": 2}, "noise must be between 0 and 1"),
        ({"seeds": -1}, "seed must be at least 0"),
        ({"epochs": "many"}, "epochs"),
        ({"severities": 3.5}, "severity: .* not 3.5"),
        ({"config": "absent.toml"}, "cannot read absent.toml"),
        ({"plugins": ["absent.py"]}, "does not exist"),
        ({"label_scheme": "ferc(exponent=two)"}, "must be a number"),
    ],
)
def test_a_run_that_cannot_be_is_refused_as_ferc_error(tmp_path, settings, message):
    with pytest.raises(FercError, match=message):
        ferc.run(**settings, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


# --- a finished run


def test_a_finished_run_opens_by_a_string_or_a_path(small_run, tmp_path):
    run = ferc.open_run(str(small_run))
    assert run.scores.equals(ferc.open_run(small_run).scores)
    assert run.summary().frame["method"].unique().to_list() == ["softmax_regression"]
    assert "softmax_regression" in run.summary()._repr_html_()
    with pytest.raises(RequestError, match="is not a run directory"):
        ferc.open_run(tmp_path / "nowhere")
    with pytest.raises(FercError, match="has no results yet"):
        ferc.open_run(tmp_path)
