"""Parameters of a mixture as a file: ``ferc gmm fit``, what it writes and what is read back."""

from __future__ import annotations

import json
import os

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.golden import golden
from helpers.mixtures import CLASSES, clouds, oracle_points, parameters, posterior
from helpers.runs import folder_of_faces
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferc_core import registry
from ferc_core.errors import FercError, RequestError
from ferc_core.images.png import encode
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture_file import fitted, read_gmm, write_gmm

# Fitting and storing


def test_parameters_of_a_table_match_the_authors(ferc, tmp_path):
    points, labels = oracle_points()
    (tmp_path / "face.png").write_bytes(encode(np.full((40, 40, 3), 90, np.uint8)))
    pl.DataFrame(
        {
            "path": ["face.png"] * len(labels),
            "id": [f"face{i}" for i in range(len(labels))],
            "label": np.array(CLASSES)[labels],
            "valence": points[:, 0],
            "arousal": points[:, 1],
            "split": ["train"] * len(labels),
        }
    ).write_csv(tmp_path / "labels.csv")
    result = ferc("gmm", "fit", "--dataset", "folder", "--data-root", ".", "--out", "sub/gmm.json")
    assert result.returncode == 0, result.stderr
    expected = golden("gmm")
    found = json.loads((tmp_path / "sub/gmm.json").read_text())
    assert tuple(found["classes"]) == CLASSES
    for part in ("pi", "mu", "sigma"):
        np.testing.assert_allclose(found[part], expected[part])
    assert found["source"]["rows"] == [60, 90, 50]
    assert all(0 < kept < 60 for kept in found["source"]["within_one_deviation"])
    mixture = read_gmm(tmp_path / "sub/gmm.json").mixture(CLASSES, "it")
    np.testing.assert_allclose(mixture.posterior(points[:3]), expected["first3"], rtol=1e-6)


def test_validation_faces_taken_out_of_train_do_not_count(ferc, tmp_path):
    root = folder_of_faces(tmp_path / "faces", n=20)
    files = sorted(root.glob("train/*/*.png"))
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (len(files), 2))
    columns = {
        "path": [str(path.relative_to(root)) for path in files],
        "label": [int(path.parent.name == "angry") for path in files],
        "valence": points[:, 0],
        "arousal": points[:, 1],
        "split": ["train"] * 30 + ["valid"] * 10,
    }
    pl.DataFrame(columns).write_csv(root / "labels.csv")
    fit = ("gmm", "fit", "--dataset", "folder", "--data-root", "faces", "--out", "gmm.json")
    result = ferc(*fit)
    assert result.returncode == 0, result.stderr
    # `ferc run` scores 'valid' and takes a tenth of each class out of 'train'
    assert "validation: 3 faces taken out of 'train'" in result.stderr
    source = read_gmm(tmp_path / "gmm.json").source
    assert source.faces == 27
    assert source.fingerprint == registry().datasets["folder"].open(root).fingerprint
    assert ferc(*fit).returncode == 0  # its own file is replaced
    points[3:] = points[:1]  # all faces of a class at one point
    pl.DataFrame({**columns, "valence": points[:, 0], "arousal": points[:, 0]}).write_csv(
        root / "labels.csv"
    )
    note = "mixture: 0, 1 fitted on all training faces of their class"
    assert note in ferc(*fit).stderr


def test_what_cannot_be_fitted_or_written_is_refused(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("gmm", "fit", "--dataset", "folder", "--data-root", "faces")
    message = one_sentence(ferc(*own, "--out", "gmm.json"), 2)
    assert "folder has no valence and arousal" in message
    (tmp_path / "thesis.json").write_text('{"years": 4}')
    message = one_sentence(ferc("gmm", "fit", "--out", "thesis.json"), 2)
    assert "thesis.json exists and is not a mixture file" in message
    assert (tmp_path / "thesis.json").read_text() == '{"years": 4}'
    faces = clouds()
    with pytest.raises(FercError, match="no training faces"):
        fitted(faces, faces.splits["train"].take([]), "clouds")


@given(
    arrays(float, (40, 2), elements=st.floats(-1, 1, width=32, allow_subnormal=False)),
    arrays(np.int64, 40, elements=st.integers(0, 2)),
)
@settings(max_examples=30)
def test_numbers_come_back_to_the_bit(tmp_path_factory, points, labels):
    path = tmp_path_factory.getbasetemp() / "bits.json"
    faces = clouds(labels, points)
    written = fitted(faces, faces.splits["train"], "clouds")
    write_gmm(path, written)
    read = read_gmm(path)
    assert read == written
    assert read.key == written.key
    mixture = gmm.fit(points, labels, 3)
    for part in ("pi", "mu", "sigma"):
        np.testing.assert_array_equal(getattr(read, part), getattr(mixture, part))


def test_the_key_is_one_of_the_content(tmp_path):
    path = tmp_path / "gmm.json"
    content = parameters()
    write_gmm(path, content)
    path.write_text(json.dumps(json.loads(path.read_text())))  # with other white space
    assert read_gmm(path).key == content.key
    other = json.loads(path.read_text())
    other["mu"][0][0] = np.nextafter(other["mu"][0][0], 1)
    path.write_text(json.dumps(other))
    assert read_gmm(path).key != content.key


# Matching classes


def test_classes_are_matched_by_name_in_any_order_and_case():
    content, points = parameters(("neutral", "happy", "contempt")), oracle_points()[0]
    gamma = content.mixture(("HAPPY", " neutral"), "two").posterior(points)
    # by hand: the posterior of all three without contempt, scaled to sum to 1
    two = posterior(content.mixture(content.classes, "three"), points)[:, [1, 0]]
    np.testing.assert_allclose(gamma, two / two.sum(axis=1, keepdims=True), rtol=1e-7)
    np.testing.assert_allclose(content.mixture(("HAPPY", " neutral"), "two").pi.sum(), 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("calm", "joy"), "no class 'joy', which clouds has; its classes are calm, glad, low"),
        (("calm", "Calm "), "two classes 'calm' that differ in case and blanks alone"),
        (("calm", "none"), "no class 'none'"),
    ],
)
def test_classes_that_do_not_match_are_named(asked, message):
    with pytest.raises(RequestError, match=message):
        parameters().mixture(asked, "clouds")


