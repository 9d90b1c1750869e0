"""The plugin host, tested with distributions that are really installed on a path."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.commands import EXAMPLES, one_sentence, own_plugins

import ferc_core
from ferc_core.errors import FercError, PluginError, RequestError
from ferc_core.plugins.hooks import SPECIFICATIONS, hook_name
from ferc_core.plugins.host import use_plugin_files
from ferc_core.plugins.registry import KINDS
from ferc_core.spec import Corruption, Metric

GOOD = """
from ferc_core import Corruption, hookimpl
@hookimpl
def register_corruptions(register):
    register(Corruption("fade", lambda image, severity, rng: image // (1 + severity), summary="s"))
"""


def names(result) -> list[str]:
    return [entry["name"] for entry in json.loads(result.stdout)]


def test_every_kind_has_a_hook_and_entries():
    for kind in KINDS:
        assert callable(getattr(SPECIFICATIONS, hook_name(kind)))
        assert len(getattr(ferc_core.registry(), kind)) > 0


def test_registries_are_read_only_mappings_that_suggest_the_nearest_name():
    corruptions = ferc_core.registry().corruptions
    with pytest.raises(TypeError):
        corruptions["x"] = corruptions["snow"]
    with pytest.raises(FercError, match="did you mean 'snow'"):
        corruptions["snwo"]
    with pytest.raises(KeyError):
        corruptions["snwo"]
    assert "snwo" not in corruptions
    assert corruptions.get("snwo") is None


def test_a_plugin_of_a_distribution_is_listed_with_its_version(ferc, distribution):
    site = distribution("ferc-fade", GOOD, "2.5")
    listed = ferc("list", "corruptions", "--json", path=site)
    assert listed.returncode == 0
    (fade,) = [entry for entry in json.loads(listed.stdout) if entry["name"] == "fade"]
    assert fade["plugin"] == "ferc-fade 2.5"
    report = json.loads(ferc("plugins", "--json", path=site).stdout)
    this = {"name": "ferc-fade", "version": "2.5", "hooks": ["register_corruptions"]}
    assert this in report["plugins"]
    assert report["faults"] == []


@pytest.mark.parametrize(
    ("more", "causes"),
    [
        ("import no_such_module\n", ["No module named 'no_such_module'"]),
        (
            "@hookimpl\ndef register_corruption(register): pass\n",
            ["unknown hook 'register_corruption'; did you mean 'register_corruptions'?"],
        ),
        (
            "def register_metrics(register): pass\n",
            ["register_metrics lacks @ferc_core.hookimpl and is ignored"],
        ),
        ("    register('snow')\n", ["registered 'snow', which is not a Corruption"]),
        ("    register(Corruption('Bad Name', print))\n", ["'Bad Name' is not a valid name"]),
        ("    1 / 0\n", ["register_corruptions failed: ZeroDivisionError: division by zero"]),
    ],
)
def test_a_fault_is_reported_with_its_owner_and_leaves_the_rest_working(
    ferc, distribution, more, causes
):
    site = distribution("ferc-odd", GOOD + more, "0.3")
    listed = ferc("list", "corruptions", "--json", path=site)
    assert "snow" in names(listed)
    assert ("fade" in names(listed)) == ("no_such_module" not in more)
    message = one_sentence(listed, 0)
    assert message.startswith("ferc: warning: plugin ferc-odd 0.3: ")
    for cause in causes:
        assert cause in message


def test_a_name_registered_twice_is_an_error_that_names_both_owners(ferc, distribution):
    site = distribution("ferc-again", GOOD.replace('"fade"', '"snow"'), "7.1")
    for command in (("run",), ("list", "metrics")):
        message = one_sentence(ferc(*command, path=site), 1)
        assert "'snow'" in message
        assert "ferc-again 7.1" in message
        assert "ferc-corruptions" in message
    shown = ferc("plugins", path=site)
    assert shown.returncode == 1
    assert "FAULT" in shown.stdout
    assert ferc("--help", path=site).returncode == 0
    assert ferc("list", "metrics", path=site, FERC_DISABLE_PLUGINS="ferc_again").returncode == 0


def test_environment_allows_and_leaves_out_distributions(ferc, distribution):
    site = distribution("ferc-fade", GOOD)
    only = ferc("list", "corruptions", "--json", path=site, FERC_PLUGINS="ferc-fade,ferc_core")
    assert names(only) == ["fade"]
    without = ferc("list", "corruptions", "--json", path=site, FERC_DISABLE_PLUGINS="ferc-fade")
    assert "fade" not in names(without)
    assert "snow" in names(without)
    typo = ferc("list", "corruptions", "--json", path=site, FERC_DISABLE_PLUGINS="ferc-fad")
    assert "did you mean 'ferc-fade'?" in one_sentence(typo, 0)


def test_a_single_file_is_a_plugin(ferc):
    listed = ferc("list", "corruptions", "--json", "--plugin", EXAMPLES / "my_corruption.py")
    (entry,) = [e for e in json.loads(listed.stdout) if e["name"] == "censor_bar"]
    assert entry["plugin"] == "my_corruption.py"


def test_a_plugin_file_that_fails_stops_the_command(ferc, tmp_path):
    (tmp_path / "bad.py").write_text("import no_such_module")
    assert "no_such_module" in one_sentence(ferc("run", "--plugin", "bad.py"), 1)
    assert "does not exist" in one_sentence(ferc("run", "--plugin", "absent.py"), 2)
    for text, cause in (
        ("import sys\nsys.exit(3)", "it called sys.exit(3)"),
        ("class Odd(BaseException): pass\nraise Odd('x')", "Odd: x"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth"),
        ("x = '\0'", "SyntaxError"),
        ("def __getattr__(name): raise ValueError(name)", "cannot be loaded: ValueError"),
        (f"{GOOD}    import sys; sys.exit()", "register_corruptions failed: it called sys.exit"),
    ):
        (tmp_path / "bad.py").write_text(text)
        message = one_sentence(ferc("list", "metrics", "--plugin", "bad.py"), 1)
        assert message.startswith("ferc: plugin bad.py: ")
        assert cause in message
    (tmp_path / "bare.py").write_text(GOOD.replace("@hookimpl", ""))
    message = one_sentence(ferc("list", "metrics", "--plugin", "bare.py"), 1)
    assert "register_corruptions lacks @ferc_core.hookimpl" in message


LAZY = """
from ferc_core import Metric, hookimpl
def half(probs, targets): return 0.5
@hookimpl
def register_metrics(register): register(Metric("{name}", __name__ + ":half"))
"""


def test_plugin_files_have_any_name_and_may_share_one(ferc, tmp_path):
    files = [tmp_path / "a:b.c" / "my plug:in.v2.py", tmp_path / "d" / "my plug:in.v2.py"]
    options = []
    for file, name in zip(files, ("one", "two"), strict=True):
        file.parent.mkdir()
        file.write_text(LAZY.format(name=name))
        options += ["--plugin", file]
    with own_plugins():
        use_plugin_files(options[1::2])
        metrics = ferc_core.registry().metrics
        assert metrics["one"](None, None) == metrics["two"](None, None) == 0.5
        assert metrics["one"].loaded is not metrics["two"].loaded
    files[1].write_text(LAZY.format(name="one"))
    message = one_sentence(ferc("list", "metrics", *options), 1)
    assert f"registered by {files[0]} and by {files[1]}; leave one of them out" in message


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ("Metric('a\\nb', print)", "'a\\nb' is not a valid name"),
        ("Metric(None, print)", "None is not a valid name"),
        ("Metric('m', None)", "function must be a function or 'module:attribute', not None"),
        ("Metric('m', 'print')", "function must be a function or 'module:attribute'"),
        ("Metric('m', print, target='both')", "target must be one of 'hard', 'soft', not 'both'"),
        ("Metric('m', print, views=['all'])", "views must be a tuple, each one of 'clean',"),
        ("Metric('m', print, summary=b'x')", "summary must be a text, not b'x'"),
        ("Metric('m', print, higher_is_better=1)", "higher_is_better must be true or false"),
    ],
)
def test_the_fields_of_an_entry_are_checked(ferc, tmp_path, entry, cause):
    (tmp_path / "odd.py").write_text(
        "from ferc_core import Metric, hookimpl\n@hookimpl\n"
        f"def register_metrics(register): register({entry})\n"
    )
    message = one_sentence(ferc("list", "metrics", "--plugin", "odd.py"), 1)
    assert message.startswith("ferc: plugin odd.py: register_metrics failed: ")
    assert cause in message


def test_what_a_corruption_is_given_and_returns_is_checked():
    rng = np.random.default_rng(0)
    image = np.zeros((40, 40, 3), np.uint8)
    cut = Corruption("cut", lambda image, severity, rng: image[:-1])
    with pytest.raises(PluginError, match=r"'cut' returned uint8 \(39, 40, 3\)"):
        cut(image, 1, rng)
    halved = Corruption("halved", lambda image, severity, rng: image / 2)
    with pytest.raises(PluginError, match="'halved' returned float64"):
        halved(image, 1, rng)
    mute = Corruption("mute", lambda image, severity, rng: None)
    with pytest.raises(PluginError, match="'mute' returned NoneType"):
        mute(image, 1, rng)
    snow = ferc_core.registry().corruptions["snow"]
    for severity, message in (
        (6, "severity must be 1, 2, 3, 4 or 5, not 6"),
        (3.0, "severity must be a whole number, 1 to 5, not 3.0"),
        (True, "severity must be a whole number"),
    ):
        with pytest.raises(RequestError, match=message):
            snow(image, severity, rng)
    with pytest.raises(RequestError, match=r"rng must be a numpy.random.Generator"):
        snow(image, 1, None)
    with pytest.raises(FercError, match="20x20"):
        snow(np.zeros((20, 20, 3), np.uint8), 1, rng)
    with pytest.raises(FercError, match="uint8 RGB"):
        snow(image.astype(float), 1, rng)


def test_options_are_checked_against_names_and_types_of_the_function():
    def judge(probs, targets, *, bins: int = 15, clamp: float = 0.0, fast: bool = False): ...

    metric = Metric("judge", judge)
    metric.check_options({"bins": 20, "clamp": 1, "fast": True})
    for option, value, wanted in (
        ("bins", "many", "a number"),
        ("bins", 1.5, "a whole number"),
        ("clamp", True, "a number"),
        ("fast", 1, "true or false"),
    ):
        with pytest.raises(RequestError, match=f"'{option}' of 'judge' must be {wanted}, not"):
            metric.check_options({option: value})
    with pytest.raises(RequestError, match="did you mean 'bins'"):
        metric.check_options({"bin": 3})


COMMANDS = """
from ferc_core import Command, hookimpl
@hookimpl
def register_commands(register):
    register(Command("hello", "ferc_greetings_app:app", summary="Say hello."))
    register(Command("broken", "no_such_module:app", summary="Say nothing."))
    register(Command("other", "os:getcwd", summary="Not an app."))
"""


def test_a_plugin_brings_commands_and_a_broken_one_harms_no_other(ferc, distribution):
    site = distribution("ferc-greetings", COMMANDS)
    (site / "ferc_greetings_app.py").write_text(
        "import typer\napp = typer.Typer()\n@app.command()\n"
        "def hello(name: str): print(f'hello {name}')\n"
    )
    shown = ferc("--help", path=site).stdout
    assert "Say hello." in shown
    assert "Say nothing." in shown
    assert ferc("hello", "Ada", path=site).stdout == "hello Ada\n"
    assert "No module named 'no_such_module'" in one_sentence(ferc("broken", path=site), 1)
    assert "'other' is not a Typer app" in one_sentence(ferc("other", path=site), 1)
    assert ferc("list", "metrics", path=site).returncode == 0
