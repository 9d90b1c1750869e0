"""A run compared with the paper: 696 printed numbers, means over seeds, what a run may lack."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import statistics
import subprocess
import sys

import polars as pl
import pytest
from helpers.paper import CELLS, missing_line, rows, show, store, told

from ferc_core.results.paper.compare import compare
from ferc_core.results.paper.tables import tidy
from ferc_core.results.paper.values import (
    DATASETS,
    LAYOUTS,
    METHODS,
    TABLES,
    notes,
    printed,
)

# The paper's numbers


def test_the_696_numbers_are_those_of_the_paper():
    """The digest is of the same lines made from all_tables.csv, which was read off the paper."""
    lines = sorted(",".join(map(str, (*key, value))) for key, value in printed().items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert digest == "e5a1954c2670a92246b73560d632e939febeaec4b59e9256a1e5af86d79d8b85"
    counts = [sum(key[0] == table for key in printed()) for table in range(1, 7)]
    assert counts == [120, 180, 24, 72, 120, 180]
    assert printed()[4, "rafdb_c", "dmue", 0, "cece", "pre"] == "22.00"  # digits as printed


@pytest.mark.parametrize("name", TABLES)
def test_printed_numbers_are_in_the_order_of_the_paper(name):
    everything = pl.concat(
        rows(dataset, noise=(0.0, 0.1, 0.2, 0.3), losses=("ce", "focal", "maxent", "maxent+mbls"))
        for dataset in reversed(DATASETS)  # not in the order of the file
    )
    ours = tidy(compare(everything, name), name).filter(pl.col("paper").is_not_null())
    theirs = {key[1:]: float(v) for key, v in printed().items() if key[0] == int(name[-1])}
    found = {
        (r["dataset"], r["method"], r["noise"], r["metric"], r["stage"]): r["paper"]
        for r in ours.iter_rows(named=True)
    }
    assert found == theirs
    panels = list(dict.fromkeys(key[0] for key in theirs))
    assert list(dict.fromkeys(key[0] for key in found)) == panels
    for panel in panels:
        assert [k for k in found if k[0] == panel] == [k for k in theirs if k[0] == panel]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_table_and_figure_has_reading_notes(name):
    assert notes(name)
    assert all(line.endswith(".") for line in notes(name))


def test_notes_belong_to_their_tables():
    for name in ("table2", "table6"):
        assert any("Acc pre, ECE pre, Acc post, ECE post" in note for note in notes(name))
    assert any("not the mean of its column" in note for note in notes("table3"))
    assert not any("not the mean of its column" in note for note in notes("table4"))


# Means over cells and seeds


def by_seed(seed, metric, corruption, severity, loss, **_):
    """0.40 and 0.50 for the two seeds; 0.1 less at severity 5; soft_ece and post of their own."""
    base = {0: 0.4, 1: 0.5}[seed] - (0.1 if severity == 5 else 0)
    return base / 2 if metric == "soft_ece" else base / 4 if loss != "ce" else base


def test_means_and_deviations_are_exact_and_in_their_places(tmp_path):
    cells = told(store(tmp_path / "run", rows(value=by_seed)), "--paper", "table1")
    expected = {
        # severity 5 takes 0.1 from one of two corrupted cells, so 0.05 from their mean
        ("rafdb", "scn", "f1", "pre"): (40.0, 50.0, 73.4),
        ("rafdb", "scn", "f1", "post"): (10.0, 12.5, 73.0),
        ("rafdb", "scn", "ece", "pre"): (40.0, 50.0, 11.7),  # hard labels in distribution
        ("rafdb_c", "scn", "f1", "pre"): (35.0, 45.0, 58.3),
        ("rafdb_c", "scn", "ece", "pre"): (17.5, 22.5, 25.0),  # soft labels out of it
    }
    for key, (first, second, paper) in expected.items():
        cell = cells[key]
        assert float(cell["run_mean"]) == pytest.approx((first + second) / 2, abs=1e-9), key
        assert float(cell["run_std"]) == pytest.approx(statistics.stdev([first, second])), key
        assert (cell["table"], cell["noise"], cell["seeds"], cell["n"]) == ("1", "0", "2", "30")
        assert float(cell["paper"]) == paper
    assert len(cells) == 5 * 2 * 2 * 2


def test_nll_stays_in_nats(tmp_path):
    run = store(tmp_path / "run", rows(value=lambda metric, **_: 1.25))
    assert float(told(run, "--paper", "table5")["rafdb", "rul", "nll", "post"]["run_mean"]) == 1.25
    assert re.search(r"rul +1\.25 ± 0\.00 +0\.65 ", show(run, "--paper", "table5"))


def test_blocks_of_noise_have_the_trials_of_their_rate(tmp_path):
    run = store(
        tmp_path / "run",
        rows(noise=(0.0, 0.1, 0.3), value=lambda noise, **_: noise),
    )
    table = csv.DictReader(io.StringIO(show(run, "--paper", "table2", "--format", "csv")))
    means = {r["noise"]: r["run_mean"] for r in table if r["metric"] == "acc"}
    assert {k: v and round(float(v), 9) for k, v in means.items()} == {
        "10": 10.0,
        "20": "",
        "30": 30.0,
    }
    assert missing_line(show(run, "--paper", "table6")).endswith("noise 20 %.")


def test_the_order_of_the_rows_of_results_changes_nothing(tmp_path):
    frame = rows(value=by_seed)
    straight = store(tmp_path / "a", frame)
    mixed = store(tmp_path / "b", frame.sample(fraction=1, shuffle=True, seed=3))
    assert show(straight, "--paper", "table1") == show(mixed, "--paper", "table1")


def test_overall_is_the_mean_of_five_methods_and_absent_without_one(tmp_path):
    def value(method, seed, **_):
        return 0.1 * METHODS.index(method) + 0.2 * seed

    run = store(tmp_path / "five", rows(value=value))
    overall = told(run, "--paper", "table4")["rafdb_c", "overall", "cece", "pre"]
    assert float(overall["run_mean"]) == pytest.approx(30)  # 20 over methods, 10 over seeds
    assert float(overall["run_std"]) == pytest.approx(statistics.stdev([20, 40]))
    run = store(tmp_path / "four", rows(value=value, methods=METHODS[:4]))
    assert told(run, "--paper", "table4")["rafdb", "overall", "cece", "pre"]["run_mean"] == ""


def test_table_3_has_four_losses(tmp_path):
    losses = ("ce", "focal(gamma=3)", "maxent", "maxent+mbls")
    run = store(tmp_path / "run", rows(losses=losses, value=lambda loss, **_: len(loss) / 100))
    cells = told(run, "--paper", "table3")
    stages = {stage: float(c["run_mean"]) for (_, m, _, stage), c in cells.items() if m == "rul"}
    assert stages == pytest.approx({"ce": 2, "focal": 14, "maxent": 6, "maxent_mbls": 11})
    assert "rafdb: Focal is the loss focal(gamma=3)." in show(run, "--paper", "table3")


# What a run may lack, or have beyond the paper


def test_a_partial_run_is_shown_and_one_line_names_what_is_missing(tmp_path):
    run = store(
        tmp_path / "run",
        rows(methods=["scn"]),
        rows(methods=["baseline"], losses=["ce"], seeds=[0]),
    )
    text = show(run, "--paper", "table1")
    assert missing_line(text) == (
        "- Not in this run: datasets affectnet, affwild; methods dmue, rul, swinv2_t, "
        "baseline post."
    )
    assert re.search(r"RAF-DB +baseline +50\.0 +72\.6 +50\.0 +9\.86 +- +73\.8 +- +7\.51 ", text)
    assert re.search(r"RAF-DB +dmue +- +76\.5 +- +13\.3 +- +75\.8 +- +5\.60 +- +-", text)
    assert "nan" not in text.lower()
    assert "None" not in text


def test_a_complete_run_of_a_table_lacks_nothing(tmp_path):
    run = store(tmp_path / "run", *(rows(dataset) for dataset in DATASETS))
    assert "Not in this run" not in show(run, "--paper", "table1")


def test_a_part_that_is_missing_has_the_methods_of_the_other(tmp_path):
    run = store(tmp_path / "run", rows(methods=["rul(size=mini)"], cells=CELLS[:1]))
    methods = [m for d, m, _, _ in told(run, "--paper", "table1") if d == "rafdb_c"]
    assert list(dict.fromkeys(methods))[3] == "rul(size=mini)"
    gaps = "methods baseline, scn, dmue, swinv2_t, cells corrupted."
    assert missing_line(show(run, "--paper", "table1")).endswith(gaps)


def test_a_run_without_corruptions_or_without_a_metric_says_so(tmp_path):
    clean = store(tmp_path / "clean", rows(cells=CELLS[:1]))
    assert missing_line(show(clean, "--paper", "table5")).endswith("; cells corrupted.")
    few = store(tmp_path / "few", rows(metrics=["macro_f1", "ece"]))
    assert missing_line(show(few, "--paper", "table1")).endswith("; metrics soft_ece.")
    other = store(tmp_path / "other", rows(losses=["poly"]))
    assert "needs losses ce, maxent+mbls and noise 10 %" in show(other, "--paper", "table2")


def test_fewer_corrupted_cells_than_the_benchmark_are_noted(tmp_path):
    run = store(tmp_path / "run", rows())
    assert "rafdb: 2 corrupted cells; the benchmark has 85." in show(run, "--paper", "table1")
    assert "corrupted cells; the" not in show(run, "--paper", "table6")  # has only clean ones


def test_a_dataset_that_the_paper_lacks_is_compared_with_one_that_is_named(tmp_path):
    run = store(tmp_path / "run", rows("toyfaces(count=9)"))
    text = show(run, "--paper", "table1")
    assert re.search(r"toyfaces\(count=9\)-C +rul +50\.0 ± 0\.0 +- +50\.0 ± 0\.0 +- ", text)
    assert "The paper has no dataset toyfaces(count=9); --paper-dataset NAME" in text
    beside = show(run, "--paper", "table1", "--paper-dataset", "rafdb")
    assert re.search(
        r"toyfaces\(count=9\)-C +rul +50\.0 ± 0\.0 +71\.4 +50\.0 ± 0\.0 +18\.2 ", beside
    )
    assert "toyfaces(count=9) is compared with the paper's RAF-DB." in beside


def test_variants_of_a_method_are_together_and_others_follow(tmp_path):
    methods = ["mine", "swinv2_t(size=mini)", "swinv2_t", "baseline"]
    cells = told(store(tmp_path / "run", rows(methods=methods)), "--paper", "table1")
    order = list(dict.fromkeys(method for _, method, _, _ in cells))
    assert order == ["baseline", "scn", "dmue", "rul", *methods[1:3], methods[0]]
    for method in methods[1:3]:
        assert float(cells["rafdb", method, "f1", "pre"]["paper"]) == 74.6
    assert cells["rafdb", "mine", "f1", "pre"]["paper"] == ""


def test_variants_of_a_loss_are_not_mixed(tmp_path):
    both = ["ce", "maxent+mbls(margin=8)", "maxent+mbls(margin=10)"]
    run = store(tmp_path / "both", rows(losses=both))
    assert told(run, "--paper", "table1")["rafdb", "scn", "f1", "post"]["run_mean"] == ""
    assert "post is left out: maxent+mbls(margin=8), " in show(run, "--paper", "table1")
    run = store(
        tmp_path / "plain",
        rows(
            losses=[*both[:2], "maxent+mbls"], value=lambda loss, **_: 0.9 if "(" in loss else 0.2
        ),
    )
    post = told(run, "--paper", "table1")["rafdb", "scn", "f1", "post"]
    assert float(post["run_mean"]) == pytest.approx(20)


def test_calibrators_are_further_rows_without_a_value_of_the_paper(tmp_path):
    frame = rows(
        calibrators=["none", "temperature"],
        value=lambda calibrator, **_: 0.1 if calibrator == "none" else 0.3,
    )
    run = store(tmp_path / "run", frame)
    alone = told(run, "--paper", "table1")
    assert told(run, "--paper", "table1", "--calibrator", "none") == alone
    cells = told(run, "--paper", "table1", "--calibrator", "temperature")
    plain, calibrated = (
        cells["rafdb", method, "ece", "pre"] for method in ("scn", "scn + temperature")
    )
    assert (float(plain["run_mean"]), float(plain["paper"])) == (pytest.approx(10), 11.7)
    assert (float(calibrated["run_mean"]), calibrated["paper"]) == (pytest.approx(30), "")
    assert list(cells).index(("rafdb", "scn + temperature", "f1", "pre")) < list(cells).index(
        ("rafdb", "dmue", "f1", "pre")
    )


# Several run directories


def test_a_folder_of_run_directories_is_compared_as_one(tmp_path):
    for dataset in ("rafdb", "affectnet"):
        store(
            tmp_path / "all" / dataset, rows(dataset, value=lambda dataset, **_: len(dataset) / 20)
        )
    cells = told(tmp_path / "all", "--paper", "table1")
    assert float(cells["affectnet", "rul", "f1", "pre"]["run_mean"]) == pytest.approx(45)
    assert float(cells["rafdb", "rul", "f1", "pre"]["run_mean"]) == pytest.approx(25)


def test_help_of_results_stays_light():
    code = (
        "import sys\n"
        "sys.argv = ['ferc', 'results', '--help']\n"
        "from ferc_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'polars', 'altair', 'cv2', 'numpy', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--paper" in done.stdout
