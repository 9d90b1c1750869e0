"""A run directory is what its record says: what is damaged, foreign or mixed up is never used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import Done, Ferc, one_sentence
from helpers.runs import SMALL, TRIAL, TWO, contents

import ferc_core
from ferc_core import FercError
from ferc_core.base.files import read_table, write_parquet
from ferc_core.experiment.benchmark import Trial

RUN = ("run", *SMALL, *TWO, "--out", "run")
SNOW = Path("predictions", TRIAL, "snow-5.parquet")
CHECKPOINT = Path("checkpoints", f"{TRIAL}.safetensors")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def empty(content: bytes) -> bytes:
    return b""


def damage(path: Path, how) -> None:
    path.write_bytes(how(path.read_bytes()))


def run_again(ferc: Ferc, folder: Path, expected: dict[str, str]) -> Done:
    done = ferc(*RUN)
    assert done.returncode == 0, done.stderr
    assert contents(folder) == expected
    return done


@pytest.mark.parametrize("how", [empty, cut, zeros])
def test_a_directory_all_of_whose_files_are_damaged_is_made_again(ferc, run_copy, how):
    expected = contents(run_copy)
    for path in run_copy.rglob("*"):
        if path.is_file() and path.name != ".lock":
            damage(path, how)
    done = run_again(ferc, run_copy, expected)
    assert "manifest.json cannot be read; it is made again" in done.stderr
    assert f"{CHECKPOINT} cannot be used" in done.stderr
    assert "snow-5.parquet cannot be read" in done.stderr


@pytest.mark.parametrize(
    "name", ["manifest.json", CHECKPOINT, CHECKPOINT.with_suffix(".json"), SNOW, "results.parquet"]
)
def test_a_damaged_file_costs_itself_alone(ferc, run_copy, name):
    expected = contents(run_copy)
    labels = run_copy / "predictions" / TRIAL / "contrast-1.parquet"
    made = labels.stat().st_mtime_ns
    damage(run_copy / name, cut)
    run_again(ferc, run_copy, expected)
    assert labels.stat().st_mtime_ns == made


def test_damaged_intervals_are_computed_again(ferc, run_copy):
    asked = ("intervals", "run", "--resamples", 20, "--format", "csv")
    before = ferc(*asked).stdout
    damage(run_copy / "intervals.parquet", cut)
    assert ferc(*asked).stdout == before


def test_a_leftover_of_a_killed_write_is_removed(ferc, run_copy):
    left = run_copy / "predictions" / ".0123456789abcdef.part"
    left.write_text("half")
    assert ferc(*RUN).returncode == 0
    assert not left.exists()


def test_a_directory_without_a_manifest_is_refused_and_left_as_it_is(ferc, run_copy):
    (run_copy / "manifest.json").unlink()
    before = contents(run_copy)
    assert "is not a run directory" in one_sentence(ferc(*RUN), 2)
    assert contents(run_copy) == before


def test_a_folder_with_files_of_its_own_is_left_alone(ferc, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "config.toml").write_text('dataset = "toyfaces(train=160,valid=80,test=40)"\n# mine\n')
    (own / "labels.parquet").write_text("mine")
    before = contents(own)
    refused = ferc("run", "own/config.toml", *SMALL[:8], *TWO, "--out", "own")
    assert "own holds config.toml and is not a run directory" in one_sentence(refused, 2)
    assert contents(own) == before
    assert sorted(p.name for p in own.iterdir()) == ["config.toml", "labels.parquet"]
    assert (own / "config.toml").read_text().endswith("# mine\n")


def test_a_build_is_no_run_directory(ferc, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text('{"making": {}, "files": {}, "counts": {}}')
    assert "is not the manifest of a run" in one_sentence(ferc(*RUN), 1)


def foreign_run(ferc: Ferc, *options: object) -> None:
    assert ferc("run", *SMALL, *TWO, *options, "--out", "other").returncode == 0


def test_a_checkpoint_of_another_run_is_not_adopted(ferc, run_copy, tmp_path):
    expected = contents(run_copy)
    foreign_run(ferc, "--epochs", 1)
    for name in (CHECKPOINT, CHECKPOINT.with_suffix(".json")):
        shutil.copy(tmp_path / "other" / name, run_copy / name)
    done = run_again(ferc, run_copy, expected)
    assert f"{CHECKPOINT} cannot be used, since it was made from something else" in done.stderr


def test_predictions_of_another_model_are_not_adopted(ferc, run_copy, tmp_path):
    expected = contents(run_copy)
    foreign_run(ferc, "--epochs", 1)
    shutil.copy(tmp_path / "other" / SNOW, run_copy / SNOW)
    with pytest.raises(FercError, match=r"snow-5\.parquet cannot be used, since it was made from"):
        ferc_core.open_run(run_copy).logits(TRIAL, "snow/5")
    done = run_again(ferc, run_copy, expected)
    assert f"{SNOW} cannot be used, since it was made from something else" in done.stderr


def permuted(path: Path) -> None:
    frame, record = read_table(path)
    write_parquet(path, frame.reverse(), record)


def in_another_cell(path: Path) -> None:
    shutil.copy(path.with_name("snow-1.parquet"), path)


def with_a_wrong_value(path: Path) -> None:
    frame, record = read_table(path)
    swapped = frame.with_columns(logits=pl.col("logits").arr.reverse())
    write_parquet(path, swapped, record)


def cut_short(path: Path) -> None:
    frame, record = read_table(path)
    write_parquet(path, frame.head(7), record)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (permuted, "it has other samples, or in another order"),
        (cut_short, "it has other samples, or in another order"),
        (in_another_cell, "it is not of snow/5"),
        (with_a_wrong_value, "it is damaged"),
    ],
)
def test_rows_that_are_not_those_of_the_labels_are_noticed(ferc, run_copy, change, reason):
    expected = contents(run_copy)
    change(run_copy / SNOW)
    asked = ("intervals", "run", "--resamples", 20, "--by", "corruption")
    assert reason in one_sentence(ferc(*asked), 1)
    assert f"{SNOW} cannot be used, since {reason}; it is made again" in ferc(*RUN).stderr
    assert contents(run_copy) == expected


def test_visibilities_in_another_order_are_measured_again(ferc, run_copy):
    expected = contents(run_copy)
    (stored,) = (run_copy / "visibility").iterdir()
    permuted(stored)
    assert ferc(*RUN).returncode == 0
    assert contents(run_copy) == expected


def test_labels_that_the_scores_are_not_against_are_noticed(ferc, run_copy):
    labels, record = read_table(run_copy / "labels.parquet")
    write_parquet(run_copy / "labels.parquet", labels.with_columns(label=0), record)
    refused = ferc("intervals", "run", "--resamples", 20)
    assert "does not hold the labels that results.parquet was scored" in one_sentence(refused, 1)


def test_close_noise_rates_and_odd_names_never_share_a_file():
    trials = [
        Trial("m", "ce", noise, seed)
        for noise in (0.5, 0.5000001, 0.50000010000001, 1e-7, 5e-8)
        for seed in (0, 1)
    ]
    trials += [
        Trial("m", "ce-noise0.5", 0.0),
        Trial("m-ce", "noise0.5", 0.0),
        Trial("m-ce"),
        Trial("m", "ce"),
    ]
    assert len({trial.name for trial in trials}) == len(trials)


def test_a_directory_that_is_moved_in_the_middle_of_a_run_is_noticed(ferc, tmp_path):
    (tmp_path / "moving.py").write_text(
        "import os\n"
        "from ferc_core import Corruption, hookimpl\n"
        "def moving(image, severity, rng):\n"
        "    if os.path.isdir('run/predictions/" + TRIAL + "'):\n"
        "        os.rename('run', 'moved')\n"
        "    return image\n"
        "@hookimpl\n"
        "def register_corruptions(register):\n"
        "    register(Corruption('moving', moving))\n"
    )
    cells = ("--corruption", "moving", "--severity", 1)
    done = ferc("run", *SMALL, *cells, "--plugin", "moving.py", "--out", "run")
    assert "was moved while it was in use" in one_sentence(done, 1)
    assert not (tmp_path / "run").exists()
    assert ferc("run", *SMALL, *cells, "--plugin", "moving.py", "--out", "moved").returncode == 0


def test_links_are_neither_followed_nor_replaced(ferc, run_copy, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    (run_copy / ".intervals.parquet.part").symlink_to(precious)
    assert ferc("intervals", "run", "--resamples", 20).returncode == 0
    (run_copy / "intervals.parquet").unlink()
    (run_copy / "intervals.parquet").symlink_to(precious)
    refused = ferc("intervals", "run", "--resamples", 20)
    assert "is a link, which FER-C does not follow" in one_sentence(refused, 1)
    shutil.rmtree(run_copy / "visibility")
    (tmp_path / "elsewhere").mkdir()
    (run_copy / "visibility").symlink_to(tmp_path / "elsewhere")
    assert "is reached by a link in" in one_sentence(ferc(*RUN), 1)
    assert precious.read_text() == "mine"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_paths_are_names_and_never_patterns(ferc, tmp_path, small_run):
    done = ferc("run", *SMALL, *TWO, "--out", "exp[lr=1]")
    assert done.returncode == 0, done.stderr
    assert ferc("results", "exp[lr=1]").returncode == 0
    for name in ("run1", "run2"):
        shutil.copytree(small_run, tmp_path / name)
    assert "run* is not a run directory" in one_sentence(ferc("results", "run*"), 2)
    pl.DataFrame({"sample": ["a"]}).write_parquet(tmp_path / "p.parquet")
    assert "does not exist" in one_sentence(ferc("score", "?.parquet", "--dataset", "toyfaces"), 2)
    os.rename(tmp_path / "exp[lr=1]", tmp_path / "ex*p")
    assert ferc(*RUN[:-1], "ex*p").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("results", "run", "--by", "seed", "--out", "OUT.csv"),
        ("score", "p.csv", "--dataset", "toyfaces", "--out", "OUT.parquet"),
        ("gmm", "fit", "--dataset", "toyfaces", "--out", "OUT.json"),
        ("data", "preview", "toyfaces", "--out", "OUT.png"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_done(
    ferc, tmp_path, small_run, command
):
    (tmp_path / "run").symlink_to(small_run)
    (tmp_path / "p.csv").write_text("sample,corruption,severity,prob_0,prob_1\na,clean,0,1,0\n")
    (tmp_path / "mine").write_text("mine")
    suffix = Path(command[-1]).suffix
    (tmp_path / f"link{suffix}").symlink_to(tmp_path / "mine")
    for name, reason in (("link", "is a link"), ("mine/x", "mine is not a directory")):
        refused = ferc(*command[:-1], f"{name}{suffix}")
        assert reason in one_sentence(refused, 2)
    assert (tmp_path / "mine").read_text() == "mine"
