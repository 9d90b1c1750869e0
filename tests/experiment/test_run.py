"""The benchmark from end to end, with a method that needs no torch (examples/my_method.py)."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, ferc_in, one_sentence

SMALL = (
    "--plugin",
    EXAMPLES / "my_method.py",
    "--method",
    "softmax_regression",
    "--loss",
    "ce",
    "--dataset",
    "toyfaces(train=160,valid=80,test=40)",
    "--image-size",
    32,
)
TWO = ("--corruption", "snow", "--corruption", "contrast", "--severity", 1, "--severity", 5)


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file of a run directory, but for where it says it lies."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "config.toml")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run, made once."""
    folder = tmp_path_factory.mktemp("finished")
    result = ferc_in(folder)("run", *SMALL, *TWO, "--out", "run")
    assert result.returncode == 0, result.stderr
    return folder / "run", result


@pytest.fixture
def done(finished, tmp_path):
    """A copy of the finished run, for a test of its own."""
    folder, result = finished
    return Path(shutil.copytree(folder, tmp_path / "run")), result


def test_a_run_leaves_what_the_contract_says(done):
    folder, result = done
    frame = pl.read_parquet(folder / "results.parquet")
    assert frame.columns == [
        "dataset", "method", "loss", "calibrator", "noise", "seed",
        "corruption", "severity", "metric", "value", "n",
    ]  # fmt: skip
    assert frame["n"].unique().to_list() == [40]
    cells = set(frame.select("corruption", "severity").iter_rows())
    assert cells == {("clean", 0), ("snow", 1), ("snow", 5), ("contrast", 1), ("contrast", 5)}
    assert set(frame["calibrator"]) == {"none", "temperature"}
    predictions = pl.read_parquet(
        folder / "predictions" / "softmax_regression-ce-noise0-seed0" / "snow-5.parquet"
    )
    assert predictions.columns == ["sample", "corruption", "severity", "logits"]
    assert len(predictions) == 40
    record = pl.read_parquet_metadata(folder / "results.parquet")
    assert record["ferc.benchmark"] == "1"
    assert "ferc-core" in json.loads(record["ferc.versions"])
    assert "softmax_regression" in result.stdout
    assert str(folder.name) in result.stdout


def test_scores_are_those_of_the_stored_predictions(done):
    folder, _ = done
    frame = pl.read_parquet(folder / "results.parquet")
    stored = pl.read_parquet(
        folder / "predictions" / "softmax_regression-ce-noise0-seed0" / "contrast-1.parquet"
    )
    labels = pl.read_parquet(folder / "labels.parquet").filter(corruption="contrast", severity=1)
    assert stored["sample"].to_list() == labels["sample"].to_list()
    hits = np.array(stored["logits"].to_list()).argmax(axis=1) == labels["label"].to_numpy()
    value = frame.filter(corruption="contrast", severity=1, metric="accuracy", calibrator="none")[
        "value"
    ]
    assert value.to_list() == [hits.mean()]


def test_soft_labels_follow_the_visibility(done):
    folder, _ = done
    labels = pl.read_parquet(folder / "labels.parquet")
    clean = labels.filter(corruption="clean")
    assert clean["visibility"].to_list() == [1.0] * 40
    for corruption in ("snow", "contrast"):
        weak, strong = (
            labels.filter(corruption=corruption, severity=s)["visibility"][0] for s in (1, 5)
        )
        assert 1 > weak > strong >= 0
    sums = np.array(labels["target"].to_list()).sum(axis=1)
    np.testing.assert_allclose(sums, 1)


def test_a_second_call_repeats_nothing_and_changes_nothing(ferc, done):
    folder, _ = done
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.parquet") if "pred" in str(p)}
    old = contents(folder)
    again = ferc("run", *SMALL, *TWO, "--out", "run")
    assert again.returncode == 0
    assert "train" not in "".join(line for line in again.stderr.splitlines() if "done in" in line)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert contents(folder) == old


@pytest.mark.parametrize(
    "options", [("--workers", 3), ("--executor", "serial"), ("--executor", "processes")]
)
def test_workers_and_executors_do_not_change_a_byte(ferc, done, tmp_path, options):
    folder, _ = done
    assert ferc("run", *SMALL, *TWO, "--out", "other", *options).returncode == 0
    assert contents(tmp_path / "other") == contents(folder)


