"""Models whose outputs have names, and some of a dataset's classes, from end to end."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.runs import METHOD
from scipy.special import softmax

import ferc_core as ferc
from ferc_core.errors import RequestError

CELLS = {"corruptions": "contrast", "severities": 3, "image_size": 32, "calibrators": "none"}
TOYFACES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
# Another order and other names than those of toyfaces, and two more classes.
NAMES = ("angry", "contempt", "disgusted", "fearful", "joy", "neutral", "sadness", "surprised",
         "boredom", "sleep")  # fmt: skip
ORDER = [NAMES.index(n) for n in ("neutral", "joy", "sadness", "surprised", "fearful", "disgusted",
                                  "angry", "contempt")]  # fmt: skip


def model(images: np.ndarray) -> np.ndarray:
    """Logits of ten classes that depend on the images."""
    means = images.astype(float).mean(axis=(1, 2)) / 64
    return means @ np.random.default_rng(0).normal(0, 1, (3, len(NAMES)))


@pytest.fixture(scope="module")
def faces() -> ferc.FaceSet:
    return ferc.open_dataset("toyfaces", train=8, valid=16, test=24, size=40)


def test_outputs_are_matched_by_name_and_others_left_out(faces, tmp_path):
    with pytest.warns(UserWarning, match="boredom, sleep left out, which toyfaces lacks") as said:
        run = ferc.evaluate(model, faces, classes=NAMES, out=tmp_path / "run", quiet=True, **CELLS)
    images = np.stack([face.image for face in run_faces(faces)])
    probs = softmax(model(images), axis=1)
    found = softmax(run.logits("model"), axis=1)
    kept = probs[:, ORDER]
    assert np.allclose(found, kept / kept.sum(axis=1, keepdims=True), atol=1e-5)
    lost = 100 * probs[:, 8:].sum(axis=1).mean()
    assert any(f"{lost:.1f} % of its probability" in str(each.message) for each in said)
    assert run.warnings[0].startswith("model: boredom, sleep left out")


def run_faces(faces):
    """The scored faces as a run resizes them."""
    from ferc_core.images.store import ImageStore

    store = ImageStore(faces.splits["test"], 32)
    pixels = store(np.arange(len(faces.splits["test"])))
    return [type("Face", (), {"image": image}) for image in pixels]


def test_an_attribute_of_the_model_names_its_outputs(faces, tmp_path):
    class Model:
        classes = NAMES

        def logits(self, images):
            return model(images)

    with pytest.warns(UserWarning, match="left out"):
        one = ferc.evaluate(Model(), faces, out=tmp_path / "a", quiet=True, **CELLS)
    with pytest.warns(UserWarning, match="left out"):
        other = ferc.evaluate(model, faces, classes=NAMES, out=tmp_path / "b", quiet=True, **CELLS)
    assert one.scores.equals(other.scores)


def test_a_model_that_lacks_a_class_is_judged_on_the_others(faces, tmp_path):
    seven = [name for name in TOYFACES if name != "contempt"]

    def of_seven(images):
        return model(images)[:, :7]

    with pytest.raises(RequestError, match=r"no output for contempt; .* --classes neutral --class"):
        ferc.evaluate(of_seven, faces, classes=seven, out=tmp_path / "a", quiet=True, **CELLS)
    out = tmp_path / "b"
    options = {"classes": seven, "subset": seven, "label_scheme": "one-hot", **CELLS}
    run = ferc.evaluate(of_seven, faces, out=out, quiet=True, **options)
    test = faces.splits["test"]
    rows = test.labels < 7
    assert set(run.scores["n"]) == {int(rows.sum())}
    labels = run.labels().filter(corruption="clean")
    assert labels["sample"].to_list() == [test.ids[i] for i in np.flatnonzero(rows)]
    assert labels["label"].to_list() == test.labels[rows].tolist()
    accuracy = run.scores.filter(metric="accuracy", corruption="clean")["value"][0]
    assert accuracy == np.mean(run.logits("model").argmax(axis=1) == test.labels[rows])


def test_a_model_without_a_member_of_a_merged_class_will_do(faces, tmp_path):
    seven = TOYFACES[:7]
    run = ferc.evaluate(
        lambda images: model(images)[:, :7], faces, classes=seven, subset="anger=anger+contempt",
        out=tmp_path / "run", quiet=True, **CELLS,
    )  # fmt: skip
    assert set(run.scores["n"]) == {24}
    assert run.labels()["label"].max() == 6


def run_of(tmp_path, ferc, *more):
    words = ("--dataset", "toyfaces(train=48,valid=24,test=24,size=40)", "--corruption", "contrast")
    return ferc("run", *METHOD, *words, "--severity", 3, "--out", tmp_path / "run", *more)


def test_a_run_on_some_classes(ferc, tmp_path):
    asked = ("--classes", "happiness", "--classes", "sad", "--classes", "upset=anger+fear")
    done = run_of(tmp_path, ferc, *asked)
    assert done.returncode == 0, done.stderr
    assert "3 classes" in done.stderr
    assert "12 faces of 'test' left out: they are of other classes" in done.stderr
    labels = pl.read_parquet(tmp_path / "run" / "labels.parquet")
    assert set(labels["target"].list.len()) == {3}
    assert np.allclose(labels["target"].list.sum(), 1)
    again = run_of(tmp_path, ferc, *asked[:-2], "--classes", "neutral")
    assert "was made with classes" in one_sentence(again, 2)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("hapy", "unknown class of toyfaces 'hapy': did you mean 'happy'?"),
        ("happy", "leaves the class 'happy' alone"),
        ("anger=fear+sad", "loses the class 'anger'"),
    ],
)
def test_classes_that_cannot_be_are_refused_at_once(ferc, tmp_path, asked, message):
    assert message in one_sentence(run_of(tmp_path, ferc, "--classes", asked), 2)
    assert not (tmp_path / "run").exists()


def test_a_build_on_some_classes_is_read_back(ferc, tmp_path):
    words = ("--dataset", "toyfaces(train=48,valid=24,test=24,size=40)", "--corruption", "contrast",
             "--severity", 3, "--image-size", 32)  # fmt: skip
    asked = ("--classes", "happy", "--classes", "upset=anger+fear")
    done = ferc("build", *words, *asked, "--workers", 0, "--out", tmp_path / "build")
    assert done.returncode == 0, done.stderr
    assert ferc("verify", tmp_path / "build", "--rebuild", 2).returncode == 0
    done = ferc("run", *METHOD, "--dataset", tmp_path / "build", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "2 classes" in done.stderr
    other = ferc("run", *METHOD, "--dataset", tmp_path / "build", "--classes", "sad", "--classes",
                 "fear", "--out", tmp_path / "other")  # fmt: skip
    assert "was built with classes" in one_sentence(other, 2)


def test_a_method_goes_by_its_name(ferc, tmp_path):
    done = run_of(tmp_path, ferc, "--method", "softmax_regression(name=ours)", "--format", "x")
    assert done.returncode == 2
    done = run_of(tmp_path, ferc, "--method", "softmax_regression(name=ours)")
    assert done.returncode == 0, done.stderr
    assert set(pl.read_parquet(tmp_path / "run" / "results.parquet")["method"]) == {
        "ours",
        "softmax_regression",
    }
    twice = run_of(tmp_path, ferc, "--method", "softmax_regression(name=softmax_regression)")
    assert "two methods are called 'softmax_regression'" in one_sentence(twice, 2)
