"""FER-C from Python: the verbs, and one sentence as FercError for every mistake."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, own_plugins
from helpers.runs import folder_of_faces

import ferc_core as ferc
from ferc_core.errors import FercError, RequestError, RunError, UnknownNameError

CELLS = {"corruptions": ["contrast", "snow"], "severities": (1, 5), "image_size": 32}
K = 8


@pytest.fixture(scope="module")
def faces() -> ferc.FaceSet:
    return ferc.open_dataset("toyfaces", train=8, valid=16, test=12, size=40)


def brightness(images: np.ndarray) -> np.ndarray:
    """Logits that depend on the images."""
    assert images.dtype == np.uint8
    assert images.shape[1:] == (32, 32, 3)
    return images.mean(axis=(1, 2, 3))[:, None] * np.arange(K) / 255


@pytest.fixture(scope="module")
def evaluated(faces, tmp_path_factory):
    """The run of a plain function, made once."""
    out = tmp_path_factory.mktemp("evaluated") / "run"
    return ferc.evaluate(brightness, faces, name="brightness", out=str(out), quiet=True, **CELLS)


# --- datasets, corruptions, scores


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
    assert both["metric"].to_list() == list(metrics)
    for name, value in both.select("metric", "value").iter_rows():
        against = targets if metrics[name].target == "soft" else labels
        assert value == metrics[name](probs, against)
    hard, soft = ferc.score(probs, labels), ferc.score(probs, targets=targets)
    assert set(hard["metric"]) | set(soft["metric"]) == set(metrics)
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
    assert repr(run) == "Run('run'): 1 trials in 2 cells"
    assert run.scores.equals(again.scores)
    assert run.scores.equals(rerun.scores)
    assert not run.failures.causes
    assert "everything goes to run" in (tmp_path / "log.txt").read_text()


def test_a_run_shows_its_progress_unless_it_is_quiet(faces, tmp_path, capsys, evaluated):
    ferc.evaluate(brightness, faces, name="brightness", out=evaluated.path, **CELLS)
    assert "everything goes to" in capsys.readouterr().err
    ferc.evaluate(brightness, faces, name="brightness", out=evaluated.path, quiet=True, **CELLS)
    shown = capsys.readouterr()
    assert shown.err == shown.out == ""


def test_a_tilde_is_the_home_directory(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = {"corruptions": "contrast", "severities": 1, "image_size": 32, "quiet": True}
    run = ferc.evaluate(brightness, faces, out="~/run", log_file="~/log.txt", **settings)
    assert run.path == tmp_path / "run"
    assert ferc.open_run("~/run").scores.equals(run.scores)
    assert (tmp_path / "log.txt").exists()


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


# --- a model of one's own


def test_a_plain_function_is_evaluated_as_a_run_is(evaluated):
    assert repr(evaluated).endswith("1 trials in 5 cells")
    scores = evaluated.scores
    assert scores.equals(pl.read_parquet(evaluated.path / "results.parquet"))
    assert scores["method"].unique().to_list() == ["brightness"]
    assert set(scores["calibrator"]) == {"none", "temperature"}
    assert set(scores["n"]) == {12}
    assert (evaluated.path / "config.toml").exists()
    assert (evaluated.path / "labels.parquet").exists()
    assert not (evaluated.path / "checkpoints").exists()


def test_what_a_model_is_makes_no_difference(faces, tmp_path, evaluated):
    torch = pytest.importorskip("torch")

    class Model:
        def logits(self, images):
            return brightness(images)

    def tensor(images):
        return torch.tensor(brightness(images), requires_grad=True)

    def spoils_its_input(images):
        found = brightness(images)
        images[:] = 0
        return found.tolist()

    for number, model in enumerate((Model(), tensor, spoils_its_input)):
        out = tmp_path / str(number)
        run = ferc.evaluate(model, faces, name="brightness", out=out, quiet=True, **CELLS)
        assert run.scores.equals(evaluated.scores)


def test_a_softmax_model_is_evaluated_with_output_probs(faces, tmp_path):
    def probs(images):
        weights = np.exp(brightness(images))
        return weights / weights.sum(axis=1, keepdims=True)

    run = ferc.evaluate(probs, faces, out=tmp_path / "run", output="probs", quiet=True, **CELLS)
    accuracy = run.scores.filter(metric="accuracy", corruption="clean")["value"]
    assert accuracy.n_unique() == 1
    logits = run.logits("model")
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("splits", "calibrators"), [(("test",), {"none"}), (("valid", "test"), {"none", "temperature"})]
)
def test_faces_without_a_training_split_are_enough(faces, tmp_path, splits, calibrators):
    some = ferc.FaceSet("mine", faces.classes, {name: faces.splits[name] for name in splits})
    run = ferc.evaluate(brightness, some, out=tmp_path / "run", quiet=True, **CELLS)
    assert set(run.scores["calibrator"]) == calibrators
    assert set(run.scores["dataset"]) == {"mine"}
    assert set(run.scores["n"]) == {12}


class Once:
    """Counts how often it is asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, 0

    def __call__(self, images):
        self.asked += 1
        return self.answer(images)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda images: np.zeros((len(images), 3)), RequestError, r"returned \[12, 3\] for 12"),
        (lambda images: np.zeros(K), RequestError, r"returned \[8\] for 12 images"),
        (lambda images: np.full((len(images), K), np.nan), RunError, "not finite"),
        (lambda images: np.full((len(images), K), 1 / K), RequestError, "pass output='probs'"),
        (lambda images: "happy", RequestError, "returned a str"),
        (lambda images: None, RequestError, "returned"),
        (lambda images: [][0], RunError, "IndexError: list index out of range"),
    ],
)
def test_a_model_that_answers_wrongly_is_named_at_its_first_batch(
    faces, tmp_path, answer, error, message
):
    model = Once(answer)
    with pytest.raises(error, match=message) as refusal:
        ferc.evaluate(model, faces, name="wrong", out=tmp_path / "run", quiet=True, **CELLS)
    assert "'wrong'" in str(refusal.value)
    assert model.asked == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": 3}, "must be callable"),
        ({"faces": "toyfaces"}, "faces must be a FaceSet"),
        ({"epochs": 3}, "evaluate takes no epochs"),
        ({"dataset": "toyfaces"}, "evaluate takes no dataset"),
        ({"output": "softmax"}, "output must be 'logits' or 'probs'"),
        ({"corruptions": "snwo"}, "did you mean 'snow'"),
        ({"output": "probs"}, "not probabilities"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(faces, tmp_path, changes, message):
    usual = {"model": brightness, "faces": faces, "out": tmp_path / "run", "quiet": True, **CELLS}
    with pytest.raises(FercError, match=message):
        ferc.evaluate(**{**usual, **changes})


def test_another_model_under_the_same_name_or_other_faces_are_refused(faces, evaluated):
    before = evaluated.scores

    def other(images):
        return -brightness(images)

    here = {"name": "brightness", "out": evaluated.path, "quiet": True}
    with pytest.raises(RequestError, match="predictions of another model called brightness"):
        ferc.evaluate(other, faces, **here, **CELLS)
    fewer = ferc.open_dataset("toyfaces", train=8, valid=16, test=11, size=40)
    with pytest.raises(RequestError, match=r"was made with data .* choose another directory"):
        ferc.evaluate(brightness, fewer, **here, **CELLS)
    assert ferc.open_run(evaluated.path).scores.equals(before)


def test_an_evaluation_is_resumed(faces, evaluated):
    model = Once(brightness)
    again = ferc.evaluate(model, faces, name="brightness", out=evaluated.path, quiet=True, **CELLS)
    assert again.scores.equals(evaluated.scores)
    assert model.asked == 1  # to see that it is the same


# --- a finished run


def test_a_finished_run_opens_with_its_tables(small_run):
    run = ferc.open_run(str(small_run))
    assert run.scores.equals(ferc.open_run(small_run).scores)
    summary = run.summary()
    assert summary.frame["method"].unique().to_list() == ["softmax_regression"]
    assert "softmax_regression" in repr(summary)
    html = summary._repr_html_()
    assert html.count("<tr") == 1 + len(summary.frame)
    assert "softmax_regression" in html
    assert "NaN" not in html
    (trial,), labels = run.trials, run.labels()
    clean = labels.filter(corruption="clean")
    hits = run.logits(trial).argmax(axis=1) == clean["label"].to_numpy()
    where = {"metric": "accuracy", "corruption": "clean", "calibrator": "none"}
    assert run.scores.filter(**where)["value"].to_list() == [hits.mean()]
    np.testing.assert_array_equal(run.logits(str(trial), "snow/5"), run.logits(trial, ("snow", 5)))
    by = run.means("severity", ["accuracy"]).frame
    assert by["severity"].unique().sort().to_list() == [0, 1, 5]


def test_intervals_of_a_finished_run_hold_its_scores(small_run):
    found = ferc.open_run(small_run).intervals(by="severity", metrics=["accuracy"], resamples=50)
    own = found.filter(pl.col("against").is_null())
    assert (own["low"] <= own["value"]).all()
    assert (own["value"] <= own["high"]).all()


def test_what_a_run_does_not_have_is_refused(small_run, tmp_path):
    run = ferc.open_run(small_run)
    with pytest.raises(UnknownNameError, match="unknown cell 'fog/1'"):
        run.logits(run.trials[0], "fog/1")
    with pytest.raises(UnknownNameError, match="unknown trial 'nobody'"):
        run.logits("nobody")
    with pytest.raises(UnknownNameError, match="did you mean 'severity'"):
        run.means("severty")
    with pytest.raises(RequestError, match="is not a run directory"):
        ferc.open_run(tmp_path / "nowhere")
    with pytest.raises(FercError, match="has no results yet"):
        ferc.open_run(tmp_path)


def test_nothing_is_warned_of_where_all_is_well(faces, tmp_path):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ferc.evaluate(brightness, faces, out=tmp_path / "run", quiet=True, **CELLS)
    assert not [str(warning.message) for warning in said]
