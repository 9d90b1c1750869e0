"""The benchmark from end to end, with a method that needs no torch (examples/my_method.py)."""

from __future__ import annotations

import json

import cv2
import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, one_sentence
from helpers.runs import OWN, SMALL, TRIAL, TWO, contents, folder_of_faces

from ferc_core.base.seeds import BENCHMARK_VERSION

METHOD_FILE = ("--plugin", EXAMPLES / "my_method.py")


def test_a_run_leaves_what_the_contract_says(small_run):
    frame = pl.read_parquet(small_run / "results.parquet")
    assert frame.columns == [
        "dataset", "method", "loss", "calibrator", "noise", "seed",
        "corruption", "severity", "metric", "value", "n",
    ]  # fmt: skip
    assert frame["n"].unique().to_list() == [40]
    cells = set(frame.select("corruption", "severity").iter_rows())
    assert cells == {("clean", 0), ("snow", 1), ("snow", 5), ("contrast", 1), ("contrast", 5)}
    assert set(frame["calibrator"]) == {"none", "temperature"}
    pooled = pl.read_parquet(small_run / "pooled.parquet")
    assert pooled["n"].unique().to_list() == [4 * 40]
    predictions = pl.read_parquet(small_run / "predictions" / TRIAL / "snow-5.parquet")
    assert predictions.columns == ["sample", "corruption", "severity", "logits"]
    assert len(predictions) == 40
    record = pl.read_parquet_metadata(small_run / "results.parquet")
    assert record["ferc.benchmark"] == BENCHMARK_VERSION
    assert "ferc-core" in json.loads(record["ferc.versions"])
    shown = (small_run.parent / "shown.txt").read_text(encoding="utf-8")
    assert "softmax_regression" in shown
    assert "Results are in run" in shown


def test_the_manifest_says_when_where_and_by_what_a_run_was_made(small_run):
    manifest = json.loads((small_run / "manifest.json").read_text())
    assert manifest["python"].count(".") == 2
    assert manifest["platform"]
    assert manifest["device"] in ("auto", "cpu", "cuda")
    assert manifest["begun"] <= manifest["ended"]
    assert set(manifest["judged_by"]) == {"ferc-metrics", "scipy"}
    trial = manifest["trials"][TRIAL]
    assert (trial["backbone"], trial["batch_size"], trial["seed"]) == ("test_resnet", 64, 0)
    assert trial["objective"].startswith("ce(")


def test_scores_are_those_of_the_stored_predictions(small_run):
    frame = pl.read_parquet(small_run / "results.parquet")
    stored = pl.read_parquet(small_run / "predictions" / TRIAL / "contrast-1.parquet")
    labels = pl.read_parquet(small_run / "labels.parquet")
    labels = labels.filter(corruption="contrast", severity=1)
    assert stored["sample"].to_list() == labels["sample"].to_list()
    hits = np.array(stored["logits"].to_list()).argmax(axis=1) == labels["label"].to_numpy()
    where = {"corruption": "contrast", "severity": 1, "calibrator": "none"}
    assert frame.filter(**where, metric="accuracy")["value"].to_list() == [hits.mean()]


def test_soft_labels_follow_the_visibility(small_run):
    labels = pl.read_parquet(small_run / "labels.parquet")
    assert labels.filter(corruption="clean")["visibility"].to_list() == [1.0] * 40
    for corruption in ("snow", "contrast"):
        weak, strong = (
            labels.filter(corruption=corruption, severity=s)["visibility"][0] for s in (1, 5)
        )
        assert 1 > weak > strong >= 0
    np.testing.assert_allclose(np.array(labels["target"].to_list()).sum(axis=1), 1)


def test_a_second_call_repeats_nothing_and_changes_nothing(ferc, run_copy):
    stamps = {p: p.stat().st_mtime_ns for p in run_copy.rglob("*.parquet") if "pred" in str(p)}
    before = contents(run_copy)
    again = ferc("run", *SMALL, *TWO, "--out", "run")
    assert again.returncode == 0
    assert not [line for line in again.stderr.splitlines() if line.startswith(("train ", "read"))]
    assert "trainings: 1, of which 0 to do" in again.stderr
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    assert contents(run_copy) == before


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_directory_is_run_again_by_its_name(ferc, run_copy, tmp_path, elsewhere):
    before = contents(run_copy)
    if elsewhere:
        run_copy = run_copy.rename(tmp_path / "moved")
    for made in ("results.parquet", f"predictions/{TRIAL}/snow-5.parquet"):
        (run_copy / made).unlink()
    again = ferc("run", run_copy.name, *METHOD_FILE)
    assert again.returncode == 0, again.stderr
    assert contents(run_copy) == before
    assert not elsewhere or not (tmp_path / "run").exists()
    more = ferc("run", run_copy.name, *METHOD_FILE, "--calibrator", "none")
    assert more.returncode == 0, more.stderr
    assert set(pl.read_parquet(run_copy / "results.parquet")["calibrator"]) == {"none"}


def test_a_copied_configuration_gives_the_same_run(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    assert ferc("run", *OWN, "--out", "run").returncode == 0
    config = (tmp_path / "run" / "config.toml").read_text().replace('out = "run"', 'out = "copy"')
    (tmp_path / "copy.toml").write_text(config)
    again = ferc("run", "copy.toml", *METHOD_FILE)
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path / "copy") == contents(tmp_path / "run")


