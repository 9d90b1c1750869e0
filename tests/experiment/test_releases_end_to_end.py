"""Every release from its raw folder to scores: check, build, run, as a user types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import METHOD

from ferc_core.data.splits import divide
from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.experiment.benchmark import PARTS, Benchmark
from ferc_core.experiment.config import configured
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture_file import read_gmm
from ferc_core.testing.standins import write_affectnet, write_affwild, write_ferplus, write_rafdb

SMALL = ("--image-size", 32, "--corruption", "contrast", "--severity", 1, "--severity", 5)
RUN = (*METHOD[:-2], "--epochs", 2)
FUSED = ("--label-scheme", "fused")  # as ferc, but for the visibility, which takes time


@dataclass(frozen=True)
class Case:
    """A release: how it is asked for and written, and what comes of it."""

    dataset: str
    write: Callable[[Path], Path]
    recognised: str
    classes: int
    scored: int
    external: bool = False
    notes: tuple[str, ...] = field(default=())


CASES = {
    "affectnet, manual": Case(
        "affectnet",
        lambda root: write_affectnet(
            root,
            train=80,
            valid=16,
            quirks=("codes", "duplicates", "headless", "lists", "out-of-range", "windows"),
            side=48,
        ),
        "AffectNet, manual CSV release", 8, 16,
        notes=("3 rows dropped: expression 8, none",),
    ),
    "affectnet, 8-class": Case(
        "affectnet(classes=7)",
        lambda root: write_affectnet(
            root, release="8-class", train=80, valid=16, side=96, quirks=("numbers", "unannotated")
        ),
        "AffectNet, 8-class release", 7, 14,
        notes=("contempt is left out (classes=7)",),
    ),
    "affwild, Aff-Wild2": Case(
        "affwild(frames=8)",
        lambda root: write_affwild(
            root, frames=9, side=48, quirks=("few", "older-names", "sides", "windows")
        ),
        "Aff-Wild2", 7, 2 * 8, external=True,
        notes=("1 subject of 13 left out: fewer than 8 usable frames",),
    ),
    "affwild, v1": Case(
        "affwild(frames=8)",
        lambda root: write_affwild(root, release="v1", frames=9, quirks=("edge", "few")),
        "Aff-Wild", 7, 2 * 8, external=True,
    ),
    "rafdb, basic": Case(
        "rafdb(part=basic)",
        lambda root: write_rafdb(root, quirks=("ties", "windows line ends")),
        "RAF-DB basic", 7, 14,
    ),
    "rafdb, compound": Case(
        "rafdb", lambda root: write_rafdb(root, parts=("compound",), train=44, test=22, side=48),
        "RAF-DB compound", 11, 22,
    ),
    "rafdb, ml": Case(
        "rafdb", lambda root: write_rafdb(root, parts=("ml",), side=48), "RAF-ML", 6, 14,
    ),
    "rafdb, mixture": Case(
        "rafdb", lambda root: write_rafdb(root, side=48),
        "RAF-DB basic without neutral, and RAF-ML", 6, 26,
        notes=("chose part=mixture",),
    ),
    "ferplus, folders": Case(
        "ferplus", lambda root: write_ferplus(root, train=80, release="folders"),
        "FER+ as folders of images", 8, 8,
    ),
    "ferplus, tables": Case(
        "ferplus",
        lambda root: write_ferplus(root, train=80, private=16, quirks=("gzip", "unusable names")),
        "FER2013 with the votes of FER+", 8, 16,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def affectnet_mixture(tmp_path_factory) -> Path:
    """Parameters of an AffectNet stand-in, fitted once in a folder of its own."""
    folder = tmp_path_factory.mktemp("affectnet")
    write_affectnet(folder / "data", side=32, distinct=2)
    result = ferc_in(folder)(
        "gmm", "fit", "--dataset", "affectnet", "--data-root", "data", "--out", "affectnet-gmm.json"
    )
    assert result.returncode == 0, result.stderr
    return folder / "affectnet-gmm.json"


@pytest.mark.parametrize("name", CASES)
def test_from_the_raw_folder_to_scores(ferc, tmp_path, affectnet_mixture, name):
    case = CASES[name]
    case.write(tmp_path / "data")
    data = ("--dataset", case.dataset, "--data-root", "data")
    external = ("--gmm", affectnet_mixture) if case.external else ()

    checked = ferc("data", "check", case.dataset, "--data-root", "data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[0].startswith(f"{case.dataset}: {case.recognised}, in data")
    assert checked.stdout.splitlines()[-1].startswith("sound")
    for note in case.notes:
        assert note in checked.stdout

    run = ferc("run", *data, *SMALL, *RUN, *external, *FUSED, "--out", "run")
    assert run.returncode == 0, run.stderr
    for note in case.notes:
        assert note in run.stderr
    results = pl.read_parquet(tmp_path / "run/results.parquet")
    assert set(results["n"]) == {case.scored}
    assert results.filter(metric="soft_ece")["value"].is_not_nan().all()
    labels = pl.read_parquet(tmp_path / "run/labels.parquet")
    assert set(labels["target"].list.len()) == {case.classes}
    record = pl.read_parquet_metadata(tmp_path / "run/labels.parquet")
    if case.external:
        assert record["ferc.gmm"].startswith("fitted on 'train' of affectnet (AffectNet, manual")
        assert record["ferc.gmm"] == read_gmm(affectnet_mixture).note
    else:
        assert ("ferc.gmm" in record) == case.dataset.startswith("affectnet")


def test_a_release_is_built_with_the_labels_of_a_run(ferc, tmp_path, affectnet_mixture):
    case = CASES["affwild, Aff-Wild2"]
    case.write(tmp_path / "data")
    data = ("--dataset", case.dataset, "--data-root", "data", "--gmm", affectnet_mixture)
    built = ferc("build", *data, *SMALL, "--executor", "serial", "--out", "build")
    assert built.returncode == 0, built.stderr
    counts = json.loads((tmp_path / "build/manifest.json").read_text())["counts"]
    assert sum(counts["contrast/5"].values()) == case.scored
    assert len(list((tmp_path / "build/images/contrast/5").rglob("*.png"))) == case.scored
    assert ferc("run", *data, *SMALL, *RUN, "--out", "run").returncode == 0
    labels = pl.read_parquet(tmp_path / "run/labels.parquet")
    assert labels.equals(pl.read_parquet(tmp_path / "build/labels.parquet"))


def opened(dataset: str, root: Path, **settings: object) -> Benchmark:
    return Benchmark.open(configured({"dataset": dataset, "data_root": root, **settings}))


def test_affwild_is_labelled_by_affectnets_parameters_for_its_seven_classes(
    tmp_path, affectnet_mixture
):
    write_affwild(tmp_path / "data", frames=7, side=32, distinct=1)
    bench = opened("affwild(frames=7)", tmp_path / "data", gmm=affectnet_mixture)
    train = divide(open_affectnet(affectnet_mixture.parent / "data")).train
    fitted = gmm.fit(train.valence_arousal, train.labels, 8)
    points = bench.splits.scored.valence_arousal
    eight = fitted.posterior(points)
    seven = eight[:, :7] / eight[:, :7].sum(axis=1, keepdims=True)
    external = bench.external.mixture(bench.classes, "affwild")
    np.testing.assert_allclose(external.posterior(points), seven, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["affectnet, manual", "affwild, Aff-Wild2", "rafdb, mixture"])
def test_a_folder_that_moves_gives_the_same_data(tmp_path, name):
    case = CASES[name]
    here, there = tmp_path / "here", tmp_path / "there"
    case.write(here)
    before = opened(case.dataset, here)
    shutil.move(here, there)
    after = opened(case.dataset, there)
    assert before.faces.fingerprint == after.faces.fingerprint
    for part in PARTS:
        assert getattr(before.splits, part).ids == getattr(after.splits, part).ids


def test_a_folder_with_the_name_of_a_dataset_is_not_taken_for_a_build(ferc, tmp_path):
    write_ferplus(tmp_path / "ferplus")
    assert "needs its root directory" in one_sentence(ferc("run", "--dataset", "ferplus"), 2)
    message = one_sentence(ferc("run", "--dataset", "ferplus/"), 2)
    assert "is not a build" in message
    assert "--data-root" in message
