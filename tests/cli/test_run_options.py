"""What ``ferc run`` shows, where it writes it, and what it would do."""

from __future__ import annotations

import re

from helpers.runs import METHOD, OWN, SMALL, TINY, TWO, folder_of_faces

TRAINED = r"train softmax_regression ce, seed 0: "


def test_off_a_terminal_each_epoch_is_a_line(small_run):
    shown = (small_run.parent / "shown.txt").read_text(encoding="utf-8").splitlines()
    epochs = [line for line in shown if line.startswith(TRAINED)]
    assert len(epochs) == 8
    for number, line in enumerate(epochs[:-1], 1):
        assert re.match(rf"{TRAINED}{number}/8 in \d+ s loss \d\.\d+$", line)
    assert re.match(rf"{TRAINED}done in [\d.]+ s loss \d\.\d+$", epochs[-1])
    assert any(line.startswith("predict scored: done in ") for line in shown)


def test_quiet_shows_results_alone_and_a_log_file_gets_the_rest(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    log = tmp_path / "run.log"
    log.write_text("earlier\n")
    own = ("run", *OWN, "--label-scheme", "one-hot", "--epochs", 3, "--out", "run",
           "--calibrator", "vector")  # fmt: skip
    done = ferc(*own, "--quiet", "--log-file", "run.log")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "softmax_regression" in done.stdout
    first, *lines = log.read_text(encoding="utf-8").splitlines()
    assert first == "earlier"
    texts = [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4} (.*)", x)[1] for x in lines]
    assert sum(text.startswith(TRAINED) for text in texts) == 3
    assert "everything goes to run" in texts
    assert ferc(*own, "-q", "--seed", "-1").stderr.startswith("ferc: seed must be")


def test_a_dry_run_says_what_it_would_do_and_stores_nothing(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("run", *OWN, "--seed", 0, "--seed", 1, "--out", "run")
    done = ferc(*own, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "to train: 2 of 2 trials, about 0:00:0" in done.stdout
    assert "to predict: 3 cells of 2 trials" in done.stdout
    assert "everything goes to run" in done.stderr
    assert "nothing has been stored" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_a_dry_run_of_a_finished_run_has_nothing_to_do(ferc, run_copy):
    stamps = {path: path.stat().st_mtime_ns for path in run_copy.rglob("*")}
    done = ferc("run", *SMALL, *TWO, "--out", "run", "--dry-run")
    assert "to train: 0 of 1 trials, about 0:00:00" in done.stdout
    assert "to predict: 0 cells" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in run_copy.rglob("*")} == stamps


def test_a_dry_run_refuses_what_a_run_refuses(ferc, tmp_path):
    tiny = ("run", *METHOD, "--dataset", TINY, "--dry-run", "--out", "run")
    done = ferc(*tiny, "--label-scheme", "dataset")
    assert done.returncode == 2
    assert "needs label distributions" in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_default_directory_is_the_same_for_the_same_making(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("run", *OWN, "--label-scheme", "one-hot", "--epochs", 1)
    first = ferc(*own)
    assert first.returncode == 0, first.stderr
    assert ferc(*own, "--severity", 1, "--threads", 7).returncode == 2  # another making
    assert ferc(*own, "--severity", 1).returncode == 0
    (folder,) = (tmp_path / "ferc-runs").iterdir()
    assert folder.name.startswith("folder-")
    assert f"Results are in ferc-runs/{folder.name}" in first.stdout