def test_workers_executors_and_processes_do_not_change_a_byte(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    bar = ("run", *OWN, "--plugin", EXAMPLES / "my_corruption.py", "--corruption", "censor_bar",
           "--label-scheme", "one-hot")  # fmt: skip
    for name, *options in (
        ("serial", "--executor", "serial"),
        ("threads", "--workers", 3),
        ("processes", "--executor", "processes", "--workers", 2),
    ):
        done = ferc(*bar, "--out", name, *options)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "threads") == contents(tmp_path / "serial")
    assert contents(tmp_path / "processes") == contents(tmp_path / "serial")
    frame = pl.read_parquet(tmp_path / "processes" / "results.parquet")
    assert set(frame["corruption"]) == {"clean", "contrast", "censor_bar"}


def test_another_visibility_gives_other_soft_labels_without_new_predictions(ferc, run_copy):
    l2 = pl.read_parquet(run_copy / "labels.parquet")
    stamps = {p: p.stat().st_mtime_ns for p in (run_copy / "predictions").rglob("*.parquet")}
    assert ferc("run", *SMALL, *TWO, "--out", "run", "--visibility", "psnr").returncode == 0
    psnr = pl.read_parquet(run_copy / "labels.parquet")
    assert psnr["label"].to_list() == l2["label"].to_list()
    assert psnr["visibility"].to_list() != l2["visibility"].to_list()
    assert psnr["target"].to_list() != l2["target"].to_list()
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_visibility_is_not_measured_where_no_label_uses_it(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    done = ferc("run", *OWN, "--label-scheme", "one-hot", "--visibility", "ssim", "--fusion", 0.9,
                "--out", "run")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--visibility has no effect: label scheme one-hot does not use" in done.stderr
    assert "--fusion has no effect" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith("visibility ")]
    assert not (tmp_path / "run" / "visibility").exists()
    labels = pl.read_parquet(tmp_path / "run" / "labels.parquet")
    assert labels.filter(corruption="contrast")["visibility"].null_count() == 12


def test_corruptions_are_added_to_a_directory_and_leave_labels_alone(ferc, run_copy):
    snow = run_copy / "predictions" / TRIAL / "snow-5.parquet"
    stamp = snow.stat().st_mtime_ns
    before = pl.read_parquet(run_copy / "labels.parquet")
    more = ferc("run", *SMALL, "--corruption", "snow", "--corruption", "pixelate", "--out", "run")
    assert more.returncode == 0, more.stderr
    assert snow.stat().st_mtime_ns == stamp
    frame = pl.read_parquet(run_copy / "results.parquet")
    assert set(frame["corruption"]) == {"clean", "snow", "pixelate"}
    assert set(frame.filter(corruption="snow")["severity"]) == {1, 2, 3, 4, 5}
    after = pl.read_parquet(run_copy / "labels.parquet")
    this = {"corruption": "snow", "severity": 5}
    assert after.filter(**this).equals(before.filter(**this))


def test_labels_do_not_depend_on_which_corruptions_were_selected_first(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    assert ferc("run", *OWN, "--corruption", "snow", "--out", "both").returncode == 0
    assert ferc("run", *OWN, "--out", "alone").returncode == 0
    both, alone = (
        pl.read_parquet(tmp_path / name / "labels.parquet") for name in ("both", "alone")
    )
    assert both.filter(corruption="contrast").equals(alone.filter(corruption="contrast"))


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (("--image-size", 40), "image_size 32, not 40"),
        (("--epochs", 3), "epochs 8, not 3"),
        (("--limit", 30), "limit 0, not 30"),
        (("--severity-table", "tiny-imagenet-c"), "severity_table 'imagenet-c'"),
        (("--dataset", "toyfaces(train=160,valid=80,test=48)"), "dataset 'toyfaces("),
    ],
)
def test_a_directory_of_another_configuration_is_refused(ferc, run_copy, options, difference):
    before = contents(run_copy)
    message = one_sentence(ferc("run", *SMALL, *TWO, "--out", "run", *options), 2)
    assert difference in message
    assert "--out" in message
    assert contents(run_copy) == before


def test_a_directory_of_another_version_is_refused(ferc, run_copy):
    manifest = run_copy / "manifest.json"
    content = json.loads(manifest.read_text())
    content["versions"]["ferc-corruptions"] = "0.0.1"
    manifest.write_text(json.dumps(content))
    message = one_sentence(ferc("run", *SMALL, *TWO, "--out", "run"), 2)
    assert "ferc-corruptions '0.0.1'" in message


def test_a_directory_where_nothing_was_made_takes_any_configuration(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    failed = ferc("run", "--weights", "absent.pth", "--limit", 20, "--out", "run")
    assert "absent.pth" in one_sentence(failed, 2)
    assert ferc("run", *OWN, "--out", "run").returncode == 0


def test_a_folder_may_hold_grey_and_transparent_images(ferc, tmp_path):
    root = folder_of_faces(tmp_path / "faces")
    cv2.imwrite(str(root / "train/calm/0.png"), np.full((50, 44), 80, np.uint8))
    cv2.imwrite(str(root / "test/calm/0.png"), np.full((50, 44, 4), 80, np.uint8))
    result = ferc("run", *OWN, "--label-scheme", "one-hot", "--out", "run")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("where", ["train/calm/3.png", "test/angry/2.png"])
def test_one_bad_image_fails_the_run_or_is_skipped_and_counted(ferc, tmp_path, where):
    bad = folder_of_faces(tmp_path / "faces") / where
    bad.write_bytes(bad.read_bytes()[:-40])
    own = ("run", *OWN, "--label-scheme", "one-hot")
    assert where in one_sentence(ferc(*own, "--out", "run"), 1)
    skipped = ferc(*own, "--out", "skip", "--on-bad-image", "skip")
    assert skipped.returncode == 0, skipped.stderr
    assert "1 image skipped" in skipped.stderr
    assert where in (tmp_path / "skip" / "skipped.txt").read_text()
