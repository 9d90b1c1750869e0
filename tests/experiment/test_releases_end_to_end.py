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
from helpers.commands import EXAMPLES, ferc_in, one_sentence

from ferc_core.data.splits import divide
from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.experiment.benchmark import make_plan
from ferc_core.experiment.config import Config
from ferc_core.labels import mixture as gmm
from ferc_core.labels.mixture_file import read_gmm
from ferc_core.plugins.host import registry
from ferc_core.testing.standins import write_affectnet, write_affwild, write_ferplus, write_rafdb

SMALL = ("--image-size", 32, "--corruption", "contrast", "--severity", 1, "--severity", 5)
RUN = ("--plugin", EXAMPLES / "my_method.py", "--method", "softmax_regression", "--loss", "ce",
       "--epochs", 2)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A release: how it is asked for and written, and what comes of it."""

    dataset: str
    write: Callable[[Path], Path]
    recognised: str
    classes: int
    scored: int
    borrows: bool = False
    notes: tuple[str, ...] = field(default=())


CASES = {
    "affectnet, manual": Case(
        "affectnet",
        lambda root: write_affectnet(
            root,
            quirks=("codes", "duplicates", "headless", "lists", "out-of-range", "windows"),
            side=48,
        ),
        "AffectNet, manual CSV release", 8, 40,
        notes=("3 rows dropped: expression 8, none",),
    ),
    "affectnet, 8-class": Case(
        "affectnet(classes=7)",
        lambda root: write_affectnet(root, release="8-class", quirks=("numbers", "unannotated")),
        "AffectNet, 8-class release", 7, 35,
        notes=("contempt is left out (classes=7)",),
    ),
    "affwild, Aff-Wild2": Case(
        "affwild(frames=14)",
        lambda root: write_affwild(
            root, frames=16, side=48, quirks=("few", "older-names", "sides", "windows")
        ),
        "Aff-Wild2", 7, 2 * 14, borrows=True,
        notes=("1 identity of 13 left out: fewer than 14 frames can be used",),
    ),
    "affwild, v1": Case(
        "affwild(frames=14)",
        lambda root: write_affwild(root, release="v1", frames=16, quirks=("edge", "few")),
        "Aff-Wild", 7, 2 * 14, borrows=True,
    ),
    "rafdb, basic": Case(
        "rafdb(part=basic)",
        lambda root: write_rafdb(root, quirks=("ties", "windows line ends")),
        "RAF-DB basic", 7, 14,
    ),
    "rafdb, compound": Case(
        "rafdb", lambda root: write_rafdb(root, parts=("compound",), train=44, test=22),
        "RAF-DB compound", 11, 22,
    ),
    "rafdb, ml": Case(
        "rafdb", lambda root: write_rafdb(root, parts=("ml",)), "RAF-ML", 6, 14,
    ),
    "rafdb, mixture": Case(
        "rafdb", lambda root: write_rafdb(root), "RAF-DB basic without neutral, and RAF-ML", 6, 26,
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
    lent = ("--gmm", affectnet_mixture) if case.borrows else ()

    checked = ferc("data", "check", case.dataset, "--data-root", "data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[0].startswith(f"{case.dataset}: {case.recognised}, in data")
    assert checked.stdout.splitlines()[-1].startswith("sound")
    for note in case.notes:
        assert note in checked.stdout

    built = ferc("build", *data, *SMALL, *lent, "--executor", "serial", "--out", "build")
    assert built.returncode == 0, built.stderr
    counts = json.loads((tmp_path / "build/manifest.json").read_text())["counts"]
    assert sum(counts["contrast/5"].values()) == case.scored
    assert len(list((tmp_path / "build/images/contrast/5").rglob("*.png"))) == case.scored

    run = ferc("run", *data, *SMALL, *RUN, *lent, "--out", "run")
    assert run.returncode == 0, run.stderr
    for note in case.notes:
        assert note in run.stderr
    results = pl.read_parquet(tmp_path / "run/results.parquet")
    assert set(results["n"]) == {case.scored}
    assert results.filter(metric="soft_ece")["value"].is_not_nan().all()
    labels = pl.read_parquet(tmp_path / "run/labels.parquet")
    assert set(labels["target"].list.len()) == {case.classes}
    built_labels = pl.read_parquet(tmp_path / "build/labels.parquet")
    assert labels.equals(built_labels)
    record = pl.read_parquet_metadata(tmp_path / "run/labels.parquet")
    if case.borrows:
        assert record["ferc.gmm"].startswith("fitted on 'train' of affectnet (AffectNet, manual")
        assert record["ferc.gmm"] == read_gmm(affectnet_mixture).note
    else:
        assert ("ferc.gmm" in record) == case.dataset.startswith("affectnet")


def test_affwild_is_labelled_by_affectnets_parameters_for_its_seven_classes(
    tmp_path, affectnet_mixture
):
    write_affwild(tmp_path / "data", frames=7, side=32, distinct=1)
    config = Config(
        dataset="affwild(frames=7)", data_root=str(tmp_path / "data"), gmm=str(affectnet_mixture)
    )
    plan = make_plan(config.resolved(registry(), training=False), training=False)
    train = divide(open_affectnet(affectnet_mixture.parent / "data")).train
    fitted = gmm.fit(train.valence_arousal, train.labels, 8)
    eight = fitted.posterior(plan.splits.scored.valence_arousal)
    seven = eight[:, :7] / eight[:, :7].sum(axis=1, keepdims=True)
    lent = plan.borrowed.mixture(plan.classes, "affwild")
    np.testing.assert_allclose(
        lent.posterior(plan.splits.scored.valence_arousal), seven, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["affectnet, manual", "affwild, Aff-Wild2", "rafdb, mixture"])
def test_a_folder_that_moves_gives_the_same_data(tmp_path, name):
    case = CASES[name]
    case.write(tmp_path / "here")
    plans = []
    for place in ("here", "there"):
        root = tmp_path / place
        if place == "there":
            shutil.move(tmp_path / "here", root)
        config = Config(dataset=case.dataset, data_root=str(root))
        plans.append(make_plan(config.resolved(registry(), training=False), training=False))
    assert plans[0].faces.fingerprint == plans[1].faces.fingerprint
    for part in ("train", "validation", "scored"):
        assert getattr(plans[0].splits, part).ids == getattr(plans[1].splits, part).ids


def test_a_folder_with_the_name_of_a_dataset_is_no_build(ferc, tmp_path):
    write_ferplus(tmp_path / "ferplus")
    own = ("--dataset", "ferplus", "--data-root", "ferplus")
    built = ferc("build", *own, *SMALL, "--executor", "serial", "--out", "build")
    assert built.returncode == 0, built.stderr
    message = one_sentence(ferc("run", "--dataset", "ferplus/"), 2)
    assert "is no build" in message
    assert "--data-root" in message


@pytest.mark.parametrize("name", CASES)
def test_the_folder_above_is_answered_by_the_right_one(ferc, tmp_path, name):
    CASES[name].write(tmp_path / "above/faces")
    done = ferc("data", "check", CASES[name].dataset, "--data-root", "above")
    assert one_sentence(done, 2).endswith("lies too high: give above/faces")


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("affectnet, manual", "Manually_Annotated_Images"),
        ("affectnet, 8-class", "train_set/images"),
        ("affwild, Aff-Wild2", "cropped_aligned/video01"),
        ("affwild, v1", "videos/train"),
        ("rafdb, compound", "compound/EmoLabel"),
    ],
)
def test_a_folder_inside_is_answered_by_the_right_one(ferc, tmp_path, name, inside):
    case = CASES[name]
    root = case.write(tmp_path / "data")
    done = ferc("run", "--dataset", case.dataset, "--data-root", root / inside)
    right = root / "compound" if name == "rafdb, compound" else root
    assert one_sentence(done, 2).endswith(f"lies too low: give {right}")