def test_another_visibility_gives_other_soft_labels_without_new_predictions(ferc, done):
    folder, _ = done
    l2 = pl.read_parquet(folder / "labels.parquet")
    stamps = {p: p.stat().st_mtime_ns for p in (folder / "predictions").rglob("*.parquet")}
    assert ferc("run", *SMALL, *TWO, "--out", "run", "--visibility", "ssim").returncode == 0
    ssim = pl.read_parquet(folder / "labels.parquet")
    assert ssim["label"].to_list() == l2["label"].to_list()
    assert ssim["visibility"].to_list() != l2["visibility"].to_list()
    assert ssim["target"].to_list() != l2["target"].to_list()
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_more_corruptions_are_added_to_a_directory(ferc, done):
    folder, _ = done
    snow = folder / "predictions" / "softmax_regression-ce-noise0-seed0" / "snow-5.parquet"
    stamp = snow.stat().st_mtime_ns
    more = ferc("run", *SMALL, "--corruption", "snow", "--corruption", "pixelate", "--out", "run")
    assert more.returncode == 0, more.stderr
    assert snow.stat().st_mtime_ns == stamp
    frame = pl.read_parquet(folder / "results.parquet")
    assert set(frame["corruption"]) == {"clean", "snow", "pixelate"}
    assert set(frame.filter(corruption="snow")["severity"]) == {1, 2, 3, 4, 5}


def test_labels_do_not_depend_on_which_corruptions_are_selected(ferc, done, tmp_path):
    folder, _ = done
    assert ferc("run", *SMALL, "--corruption", "snow", "--out", "alone").returncode == 0
    ours = pl.read_parquet(folder / "labels.parquet").filter(corruption="snow", severity=5)
    alone = pl.read_parquet(tmp_path / "alone" / "labels.parquet")
    assert ours.equals(alone.filter(corruption="snow", severity=5))


def test_results_in_every_format(ferc, done):
    rows = json.loads(ferc("results", "run", "--format", "json").stdout)
    assert [row["calibrator"] for row in rows] == ["none", "temperature"]
    assert 0 < rows[0]["clean_macro_f1"] < 1
    lines = ferc("results", "run", "--format", "csv", "--by", "corruption").stdout.splitlines()
    assert len(lines) == 1 + 2 * 3
    assert ferc("results", "run", "--format", "markdown").stdout.startswith("| method |")
    assert r"\toprule" in ferc("results", "run", "--format", "latex").stdout
    assert "softmax_regression" in ferc("results", "run").stdout
    by = json.loads(
        ferc("results", "run", "--format", "json", "--by", "corruption", "--by", "severity",
             "--metric", "accuracy").stdout
    )  # fmt: skip
    frame = pl.read_parquet(done[0] / "results.parquet").filter(metric="accuracy")
    assert sorted(row["accuracy"] for row in by) == sorted(frame["value"])


def test_a_new_metric_needs_no_model(ferc, done):
    folder, _ = done
    for model in (folder / "checkpoints").iterdir():
        model.unlink()
    shown = ferc(
        "results", "run", "--plugin", EXAMPLES / "my_metric.py", "--format", "json",
        "--by", "severity", "--metric", "confidence",
    )  # fmt: skip
    rows = json.loads(shown.stdout)
    assert all(1 / 8 <= row["confidence"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (("--image-size", 40), "image_size 32, not 40"),
        (("--epochs", 3), "epochs"),
        (("--limit", 30), "limit 0, not 30"),
        (("--severity-table", "tiny-imagenet-c"), "severity_table"),
        (("--dataset", "toyfaces(train=160,valid=80,test=48)"), "dataset"),
    ],
)
def test_a_directory_of_another_configuration_is_refused(ferc, done, options, difference):
    before = contents(done[0])
    message = one_sentence(ferc("run", *SMALL, *TWO, "--out", "run", *options), 2)
    assert difference in message
    assert "--out" in message
    assert contents(done[0]) == before


def test_a_directory_where_nothing_was_made_yet_takes_any_configuration(ferc, tmp_path):
    failed = ferc("run", "--weights", "absent.pth", "--limit", 20, "--out", "run")
    assert "absent.pth do not exist" in one_sentence(failed, 2)
    assert ferc("run", *SMALL, *TWO, "--out", "run").returncode == 0


