"""The command line: help, exit codes, and one sentence for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from helpers.commands import one_sentence


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["list", "losses", "--json"], ["plugins"], ["--version"]],
)
def test_light_commands_import_neither_torch_nor_data_libraries(arguments):
    code = (
        "import sys\n"
        f"sys.argv = ['ferc', *{arguments!r}]\n"
        "from ferc_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "heavy = {'torch', 'timm', 'cv2', 'polars', 'scipy', 'sklearn'}\n"
        "found = heavy & set(sys.modules)\n"
        "assert not found, found\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_tells_what_one_needs(ferc):
    shown = ferc("run", "--help", COLUMNS="200").stdout
    options = """--dataset --data-root --method --loss --calibrator --corruption --severity
        --visibility --label-scheme --severity-table --noise --seed --epochs --image-size --limit
        --device --workers --executor --out --plugin --backbone --weights --on-bad-image"""
    options = """--dataset --data-root --method --loss --calibrator --corruption --severity
        --visibility --label-scheme --severity-table --noise --seed --epochs --image-size --limit
        --device --workers --executor --out --plugin --backbone --weights --on-bad-image"""
    for option in options.split():
        assert option in shown


def test_lists_are_json_objects_with_names_and_sources(ferc):
    entries = json.loads(ferc("list", "corruptions", "--json").stdout)
    assert sum(entry["in_benchmark"] for entry in entries) == 17
    assert all(entry["summary"] and entry["source"] for entry in entries)
    assert "snow" in ferc("list", "corruptions").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "corruption"], "did you mean 'corruptions'?"),
        (["run", "--dataset", "toyface"], "unknown dataset 'toyface': did you mean 'toyfaces'?"),
        (["run", "--method", "baselin"], "unknown method 'baselin': did you mean 'baseline'?"),
        (["run", "--loss", "ce+maxnt"], "unknown loss 'maxnt': did you mean 'maxent'?"),
        (["run", "--loss", "ce+"], "a term is missing"),
        (["run", "--loss", "mbls(marjin=3)"], "did you mean 'margin'?"),
        (["run", "--calibrator", "temprature"], "did you mean 'temperature'?"),
        (["run", "--corruption", "snwo"], "unknown corruption 'snwo': did you mean 'snow'?"),
        (["run", "--visibility", "l3"], "unknown visibility 'l3'"),
        (["run", "--visibility-scope", "averge"], "did you mean 'average'?"),
        (["run", "--label-scheme", "fercs"], "did you mean 'ferc'?"),
        (["run", "--label-scheme", "ferc(exponnt=2)"], "did you mean 'exponent'?"),
        (["run", "--severity-table", "imagenet"], "did you mean 'imagenet-c'?"),
        (["run", "--corruption", "snow(table=x)"], "unknown option of 'snow' 'table'"),
        (["run", "--executor", "thread"], "did you mean 'threads'?"),
        (["run", "--device", "gpu"], "unknown device 'gpu'"),
        (["run", "--severity", "6"], "severity must be 1, 2, 3, 4 or 5, not 6"),
        (["run", "--image-size", "20"], "image size must be at least 32, not 20"),
        (["run", "--noise", "1.5"], "noise must lie between 0 and 1"),
        (["run", "--limit", "-1"], "limit must not be negative"),
        (["run", "--dataset", "ferplus"], "--data-root"),
        (["run", "--dataset", "folder", "--data-root", "nowhere"], "nowhere"),
        (["run", "--dataset", "toyfaces", "--data-root", "x"], "leave out --data-root"),
        (["run", "--split", "tset"], "did you mean 'test'?"),
        (["run", "absent.toml"], "cannot read absent.toml"),
        (["results", "nowhere"], "is no run directory"),
        (["results", ".", "--format", "xml"], "unknown reporter 'xml'"),
        (["results", ".", "--metric", "ece"], "--metric goes with --by"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_code_2(ferc, arguments, message):
    assert message in one_sentence(ferc(*arguments), 2)


def test_a_wrong_configuration_file_names_the_setting(ferc, tmp_path):
    (tmp_path / "a.toml").write_text('datset = "toyfaces"\n')
    assert "did you mean 'dataset'?" in one_sentence(ferc("run", "a.toml"), 2)
    (tmp_path / "b.toml").write_text("epochs = [\n")
    assert "is no valid TOML" in one_sentence(ferc("run", "b.toml"), 2)
    (tmp_path / "c.toml").write_text('epochs = "many"\n')
    assert "epochs" in one_sentence(ferc("run", "c.toml"), 2)


@pytest.mark.parametrize(
    ("installed", "hint"),
    [
        ("ferc-core", "no metric is installed: pip install ferc-metrics"),
        ("ferc-core,ferc-metrics", "no visibility is installed: pip install ferc-corruptions"),
        (
            "ferc-core,ferc-metrics,ferc-corruptions",
            "no method is installed: pip install ferc-models",
        ),
    ],
)
def test_a_missing_package_is_named(ferc, installed, hint):
    assert hint in one_sentence(ferc("run", FERC_PLUGINS=installed), 2)


def test_unknown_options_and_commands_exit_with_2(ferc):
    assert ferc("run", "--no-such-option").returncode == 2
    assert ferc("rnu").returncode == 2


def test_debug_shows_the_traceback(ferc):
    shown = ferc("--debug", "run", "--severity", 6)
    assert shown.returncode != 0
    assert "Traceback" in shown.stderr


def test_brackets_in_a_summary_are_shown(ferc):
    assert "[frost]" in ferc("list", "corruptions").stdout
