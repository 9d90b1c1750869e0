"""The plugin host, tested with distributions that are really installed on a path."""

from __future__ import annotations

import json

import pytest
from helpers.commands import EXAMPLES, one_sentence

import ferc_core
from ferc_core.plugins.host import KINDS

GOOD = """
from ferc_core import Corruption, hookimpl
@hookimpl
def register_corruptions(register):
    register(Corruption("fade", lambda image, severity, rng: image // (1 + severity), summary="s"))
"""


def names(result) -> list[str]:
    return [entry["name"] for entry in json.loads(result.stdout)]


def test_every_kind_has_a_hook_and_a_registry():
    registries = ferc_core.registry()
    for kind in KINDS:
        assert f"register_{kind}" in dir(ferc_core.plugins.hooks)
        assert len(getattr(registries, kind)) > 0


def test_registries_are_read_only_mappings_that_suggest_the_nearest_name():
    corruptions = ferc_core.registry().corruptions
    with pytest.raises(TypeError):
        corruptions["x"] = corruptions["snow"]
    with pytest.raises(ferc_core.FercError, match="did you mean 'snow'"):
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
    assert {"name": "ferc-fade", "version": "2.5", "hooks": ["register_corruptions"]} in report[
        "plugins"
    ]
    assert report["faults"] == []


def test_a_broken_import_is_reported_and_leaves_the_rest_working(ferc, distribution):
    site = distribution("ferc-broken", "import no_such_module", "0.3")
    distribution("ferc-fade", GOOD)
    listed = ferc("list", "corruptions", "--json", path=site)
    assert listed.returncode == 0
    assert {"fade", "snow"} <= set(names(listed))
    message = one_sentence(listed, 0)
    assert "ferc-broken 0.3" in message
    assert "No module named 'no_such_module'" in message


def test_a_misspelt_hook_is_reported_with_the_nearest_name(ferc, distribution):
    source = GOOD + "\n@hookimpl\ndef register_corruption(register): pass\n"
    listed = ferc("list", "corruptions", "--json", path=distribution("ferc-fade", source))
    assert "fade" in names(listed)
    message = one_sentence(listed, 0)
    assert "ferc-fade 1.0" in message
    assert "'register_corruption'" in message
    assert "did you mean 'register_corruptions'?" in message


@pytest.mark.parametrize("kind", ["run", "list"])
def test_a_name_registered_twice_is_an_error_that_names_both_owners(ferc, distribution, kind):
    site = distribution("ferc-again", GOOD.replace('"fade"', '"snow"'), "7.1")
    result = ferc(*(["run"] if kind == "run" else ["list", "metrics"]), path=site)
    message = one_sentence(result, 1)
    assert "'snow'" in message
    assert "ferc-again 7.1" in message
    assert "ferc-corruptions" in message
    shown = ferc("plugins", path=site)
    assert shown.returncode == 1
    assert "FAULT" in shown.stdout
    assert ferc("list", "metrics", path=site, FERC_DISABLE_PLUGINS="ferc_again").returncode == 0


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ('register("snow")', "no Corruption"),
        ('register(Corruption("Bad Name", print))', "is no name"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_hook_that_fails_is_reported(ferc, distribution, entry, cause):
    source = GOOD.rsplit("    register", 1)[0] + f"    {entry}\n"
    listed = ferc("list", "corruptions", "--json", path=distribution("ferc-odd", source))
    assert "snow" in names(listed)
    assert cause in one_sentence(listed, 0)


def test_environment_allows_and_leaves_out_distributions(ferc, distribution):
    site = distribution("ferc-fade", GOOD)
    only = ferc("list", "corruptions", "--json", path=site, FERC_PLUGINS="ferc-fade")
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


def test_what_a_corruption_returns_is_checked():
    import numpy as np

    rng = np.random.default_rng(0)
    image = np.zeros((40, 40, 3), np.uint8)
    bad = ferc_core.Corruption("bad", lambda image, severity, rng: image[:-1])
    with pytest.raises(ferc_core.FercError, match="'bad' returned"):
        bad(image, 1, rng)
    snow = ferc_core.registry().corruptions["snow"]
    with pytest.raises(ferc_core.FercError, match="severity must be"):
        snow(image, 6, rng)
    with pytest.raises(ferc_core.FercError, match="20x20"):
        snow(np.zeros((20, 20, 3), np.uint8), 1, rng)
    with pytest.raises(ferc_core.FercError, match="uint8 RGB"):
        snow(image.astype(float), 1, rng)
