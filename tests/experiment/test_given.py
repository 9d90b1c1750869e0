"""A model in hand, any callable or object with ``logits``, evaluated by ``ferc.evaluate``."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence

import ferc_core as ferc
from ferc_core.errors import FercError, RequestError, RunError

# Brightness says nothing of the expression, so that its best temperature has no end.
pytestmark = pytest.mark.filterwarnings("ignore:.*has the temperature 20")

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


def test_a_plain_function_is_evaluated_as_a_run_is(evaluated):
    assert repr(evaluated).endswith("1 trial in 5 cells")
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


def test_nothing_is_warned_of_where_all_is_well(faces, tmp_path):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cells = {**CELLS, "calibrators": "vector"}
        ferc.evaluate(brightness, faces, out=tmp_path / "run", quiet=True, **cells)
    assert not [str(warning.message) for warning in said]


def test_the_command_line_says_that_a_given_model_is_not_there(ferc, evaluated):
    message = one_sentence(ferc("run", evaluated.path.resolve()), 2)
    assert "a run of ferc.evaluate is made from Python" in message


def test_a_dataset_with_a_test_split_alone_is_scored_without_calibrators(faces, tmp_path):
    alone = ferc.FaceSet(faces.name, faces.classes, {"test": faces.splits["test"]})
    run = ferc.evaluate(brightness, alone, out=tmp_path / "run", quiet=True, **CELLS)
    assert set(run.scores["calibrator"]) == {"none"}
    assert set(run.scores["n"]) == {12}


def test_a_fraction_of_the_scored_split_fits_the_calibrators(faces, tmp_path, capsys):
    alone = ferc.FaceSet(faces.name, faces.classes, {"test": faces.splits["test"]})
    out = tmp_path / "run"
    run = ferc.evaluate(brightness, alone, out=out, calibrate_on="0.25", **CELLS)
    said = capsys.readouterr().err
    assert "faces of 'test' held out of scoring, by subject" in said
    assert set(run.scores["calibrator"]) == {"none", "temperature"}
    (file,) = out.glob("predictions/*/validation.parquet")
    held = pl.read_parquet(file)
    scored = run.labels()["sample"].unique().to_list()
    assert not set(held["sample"]) & set(scored)
    assert len(held) + len(scored) == 12
    with pytest.raises(RequestError, match=r"was made with calibrate_on '0\.25', not '0\.5'"):
        ferc.evaluate(brightness, alone, out=out, calibrate_on="0.5", quiet=True, **CELLS)