def test_a_directory_of_another_version_is_refused(ferc, done):
    manifest = done[0] / "manifest.json"
    content = json.loads(manifest.read_text())
    content["versions"]["ferc-corruptions"] = "0.0.1"
    manifest.write_text(json.dumps(content))
    message = one_sentence(ferc("run", *SMALL, *TWO, "--out", "run"), 2)
    assert "ferc-corruptions '0.0.1'" in message


def test_config_of_a_run_repeats_it(ferc, done, tmp_path):
    config = (done[0] / "config.toml").read_text().replace('out = "run"', 'out = "copy"')
    (tmp_path / "copy.toml").write_text(config)
    again = ferc("run", "copy.toml", "--plugin", EXAMPLES / "my_method.py")
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path / "copy") == contents(done[0])


def test_calibrator_none_leaves_the_plain_softmax_alone(ferc, done):
    assert ferc("run", *SMALL, *TWO, "--out", "run", "--calibrator", "none").returncode == 0
    frame = pl.read_parquet(done[0] / "results.parquet")
    assert set(frame["calibrator"]) == {"none"}


def test_noise_and_seeds_make_separate_trainings(ferc, tmp_path):
    result = ferc("run", *SMALL, "--noise", 0, "--noise", 0.5, "--corruption", "contrast",
                  "--severity", 1, "--out", "noisy")  # fmt: skip
    assert result.returncode == 0, result.stderr
    frame = pl.read_parquet(tmp_path / "noisy" / "results.parquet")
    accuracy = frame.filter(metric="accuracy", corruption="clean", calibrator="none")
    clean, noisy = accuracy.sort("noise")["value"]
    assert clean > noisy


def test_a_plugin_corruption_runs_in_worker_processes(ferc, tmp_path):
    result = ferc("run", *SMALL, "--plugin", EXAMPLES / "my_corruption.py", "--corruption",
                  "censor_bar", "--executor", "processes", "--out", "bar")  # fmt: skip
    assert result.returncode == 0, result.stderr
    frame = pl.read_parquet(tmp_path / "bar" / "results.parquet")
    assert set(frame["corruption"]) == {"clean", "censor_bar"}


def folder_of_faces(root: Path, n: int = 6) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for k, name in enumerate(("calm", "angry")):
            for i in range(n):
                path = root / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = rng.integers(0, 60, (50, 44, 3), dtype=np.uint8) + np.uint8(120 * k)
                cv2.imwrite(str(path), image)
    return root


OWN = ("--plugin", EXAMPLES / "my_method.py", "--method", "softmax_regression", "--loss", "ce",
       "--dataset", "folder", "--data-root", "faces", "--image-size", 32,
       "--corruption", "contrast", "--severity", 3)  # fmt: skip


def test_a_folder_of_your_own_with_grey_and_rgba_files(ferc, tmp_path):
    root = folder_of_faces(tmp_path / "faces")
    cv2.imwrite(str(root / "train/calm/0.png"), np.full((50, 44), 80, np.uint8))
    cv2.imwrite(str(root / "test/calm/0.png"), np.full((50, 44, 4), 80, np.uint8))
    result = ferc("run", *OWN, "--out", "run")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("where", ["train/calm/3.png", "test/angry/2.png"])
@pytest.mark.parametrize("fault", ["empty", "truncated", "text", "tiny"])
def test_one_bad_image_fails_the_run_or_is_skipped_and_counted(ferc, tmp_path, where, fault):
    root = folder_of_faces(tmp_path / "faces")
    bad = root / where
    if fault == "empty":
        bad.write_bytes(b"")
    elif fault == "truncated":
        bad.write_bytes(bad.read_bytes()[:-40])
    elif fault == "text":
        bad.write_text("no image")
    else:
        cv2.imwrite(str(bad), np.zeros((20, 20, 3), np.uint8))
    message = one_sentence(ferc("run", *OWN, "--out", "run"), 1)
    assert where in message
    skipped = ferc("run", *OWN, "--out", "skip", "--on-bad-image", "skip")
    assert skipped.returncode == 0, skipped.stderr
    assert "1 image skipped" in skipped.stderr
    assert where in (tmp_path / "skip" / "skipped.txt").read_text()


def test_two_processes_do_not_share_a_directory(ferc, tmp_path):
    from filelock import FileLock

    (tmp_path / "run").mkdir()
    with FileLock(tmp_path / "run" / ".lock"):
        message = one_sentence(ferc("run", *SMALL, *TWO, "--out", "run"), 2)
    assert "another process" in message
