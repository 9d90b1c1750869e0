"""The valence-arousal mixture of another dataset: ``ferc gmm fit`` and ``--gmm FILE``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, SHARED, ferc_in, one_sentence
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_normal
from test_run import folder_of_faces
from test_schemes import oracle_points, split

from ferc_core import registry
from ferc_core.errors import FercError, RequestError
from ferc_core.experiment.benchmark import make_plan
from ferc_core.experiment.config import Config
from ferc_core.faces import FaceSet
from ferc_core.images.png import encode
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture_file import GmmFile, fitted, read_gmm, write_gmm
from ferc_core.labels.schemes import base_targets

LENDER = "toyfaces(train=96,valid=16,test=16)"
BORROWER = ("--dataset", "toyfaces(train=64,valid=16,test=16)", "--image-size", 32,
            "--corruption", "contrast", "--severity", 3)  # fmt: skip
RUN = ("run", "--plugin", EXAMPLES / "my_method.py", "--method", "softmax_regression",
       "--loss", "ce", "--epochs", 2)  # fmt: skip
BUILD = ("build", "--executor", "serial")
NOTE = "fitted on 'train' of toyfaces(test=16,train=96,valid=16), 96 faces; key "
OWN = "fitted on 'train' of toyfaces"


def feelings(split: str, count: int) -> np.ndarray:
    """Valence and arousal of toy faces."""
    faces = registry().datasets["toyfaces"].open(train=96, valid=16, test=16)
    return faces.splits[split].valence_arousal[:count]


def by_equations(mixture: gmm.Mixture, table: pl.DataFrame) -> np.ndarray:
    """The soft labels of a table by eqs 5 to 11, with densities that scipy works out."""
    points, v = table.select("valence", "arousal").to_numpy(), table["visibility"].to_numpy()
    y = 0.5 * np.eye(8)[table["label"].to_numpy()] + 0.5 * posterior(mixture, points)
    a = (1 - v)[:, None] ** 2
    return (1 - a) * y + a / 8


def posterior(mixture: gmm.Mixture, points: np.ndarray) -> np.ndarray:
    parts = zip(mixture.pi, mixture.mu, mixture.sigma, strict=True)
    density = np.stack([p * multivariate_normal(m, s).pdf(points) for p, m, s in parts], axis=1)
    return density / density.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def lent(tmp_path_factory) -> Path:
    """The parameters of some toy faces, fitted once."""
    folder = tmp_path_factory.mktemp("lent")
    result = ferc_in(folder)("gmm", "fit", "--dataset", LENDER, "--out", "lent.json")
    assert result.returncode == 0, result.stderr
    assert "happy" in result.stdout
    assert NOTE in result.stdout
    return folder / "lent.json"


def three_classes(labels=None, points=None, classes=("calm", "glad", "low")) -> FaceSet:
    """The three clouds of the golden file as a dataset."""
    if points is None:
        points, labels = oracle_points()
    return FaceSet("clouds", classes, {"train": split(labels, points)})


def parameters(classes=("calm", "glad", "low")) -> GmmFile:
    faces = three_classes(classes=classes)
    return fitted(faces, faces.splits["train"], "clouds")


# --- fitting and storing ------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_fitted_parameters_of_a_table_match_the_authors(ferc, tmp_path):
    points, labels = oracle_points()
    (tmp_path / "face.png").write_bytes(encode(np.full((40, 40, 3), 90, np.uint8)))
    pl.DataFrame(
        {
            "path": ["face.png"] * len(labels),
            "id": [f"face{i}" for i in range(len(labels))],
            "label": np.array(["calm", "glad", "low"])[labels],
            "valence": points[:, 0],
            "arousal": points[:, 1],
            "split": ["train"] * len(labels),
        }
    ).write_csv(tmp_path / "labels.csv")
    result = ferc("gmm", "fit", "--dataset", "folder", "--data-root", ".", "--out", "sub/gmm.json")
    assert result.returncode == 0, result.stderr
    golden = json.loads((SHARED / "golden" / "golden.json").read_text())["gmm"]
    found = json.loads((tmp_path / "sub/gmm.json").read_text())
    assert found["classes"] == ["calm", "glad", "low"]
    for part in ("pi", "mu", "sigma"):
        np.testing.assert_allclose(found[part], golden[part])
    assert found["source"]["rows"] == [60, 90, 50]
    assert all(0 < kept < 60 for kept in found["source"]["within_one_deviation"])
    mixture = read_gmm(tmp_path / "sub/gmm.json").mixture(("calm", "glad", "low"), "it")
    np.testing.assert_allclose(mixture.posterior(points[:3]), golden["first3"], rtol=1e-6)


def test_validation_faces_taken_out_of_train_do_not_count(ferc, tmp_path):
    root = folder_of_faces(tmp_path / "faces", n=20)
    files = sorted(root.glob("train/*/*.png"))
    labels = [int(path.parent.name == "angry") for path in files]
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (len(files), 2))
    columns = {
        "path": [str(path.relative_to(root)) for path in files],
        "label": labels,
        "valence": points[:, 0],
        "arousal": points[:, 1],
        "split": ["train"] * 30 + ["valid"] * 10,
    }
    pl.DataFrame(columns).write_csv(root / "labels.csv")
    fit = ("gmm", "fit", "--dataset", "folder", "--data-root", "faces", "--out", "gmm.json")
    result = ferc(*fit)
    assert result.returncode == 0, result.stderr
    faces = registry().datasets["folder"].open(root)
    # `ferc run` scores 'valid' and takes a tenth of each class out of 'train'
    assert "validation: 3 faces taken out of 'train'" in result.stderr
    assert read_gmm(tmp_path / "gmm.json").source.faces == 27
    assert read_gmm(tmp_path / "gmm.json").source.fingerprint == faces.fingerprint
    assert ferc(*fit).returncode == 0  # its own file is written anew


@given(
    arrays(float, (40, 2), elements=st.floats(-1, 1, width=32, allow_subnormal=False)),
    arrays(np.int64, 40, elements=st.integers(0, 2)),
)
def test_numbers_come_back_to_the_bit(tmp_path_factory, points, labels):
    path = tmp_path_factory.getbasetemp() / "bits.json"
    faces = three_classes(labels, points)
    written = fitted(faces, faces.splits["train"], "clouds")
    write_gmm(path, written)
    read = read_gmm(path)
    assert read == written
    assert read.key == written.key
    mixture = gmm.fit(points, labels, 3)
    for part in ("pi", "mu", "sigma"):
        np.testing.assert_array_equal(getattr(read, part), getattr(mixture, part))


def test_the_key_is_that_of_the_content(tmp_path):
    path = tmp_path / "gmm.json"
    content = parameters()
    write_gmm(path, content)
    path.write_text(json.dumps(json.loads(path.read_text())))  # laid out otherwise
    assert read_gmm(path).key == content.key
    other = json.loads(path.read_text())
    other["mu"][0][0] = np.nextafter(other["mu"][0][0], 1)
    path.write_text(json.dumps(other))
    assert read_gmm(path).key != content.key


def test_what_cannot_be_fitted_or_written_is_refused(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("gmm", "fit", "--dataset", "folder", "--data-root", "faces")
    message = one_sentence(ferc(*own, "--out", "gmm.json"), 2)
    assert "folder has no valence and arousal" in message
    (tmp_path / "thesis.json").write_text('{"years": 4}')
    message = one_sentence(ferc("gmm", "fit", "--out", "thesis.json"), 2)
    assert "thesis.json is there already" in message
    assert (tmp_path / "thesis.json").read_text() == '{"years": 4}'
    faces = three_classes()
    with pytest.raises(FercError, match="no training faces"):
        fitted(faces, faces.splits["train"].take([]), "clouds")


# --- matching classes ---------------------------------------------------------------------------


def test_eight_classes_lend_to_seven_by_name_in_any_order_and_case(lent):
    content = read_gmm(lent)
    asked = ("Anger", " disgust", "FEAR", "happy", "neutral", "sad", "surprise")
    points = feelings("test", 16)
    gamma = content.mixture(asked, "seven").posterior(points)
    # by hand: the posterior of all eight, without contempt, scaled to sum to 1
    eight = posterior(content.mixture(content.classes, "eight"), points)
    rows = [content.classes.index(name.strip().lower()) for name in asked]
    seven = eight[:, rows]
    np.testing.assert_allclose(gamma, seven / seven.sum(axis=1, keepdims=True), rtol=1e-7)
    np.testing.assert_allclose(content.mixture(asked, "seven").pi.sum(), 1)


def test_its_own_parameters_lent_to_a_dataset_change_nothing():
    points, labels = oracle_points()
    faces = split(labels, points)
    own, _ = base_targets("fused", faces, faces, 3)
    lent = parameters().mixture(("calm", "glad", "low"), "clouds")
    np.testing.assert_array_equal(base_targets("fused", faces, faces, 3, borrowed=lent)[0], own)


def test_valence_and_arousal_of_the_scored_faces_are_enough():
    points, labels = oracle_points()
    lent = parameters().mixture(("calm", "glad", "low"), "clouds")
    gamma, _ = base_targets("gmm", split(labels, points), split(labels), 3, borrowed=lent)
    np.testing.assert_array_equal(gamma, lent.posterior(points))
    with pytest.raises(RequestError, match="borrow the mixture of another one with --gmm"):
        base_targets("gmm", split(labels, points), split(labels), 3)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("calm", "joy"), "no class 'joy', which clouds has; its classes are calm, glad, low"),
        (("calm", "Calm "), "two classes 'calm' but for case and blanks"),
        (("calm", "none"), "no class 'none'"),
    ],
)
def test_classes_that_do_not_match_are_named(asked, message):
    with pytest.raises(RequestError, match=message):
        parameters().mixture(asked, "clouds")


def test_a_class_that_the_lender_never_saw_is_refused_unless_it_is_dropped():
    points, labels = oracle_points()
    faces = three_classes(labels, points, ("calm", "glad", "low", "odd"))
    content = fitted(faces, faces.splits["train"], "clouds")
    with pytest.raises(RequestError, match="fitted without a face of class 'odd'"):
        content.mixture(("odd", "calm"), "other")
    assert content.mixture(("low", "calm"), "other").pi.tolist() == pytest.approx([5 / 11, 6 / 11])


# --- bad files ----------------------------------------------------------------------------------


def changed(**parts: object) -> str:
    return json.dumps({**json.loads(parameters().to_json()), **parts})


FLAT, WIDE = [[1.0, 1.0], [1.0, 1.0]], [[0.1, 0.0], [0.0, 0.1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        ("\x00\x01", "Invalid JSON"),
        ("[]", "ferc gmm fit"),
        ('{"years": 4}', "format"),
        (changed(format="toml"), "format"),
        (changed(version=2), "version"),
        (changed(source="me"), "source"),
        (changed(pi=["0.3", 0.4, 0.3]), "pi"),
        (changed(pi=[0.5, 0.5]), "pi has 2 entries for 3 classes"),
        (changed(pi=[0.5, 0.4, 0.3]), "pi sums to 1.2, not to 1"),
        (changed(pi=[1.5, -1.0, 0.5]), "none of them negative"),
        (changed(pi=[float("nan"), 0.4, 0.3]), "pi"),
        (changed(classes=[], pi=[], mu=[], sigma=[]), "one class or more"),
        (changed(classes=["calm", "Calm", "low"]), "two of its classes have one name"),
        (changed(mu=[[0.0, 0.0], [0.0, 0.0]]), "mu has 2 entries"),
        (changed(mu=[[0.0], [0.0, 0.0], [0.0, 0.0]]), "mu"),
        (changed(mu=[[0.0, 7.0], [0.0, 0.0], [0.0, 0.0]]), "'calm' lies outside"),
        (changed(sigma=[WIDE, WIDE]), "sigma has 2 entries"),
        (changed(sigma=[WIDE, FLAT, WIDE]), "covariance of class 'glad'"),
        (changed(sigma=[WIDE, WIDE, [[0.1, 0.0], [0.05, 0.1]]]), "covariance of class 'low'"),
        (changed(sigma=[[[-0.1, 0.0], [0.0, -0.1]], WIDE, WIDE]), "covariance of class 'calm'"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(RequestError) as raised:
        read_gmm(path)
    assert str(raised.value).startswith(str(path))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


# --- runs and builds ----------------------------------------------------------------------------


def planned(root: Path, **settings: object):
    config = Config(dataset="folder", data_root=str(root), **settings)
    return make_plan(config.resolved(registry(), training=False), training=False)


def test_a_dataset_without_valence_and_arousal_cannot_borrow(tmp_path):
    root = folder_of_faces(tmp_path / "faces")
    write_gmm(tmp_path / "gmm.json", parameters(("calm", "angry", "low")))
    lent = str(tmp_path / "gmm.json")
    with pytest.raises(RequestError, match="folder has no valence and arousal"):
        planned(root, gmm=lent)
    plan = planned(root, gmm=lent, label_scheme="one-hot")
    assert plan.borrowed is None
    assert plan.mixture_note == ""
    with pytest.raises(RequestError, match=r"absent\.json: No such"):
        planned(root, gmm=str(tmp_path / "absent.json"), label_scheme="one-hot")


def test_another_mixture_only_labels_anew_and_every_record_tells_whose_it_is(ferc, tmp_path, lent):
    first = ferc(*RUN, *BORROWER, "--out", "run")
    assert f"mixture (0.5) {OWN}\n" in first.stderr
    run = tmp_path / "run"
    tables = [run / f"{name}.parquet" for name in ("labels", "results", "pooled")]
    own = pl.read_parquet(tables[0])
    mixture = gmm.fit(feelings("train", 64), np.arange(64) % 8, 8)
    np.testing.assert_allclose(own["target"].to_list(), by_equations(mixture, own), rtol=1e-9)
    records = [pl.read_parquet_metadata(table) for table in tables]
    assert {record["ferc.gmm"] for record in records} == {OWN}
    assert json.loads((run / "manifest.json").read_text())["gmm"] == OWN
    stamps = {p: p.stat().st_mtime_ns for p in (run / "predictions").rglob("*.parquet")}

    shutil.copy(lent, tmp_path / "lent.json")
    second = ferc(*RUN, *BORROWER, "--out", "run", "--gmm", "lent.json")
    assert second.returncode == 0, second.stderr
    assert NOTE in second.stderr
    other = pl.read_parquet(tables[0])
    mixture = read_gmm(lent).mixture(read_gmm(lent).classes, "toyfaces")
    np.testing.assert_allclose(other["target"].to_list(), by_equations(mixture, other), rtol=1e-9)
    assert other["target"].to_list() != own["target"].to_list()
    assert other.drop("target").equals(own.drop("target"))
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    again = [pl.read_parquet_metadata(table) for table in tables]
    assert {record["ferc.gmm"] for record in again} == {read_gmm(lent).note}
    assert {record["ferc.key"] for record in again} == {records[0]["ferc.key"]}
    assert f'gmm = "{tmp_path / "lent.json"}"' in (run / "config.toml").read_text()

    third = ferc(*RUN, *BORROWER, "--out", "run", "--gmm", "lent.json", "--label-scheme", "one-hot")
    assert "lent.json is not used" in third.stderr
    assert "ferc.gmm" not in pl.read_parquet_metadata(tables[0])
    assert "gmm" not in json.loads((run / "manifest.json").read_text())


def test_a_build_keeps_the_mixture_and_goes_on_without_the_file(ferc, tmp_path, lent):
    given, elsewhere = tmp_path / "lent.json", tmp_path / "elsewhere.json"
    shutil.copy(lent, given)
    result = ferc(*BUILD, *BORROWER, "--gmm", given, "--out", "b")
    assert result.returncode == 0, result.stderr
    labels, manifest = tmp_path / "b/labels.parquet", tmp_path / "b/manifest.json"
    content = json.loads(manifest.read_text())
    assert (tmp_path / "b/gmm.json").read_bytes() == lent.read_bytes()
    assert "gmm.json" in content["files"]
    assert content["making"]["gmm"] == read_gmm(lent).key
    assert content["gmm"] == pl.read_parquet_metadata(labels)["ferc.gmm"] == read_gmm(lent).note

    given.rename(elsewhere)  # the same build from the same content, wherever it lies
    assert "is whole already" in ferc(*BUILD, *BORROWER, "--gmm", elsewhere, "--out", "b").stderr
    message = one_sentence(ferc(*BUILD, *BORROWER, "--out", "b"), 2)
    assert f"was made with gmm '{read_gmm(lent).key}', not 'own'" in message

    elsewhere.unlink()
    run = ferc(*RUN, "--dataset", "b", "--label-scheme", "fused", "--out", "run")
    assert run.returncode == 0, run.stderr
    clean = pl.read_parquet(tmp_path / "run/labels.parquet").filter(corruption="clean")
    built = pl.read_parquet(labels).filter(corruption="clean")
    assert clean["target"].to_list() == built["target"].to_list()
    sound = ferc("verify", "b", "--rebuild", 2)
    assert "is sound" in sound.stdout, sound.stdout + sound.stderr

    frame = pl.read_parquet(labels).select("sample", "corruption", "severity", probs="target")
    frame.write_parquet(tmp_path / "theirs.parquet")
    score = ferc("score", "theirs.parquet", *BORROWER[:4], "--gmm", "b/gmm.json")
    assert NOTE in score.stderr, score.stderr


def test_a_build_of_its_own_mixture_says_nothing_of_another(ferc, tmp_path, lent):
    assert ferc(*BUILD, *BORROWER, "--out", "b").returncode == 0
    content = json.loads((tmp_path / "b/manifest.json").read_text())
    assert "gmm" not in content["making"]  # as in builds from before there was such an option
    assert content["gmm"] == OWN
    assert not (tmp_path / "b/gmm.json").exists()
    message = one_sentence(ferc(*BUILD, *BORROWER, "--gmm", lent, "--out", "b"), 2)
    assert "was made with gmm 'own', not" in message
