"""The command line: help, lists, exit codes, and one sentence for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import one_sentence

from ferc_core.experiment.config import SETTINGS
from ferc_core.plugins.builtin import register_commands
from ferc_core.plugins.registry import KINDS

HEAVY = {"torch", "timm", "cv2", "polars", "scipy", "sklearn", "numpy", "pydantic"}
LIGHTER = {"numpy", "pydantic"}  # of the settings


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["plugins"], HEAVY - LIGHTER),
        (["run", "--help"], HEAVY - LIGHTER),
        (["list", "losses", "--json"], HEAVY - LIGHTER),
    ],
)
def test_light_commands_import_no_library_of_data(arguments, heavy):
    code = (
        "import sys\n"
        f"sys.argv = ['ferc', *{arguments!r}]\n"
        "from ferc_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"found = {heavy!r} & set(sys.modules)\n"
        "assert not found, found\n"
        "commands = {n for n in sys.modules if n.startswith('ferc_core.cli.')}\n"
        "commands -= {'ferc_core.cli.app', 'ferc_core.cli.options'}\n"
        f"assert commands <= {{'ferc_core.cli.{arguments[0]}'}}, commands\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_help_names_every_command_in_the_order_of_use(ferc):
    shown = ferc("--help").stdout
    found = []
    register_commands(found.append)
    rows = [line.strip("│ ").partition(" ")[0] for line in shown.splitlines()]
    places = [rows.index(entry.name) for entry in found]
    assert len(places) > 10
    assert places == sorted(places)
    assert "130 interrupted" in " ".join(shown.split())


def test_the_help_of_a_run_has_every_setting_once(ferc, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = ferc("run", "--help").stdout
    rows = [line.strip("│ *").partition(" ")[0] for line in shown.splitlines()]
    for name, setting in SETTINGS.items():
        if setting.option != "":
            option = "--" + (setting.option or name).replace("_", "-")
            assert rows.count(option) == 1, option
    assert {"--plugin", "--dry-run", "--quiet", "--log-file"} <= set(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_have_names_summaries_and_sources(ferc, kind):
    entries = json.loads(ferc("list", kind.replace("_", "-"), "--json").stdout)
    assert all(entry["summary"] and entry["source"] and entry["plugin"] for entry in entries)
    shown = ferc("list", kind).stdout
    assert all(entry["name"] in shown for entry in entries)


def test_brackets_in_a_summary_are_shown(ferc):
    assert "[frost]" in ferc("list", "corruptions").stdout


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
        (["run", "--image-size", "20"], "image size must be between 32 and 4096, not 20"),
        (["run", "--noise", "1.5"], "noise must be between 0 and 1"),
        (["run", "--seed", "-1"], "seed must be at least 0"),
        (["run", "--limit", "-1"], "limit must be between 0 and 1000000000, not -1"),
        (["run", "--dataset", "ferplus"], "--data-root"),
        (["run", "--dataset", "folder", "--data-root", "nowhere"], "nowhere"),
        (["run", "--dataset", "toyfaces", "--data-root", "x"], "leave out --data-root"),
        (["run", "--split", "tset"], "did you mean 'test'?"),
        (["run", "absent.toml"], "cannot read absent.toml"),
        (["run", "."], "cannot read config.toml"),
        (["run", "--log-file", "nowhere/log"], "cannot write the log file nowhere/log"),
        (["results", "nowhere"], "is not a run directory"),
        (["results", ".", "--format", "xml"], "unknown reporter 'xml'"),
        (["results", ".", "--metric", "ece"], "--metric goes with --by"),
        (["corrupt", "face.png", "out", "--seed", "-1"], "seed must be at least 0"),
    ],
)
def test_a_wrong_request_gets_one_sentence_and_code_2(ferc, arguments, message):
    assert message in one_sentence(ferc(*arguments), 2)


def test_a_wrong_configuration_file_names_the_setting(ferc, tmp_path):
    for text, message in (
        ('datset = "toyfaces"\n', "did you mean 'dataset'?"),
        ("epochs = [\n", "wrong.toml is not valid TOML"),
        ('epochs = "many"\n', "epochs"),
    ):
        (tmp_path / "wrong.toml").write_text(text)
        assert message in one_sentence(ferc("run", "wrong.toml"), 2)


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
def test_a_missing_package_is_named(ferc, monkeypatch, installed, hint):
    monkeypatch.setenv("FERC_PLUGINS", installed)
    assert hint in one_sentence(ferc("run"), 2)


def test_unknown_options_and_commands_exit_with_2(ferc):
    assert ferc("run", "--no-such-option").returncode == 2
    assert ferc("rnu").returncode == 2


def test_debug_shows_the_traceback(ferc):
    shown = ferc("--debug", "run", "--severity", 6)
    assert shown.returncode == 2
    assert "Traceback" in shown.stderr
    assert shown.stderr.splitlines()[-1].startswith("ferc: severity must be")


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("ferc run --loss fo", {"focal"}),
        ("ferc run --device ", {"auto", "cpu", "cuda"}),
        ("ferc run --label-scheme ", {"ferc", "fused", "one-hot"}),
        ("ferc build --corruption sn", {"snow"}),
        ("ferc results . --format j", {"json"}),
        ("ferc re", {"results"}),
    ],
)
def test_completion_offers_the_values(typed, values):
    *words, begun = typed.split(" ")
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words))}
    script = Path(sys.executable).with_name("ferc")  # what a shell completes
    done = subprocess.run(
        [script],
        env=os.environ | asked | {"_FERC_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
    )
    offered = set(done.stdout.split())
    assert values <= offered
    assert all(value.startswith(begun) for value in offered)
