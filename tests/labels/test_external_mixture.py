"""The mixture of another dataset in runs, builds and scores: ``--gmm FILE``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.mixtures import parameters, posterior
from helpers.runs import METHOD, folder_of_faces

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import Config
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture_file import read_gmm, write_gmm

OTHER = "toyfaces(train=96,valid=16,test=16)"
DATA = ("--dataset", "toyfaces(train=64,valid=16,test=16)", "--image-size", 32)
CELL = ("--corruption", "contrast", "--severity", 3)
RUN = ("run", *METHOD, "--epochs", 2)
BUILD = ("build", *DATA, *CELL, "--executor", "serial")
NOTE = "fitted on 'train' of toyfaces(test=16,train=96,valid=16), 96 faces; key "
OWN = "fitted on 'train' of toyfaces"


@pytest.fixture(scope="module")
def external(tmp_path_factory) -> Path:
    """The parameters of some toy faces, fitted once."""
    folder = tmp_path_factory.mktemp("external")
    result = ferc_in(folder)("gmm", "fit", "--dataset", OTHER, "--out", "other.json")
    assert result.returncode == 0, result.stderr
    assert "happy" in result.stdout
    assert NOTE in result.stdout
    return folder / "other.json"


def softened(mixture: gmm.Mixture, table: pl.DataFrame) -> np.ndarray:
    """The soft labels of a table by eqs 5 to 11, with densities that scipy computes."""
    points, v = table.select("valence", "arousal").to_numpy(), table["visibility"].to_numpy()
    y = 0.5 * np.eye(8)[table["label"].to_numpy()] + 0.5 * posterior(mixture, points)
    a = (1 - v)[:, None] ** 2
    return (1 - a) * y + a / 8


def test_a_dataset_without_valence_and_arousal_takes_no_external_mixture(tmp_path):
    root = folder_of_faces(tmp_path / "faces")
    path = tmp_path / "gmm.json"
    write_gmm(path, parameters(("calm", "angry", "low")))

    def opened(**settings: object) -> Benchmark:
        config = Config(dataset="folder", data_root=root, **settings)
        return Benchmark.open(config, training=False)

    with pytest.raises(RequestError, match="folder has no valence and arousal"):
        opened(gmm=path)
    bench = opened(gmm=path, label_scheme="one-hot")
    assert bench.external is None
    assert bench.mixture_note == ""
    assert "--gmm has no effect: label scheme one-hot takes no mixture" in bench.notes
    with pytest.raises(RequestError, match=r"absent\.json: No such"):
        opened(gmm=tmp_path / "absent.json", label_scheme="one-hot")


def test_another_mixture_changes_labels_alone_and_every_record_names_it(ferc, tmp_path, external):
    run = (*RUN, *DATA, *CELL, "--out", "run")
    first = ferc(*run)
    assert f"mixture (0.5) {OWN}\n" in first.stderr
    tables = [tmp_path / "run" / f"{name}.parquet" for name in ("labels", "results", "pooled")]
    own = pl.read_parquet(tables[0])
    faces = registry().datasets["toyfaces"].open(train=64, valid=16, test=16).splits["train"]
    mixture = gmm.fit(faces.valence_arousal, faces.labels, 8)
    np.testing.assert_allclose(own["target"].to_list(), softened(mixture, own), rtol=1e-9)
    records = [pl.read_parquet_metadata(table) for table in tables]
    assert {record["ferc.gmm"] for record in records} == {OWN}
    assert json.loads((tmp_path / "run/manifest.json").read_text())["gmm"] == OWN
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "run/predictions").rglob("*.parquet")}

    second = ferc(*run, "--gmm", external)
    assert second.returncode == 0, second.stderr
    assert NOTE in second.stderr
    other, content = pl.read_parquet(tables[0]), read_gmm(external)
    mixture = content.mixture(content.classes, "toyfaces")
    np.testing.assert_allclose(other["target"].to_list(), softened(mixture, other), rtol=1e-9)
    assert other["target"].to_list() != own["target"].to_list()
    assert other.drop("target").equals(own.drop("target"))
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    again = [pl.read_parquet_metadata(table) for table in tables]
    assert {record["ferc.gmm"] for record in again} == {content.note}
    assert {record["ferc.key"] for record in again} == {records[0]["ferc.key"]}
    assert f'gmm = "{external}"' in (tmp_path / "run/config.toml").read_text()

    third = ferc(*run, "--gmm", external, "--label-scheme", "one-hot")
    assert "--gmm has no effect: label scheme one-hot" in third.stderr
    assert "ferc.gmm" not in pl.read_parquet_metadata(tables[0])
    assert "gmm" not in json.loads((tmp_path / "run/manifest.json").read_text())


def test_a_build_keeps_the_mixture_and_does_without_the_file(ferc, tmp_path, external):
    given, elsewhere = tmp_path / "given.json", tmp_path / "elsewhere.json"
    shutil.copy(external, given)
    result = ferc(*BUILD, "--gmm", given, "--out", "b")
    assert result.returncode == 0, result.stderr
    labels, content = tmp_path / "b/labels.parquet", read_gmm(external)
    manifest = json.loads((tmp_path / "b/manifest.json").read_text())
    assert (tmp_path / "b/gmm.json").read_bytes() == external.read_bytes()
    assert "gmm.json" in manifest["files"]
    assert manifest["making"]["gmm"] == content.key
    assert manifest["gmm"] == pl.read_parquet_metadata(labels)["ferc.gmm"] == content.note

    given.rename(elsewhere)  # the same build from the same content, wherever it is stored
    assert "is complete already" in ferc(*BUILD, "--gmm", elsewhere, "--out", "b").stderr
    message = one_sentence(ferc(*BUILD, "--out", "b"), 2)
    assert f"was made with gmm '{content.key}', not 'own'" in message

    elsewhere.unlink()
    run = ferc(*RUN, "--dataset", "b", "--label-scheme", "fused", "--out", "run")
    assert run.returncode == 0, run.stderr
    clean = pl.read_parquet(tmp_path / "run/labels.parquet").filter(corruption="clean")
    built = pl.read_parquet(labels).filter(corruption="clean")
    assert clean["target"].to_list() == built["target"].to_list()
    verified = ferc("verify", "b", "--rebuild", 2)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    frame = pl.read_parquet(labels).select("sample", "corruption", "severity", probs="target")
    frame.write_parquet(tmp_path / "theirs.parquet")
    score = ferc("score", "theirs.parquet", *DATA, "--gmm", "b/gmm.json")
    assert NOTE in score.stderr, score.stderr


def test_a_build_with_its_own_mixture_has_no_other(ferc, tmp_path, external):
    assert ferc(*BUILD, "--out", "b").returncode == 0
    manifest = json.loads((tmp_path / "b/manifest.json").read_text())
    assert "gmm" not in manifest["making"]  # as in builds from before there was such an option
    assert manifest["gmm"] == OWN
    assert not (tmp_path / "b/gmm.json").exists()
    message = one_sentence(ferc(*BUILD, "--gmm", external, "--out", "b"), 2)
    assert "was made with gmm 'own', not" in message