def test_a_class_fitted_without_a_face_is_refused_unless_it_is_dropped():
    points, labels = oracle_points()
    faces = clouds(labels, points, (*CLASSES, "odd"))
    content = fitted(faces, faces.splits["train"], "clouds")
    with pytest.raises(RequestError, match="fitted without a face of class 'odd'"):
        content.mixture(("odd", "calm"), "other")
    assert content.mixture(("low", "calm"), "other").pi.tolist() == pytest.approx([5 / 11, 6 / 11])


# Bad files


def changed(**parts: object) -> str:
    return json.dumps({**json.loads(parameters().to_json()), **parts})


def with_numbers(text: str) -> str:
    """Return the file with a number that JSON writes as a text."""
    return changed(pi="HERE").replace('"HERE"', text)


FLAT, WIDE = [[1.0, 1.0], [1.0, 1.0]], [[0.1, 0.0], [0.0, 0.1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        (with_numbers("[" * 90_000 + "]" * 90_000), "nested too deeply"),
        (changed()[:-1] + ', "version": 1}', "it has 'version' twice"),
        (with_numbers("[NaN, 0.4, 0.3]"), "it has the value NaN, which is no number"),
        (with_numbers("[-Infinity, 0.4, 0.3]"), "it has the value -Infinity"),
        (with_numbers("[1e999, 0.4, 0.3]"), "pi.0: input should be a finite number"),
        (with_numbers(f"[{'9' * 5000}, 0.4, 0.3]"), "it has a number of 5,000 digits"),
        (with_numbers(f"[{'9' * 400}, 0.4, 0.3]"), "it has a number of 400 digits"),
        (with_numbers("[true, 0.4, 0.3]"), "pi.0"),
        (with_numbers(str([0.0] * 20_000)), "pi: list should have at most 10000 items"),
        (changed(more=1), "it must not have 'more'"),
        (changed(**{"a\x1b[2J": 1}), r"it must not have 'a\x1b[2J'"),
        (changed(source={"dataset": "x", "path": "y"}), "source must not have 'path'"),
        (changed(sigma=[WIDE, WIDE, [[1e308, 0.0], [0.0, 1e308]]]), "'low' is too large"),
        (changed(sigma=[WIDE, WIDE, [[1e-300, 0.0], [0.0, 1e-300]]]), "covariance of class 'low'"),
        ("[]", "ferc gmm fit"),
        ('{"years": 4}', "it must not have 'years'"),
        (changed(version=2), "version"),
        (changed(source="me"), "source"),
        (changed(pi=["0.3", 0.4, 0.3]), "pi"),
        (changed(pi=[0.5, 0.5]), "pi has 2 entries for 3 classes"),
        (changed(pi=[0.5, 0.4, 0.3]), "pi sums to 1.2, not to 1"),
        (changed(pi=[1.5, -1.0, 0.5]), "none of them negative"),
        (changed(classes=[], pi=[], mu=[], sigma=[]), "one class or more"),
        (changed(classes=["calm", "Calm", "low"]), "two of its classes have the same name"),
        (changed(mu=[[0.0, 0.0], [0.0, 0.0]]), "mu has 2 entries"),
        (changed(mu=[[0.0], [0.0, 0.0], [0.0, 0.0]]), "mu"),
        (changed(mu=[[0.0, 7.0], [0.0, 0.0], [0.0, 0.0]]), "'calm' lies outside"),
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf{}", "not valid JSON: Unexpected UTF-8 BOM"),
        (bytes(range(256)), "it is not text in UTF-8"),
        ("{}".encode("utf-16"), "it is not text in UTF-8"),
        (b" " * (64 * 2**20 + 1), "at most 67,108,864 are read"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path, content, message):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(RequestError, match=rf"bad\.json.*{message}"):
        read_gmm(tmp_path / "bad.json")


def test_only_regular_files_are_read(ferc, tmp_path):
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "folder.json").mkdir()
    for path, message in (
        ("fifo.json", "it is not a file"),
        ("folder.json", "Is a directory"),
        ("/dev/zero", "it is not a file"),
        ("missing.json", "No such file"),
    ):
        said = one_sentence(ferc("run", "--gmm", path), 2)
        assert f"cannot read the mixture {tmp_path / path}: {message}" in said
