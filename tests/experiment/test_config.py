"""Settings from a file, the command line and Python: ranges, defaults, spellings, round trips."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import REPOSITORY
from helpers.runs import TINY, tiny

from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Benchmark, Trial, trials_of
from ferc_core.experiment.config import Config, configured, read_config, read_configs
from ferc_core.experiment.entries import resolve


def resolved(**values: object) -> Config:
    """Return the configuration with all defaults filled in."""
    return resolve(configured(values))[0]


def test_a_configuration_reads_back_as_it_was_written(tmp_path):
    config = resolved(
        dataset="folder",
        data_root=tmp_path / 'faces 😀 "quoted" \\ back',
        losses=("ce", "maxent + mbls"),
        noise=(0, 0.1),
        calibrators=(),
        out="e\u0301 \x7f",
    )
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert read_config(path, {}) == config
    assert resolve(read_config(path, {}))[0] == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"noise": 1.5}, "noise must be between 0 and 1, not 1.5"),
        ({"noise": (0, -0.1)}, "noise must be between 0 and 1, not -0.1"),
        ({"noise": float("nan")}, "noise must be a finite number, not nan"),
        ({"soft_augmentation": 2}, "soft augmentation must be between 0 and 1, not 2"),
        ({"fusion": -1}, "fusion must be between 0 and 1, not -1"),
        ({"limit": -1}, "limit must be between 0 and 1000000000, not -1"),
        ({"limit": 10**12}, "limit must be between 0 and 1000000000, not 1000000000000"),
        ({"seeds": (0, -1)}, "seed must be at least 0, not -1"),
        ({"jobs": 0}, "jobs must be between 1 and 1024, not 0"),
        ({"image_size": 20}, "image size must be between 32 and 4096, not 20"),
        ({"image_size": 10**6}, "image size must be between 32 and 4096, not 1000000"),
        ({"max_pixels": 0}, "max pixels must be between 1 and 1073741824, not 0"),
        ({"max_pixels": 10**12}, "max pixels must be between 1 and 1073741824"),
        ({"threads": 10**9}, "threads must be between 0 and 1024, not 1000000000"),
        ({"workers": 10**9}, "workers must be between -1 and 1024, not 1000000000"),
        ({"jobs": 10**9}, "jobs must be between 1 and 1024, not 1000000000"),
        ({"epochs": 10**9}, "epochs must be between 0 and 1000000, not 1000000000"),
        ({"batch_size": 10**9}, "batch size must be between 0 and 1000000, not 1000000000"),
        ({"severities": 6}, "severity must be 1, 2, 3, 4 or 5, not 6"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"noise_scheme": "exakt"}, "did you mean 'exact'"),
        ({"epochs": "many"}, "epochs: "),
        ({"epochs": 1.5}, "epochs: "),
        ({"datset": "toyfaces"}, "unknown setting in the configuration 'datset': did you mean"),
    ],
)
def test_a_value_that_cannot_be_is_refused(values, message):
    with pytest.raises(RequestError, match=message):
        configured(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seeds": 10**20}, "seed must be between"),
        ({"seeds": 10**5000}, "seed must be between"),
        ({"limit": -(10**5000)}, "limit must be between"),
        ({"learning_rate": float("inf")}, "learning rate must be a finite number, not inf"),
        ({"dataset": "a\0b"}, "dataset must not hold a null character"),
        ({"split": "\udcff"}, "split must be UTF-8"),
        ({"gmm": "x" * 300}, "gmm has a name of over 255 bytes"),
        ({"out": Path("x/" * 3000)}, "out is a path of over 4095 bytes"),
    ],
)
def test_what_nothing_can_hold_is_refused(values, message):
    with pytest.raises(RequestError, match=message):
        configured(values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs = " + b"9" * 5000, "is not valid TOML"),
        (b"losses = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"dataset = 'a\0b'", "is not valid TOML"),
        (b"dataset = '\xff'", "is not valid TOML"),
        (b"seeds = [11111111111111111111]", "seed must be between"),
        (b"epochs = 1979-05-27", "epochs: "),
        (b"noise = [{a = 1}]", "noise: "),
        (b"data = 3", r"data must be one or several tables \[\[data\]\]"),
        (b"#" * 2_000_000, "it has over 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, message):
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=message):
        read_configs(path, {})


@pytest.mark.parametrize("setting", ["losses", "methods", "seeds", "noise", "severities"])
def test_an_empty_list_is_refused_where_one_is_needed(setting):
    with pytest.raises(RequestError, match=f"{setting} must not be empty"):
        resolved(**{setting: ()})


def test_one_value_stands_for_a_list_and_none_for_the_default():
    config = configured({"losses": "ce", "seeds": 3, "noise": 0.5, "methods": None})
    assert (config.losses, config.seeds, config.noise) == (("ce",), (3,), (0.5,))
    assert config.methods == ("baseline",)


@pytest.mark.parametrize(
    ("setting", "spellings"),
    [
        ("losses", ("maxent+mbls", "maxent + mbls", "mbls+maxent")),
        ("losses", ("focal(gamma=2)+mbls", "mbls + focal( gamma=2 )")),
        ("methods", ("rul(dropout=0)", "rul( dropout=0 )")),
        ("corruptions", ("snow", "snow()", " snow ")),
        ("calibrators", ("temperature", " temperature ")),
        ("seeds", (1, 1)),
        ("noise", (0.5, 0.50)),
    ],
)
def test_several_spellings_of_one_thing_are_one(setting, spellings):
    assert len(getattr(resolved(**{setting: spellings}), setting)) == 1


def test_every_combination_is_a_trial_and_spellings_do_not_multiply():
    config, entries = resolve(
        configured(
            {
                "methods": ("rul(dropout=0)", "rul( dropout=0 )"),
                "losses": ("ce", "maxent+mbls", "maxent + mbls"),
                "seeds": (0, 1),
            }
        )
    )
    trials = [str(trial) for trial in trials_of(config, entries)]
    assert len(trials) == len(set(trials)) == 2 * 2


def test_rates_of_noise_that_differ_have_files_that_differ():
    rates = (0.5, 0.5000001, 0.1, 0.1 + 2**-56, 1e-7, 1.0)
    names = {Trial("m", "ce", rate).name for rate in rates}
    assert len(names) == len(rates)
    assert Trial("m", "ce", 0.5).name == "m-ce-noise0.5-seed0"


def test_methods_settings_come_before_those_of_the_dataset_and_after_the_users(tmp_path):
    config, entries = resolve(configured({"methods": ("baseline", "swinv2_t")}))
    of = entries.settings(config, "swinv2_t")
    assert of["learning_rate"] != entries.dataset.entry.defaults["learning_rate"]
    assert of["backbone"] == entries.methods["swinv2_t"].entry.defaults["backbone"]
    assert entries.settings(config, "baseline")["backbone"] == "test_resnet"
    asked = config.model_copy(update={"learning_rate": 0.5})
    assert entries.settings(asked, "swinv2_t")["learning_rate"] == 0.5


def test_several_datasets_share_what_stands_above_them(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text('losses = ["ce"]\n[[data]]\nepochs = 2\n[[data]]\ndataset = "folder"\n')
    configs = read_configs(path, {"seeds": (3,)})
    assert [(c.dataset, c.epochs, c.losses, c.seeds) for c in configs] == [
        ("toyfaces", 2, ("ce",), (3,)),
        ("folder", 0, ("ce",), (3,)),
    ]
    with pytest.raises(RequestError, match="has several datasets; one is needed"):
        read_config(path, {})


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("epochs = [\n", RequestError, "is not valid TOML"),
        ("[[data]]\ndatasett = 'a'\n", UnknownNameError, "did you mean 'dataset'"),
        ("data = 3\n", RequestError, "one or several tables"),
        ("data = []\n", RequestError, "one or several tables"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, text, error, message):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_configs(path, {})


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        (
            {"label_scheme": "one-hot", "fusion": 0.7},
            "--fusion has no effect: label scheme one-hot",
        ),
        ({"label_scheme": "one-hot", "visibility": "ssim"}, "--visibility has no effect"),
        ({"label_scheme": "gmm", "visibility": "ssim"}, "--visibility has no effect"),
        ({"label_scheme": "ferc", "fusion": 0.7, "visibility": "ssim"}, ""),
        ({"label_scheme": "fused", "fusion": 0.7}, ""),
    ],
)
def test_a_setting_without_effect_is_noted(settings, note):
    notes = [n for n in Benchmark.open(tiny(Path("x"), **settings)).notes if "no effect" in n]
    assert len(notes) == bool(note)
    assert note in "".join(notes)


PAPER = sorted((REPOSITORY / "examples/paper").glob("*.toml"))


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_configurations_of_the_paper_name_what_there_is(path):
    for each in read_configs(path, {"dataset": TINY}):
        config, entries = resolve(each)
        expected = len(each.methods) * len(each.losses) * len(each.noise) * len(each.seeds)
        assert len(trials_of(config, entries)) == expected
        assert len(each.methods) == 5
