"""The configuration of a benchmark: every option of ``ferc run``, checked and resolved.

It comes from a TOML file, from command-line options (which win), or from neither. Fields have
three parts to play, and a run directory treats them differently:

* those that *make* training and predictions: another value needs another directory;
* ``SELECTION`` and ``JUDGING`` choose among what is made and judge it: a directory takes any
  value, makes what is missing and scores anew;
* ``RESOURCES`` say where and how fast: they change no result.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ferc_core.base.calls import parse_call, split_sum
from ferc_core.data.splits import NOISE_SCHEMES
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.labels.schemes import FUSION
from ferc_core.plugins.host import Registries, Registry
from ferc_core.spec import SEVERITIES, SMALLEST_SIDE, UNCALIBRATED
from ferc_core.suite.layout import open_build

SELECTION = ("methods", "losses", "noise", "seeds", "corruptions", "severities")
JUDGING = ("visibility", "visibility_scope", "label_scheme", "fusion", "gmm", "calibrators")
RESOURCES = ("data_root", "build", "cache", "device", "jobs", "workers", "executor", "out")

# What an experiment on real data trains with unless told otherwise (epochs: a middle of theirs).
PAPER = {"image_size": 224, "epochs": 20}
# The same for what a method may have its own defaults for.
TRAINING = {"backbone": "resnet18", "batch_size": 256, "learning_rate": 2.5e-4}
# The embedded demonstration: small enough for a laptop's CPU.
DEMO = {
    "backbone": "test_resnet",  # timm's smallest ResNet, 0.4 million parameters
    "image_size": 64,
    "epochs": 8,
    "batch_size": 64,
    "learning_rate": 2e-3,
}
# A build leaves no core to a model.
BUILD_RESOURCES = {"executor": "processes", "workers": os.cpu_count() or 1}

CHOICES = {
    "device": ("auto", "cpu", "cuda"),
    "on_bad_image": ("fail", "skip"),
    "visibility_scope": ("average", "image", "dataset"),
    "noise_scheme": NOISE_SCHEMES,
}


class Config(BaseModel):
    """What to run. Zero, "" and [] stand for the default of the dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # data
    dataset: str = "toyfaces"
    data_root: str = ""
    build: str = ""  # a folder of `ferc build` whose images are read instead of made
    split: str = ""
    limit: int = 0
    on_bad_image: str = "fail"
    # images
    image_size: int = 0
    severity_table: str = "imagenet-c"
    suite_seed: int = 0
    corruptions: tuple[str, ...] = ()
    severities: tuple[int, ...] = SEVERITIES
    # training
    methods: tuple[str, ...] = ("baseline",)
    losses: tuple[str, ...] = ("ce", "maxent+mbls")
    noise: tuple[float, ...] = (0.0,)
    noise_scheme: str = "exact"
    soft_augmentation: float = 0.0
    seeds: tuple[int, ...] = (0,)
    backbone: str = ""
    weights: str = ""
    pretrained: bool = False
    epochs: int = 0
    batch_size: int = 0
    learning_rate: float = 0.0
    threads: int = 0  # of a training; another number may change the last bits
    # labels and scores
    visibility: str = "l2"
    visibility_scope: str = ""
    label_scheme: str = "ferc"
    fusion: float = FUSION
    gmm: str = ""  # a file of `ferc gmm fit` whose mixture takes the place of our own
    calibrators: tuple[str, ...] = ("temperature",)
    # resources
    cache: bool = False  # keep resized images in the run directory
    device: str = "auto"
    jobs: int = 1  # trainings side by side
    workers: int = -1  # as many as there are cores, but for two that the model keeps busy
    executor: str = "threads"
    out: str = ""

    @field_validator("corruptions", "severities", "methods", "losses", "noise", "seeds")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))

    def resolved(self, registries: Registries, *, training: bool = True) -> Config:
        """Return the configuration with every name known and every default filled in.

        Names of methods, losses and calibrators matter only where there is ``training``. Raises
        `RequestError` with one sentence for the first thing that cannot be done.
        """
        if self.names_build(registries):
            return self.of_build(Path(self.dataset)).resolved(registries, training=training)
        check_choices(self)
        known: dict[str, Registry[Any]] = {
            "dataset": registries.datasets,
            "visibility": registries.visibilities,
            "label_scheme": registries.label_schemes,
            "executor": registries.executors,
            "corruptions": registries.corruptions,
        }
        if training:
            registries.metrics.require()
            known |= {"methods": registries.methods, "calibrators": registries.calibrators}
        values: dict[str, Any] = {}
        for name, entries in known.items():
            calls = getattr(self, name)
            texts = (calls,) if isinstance(calls, str) else calls
            canonical = []
            for text in texts:
                call = parse_call(text)
                if name == "calibrators" and call.name == UNCALIBRATED:
                    continue
                entry = entries[call.name]  # raises with the nearest name
                if name != "methods":  # a method reads its options itself
                    entry.check_options(call.options)
                canonical.append(str(call))
            values[name] = canonical[0] if isinstance(calls, str) else tuple(canonical)
        if training:
            values["losses"] = tuple(canonical_loss(text, registries) for text in self.losses)
        if not values["corruptions"]:
            values["corruptions"] = tuple(
                name for name, c in registries.corruptions.items() if c.in_benchmark
            )
        tables = {t for c in registries.corruptions.values() for t in c.severity_tables}
        if self.severity_table not in tables:
            raise UnknownNameError("severity table", self.severity_table, tables)
        scope = registries.visibilities[parse_call(self.visibility).name].scope
        values["visibility_scope"] = self.visibility_scope or scope
        defaults = DEMO if parse_call(self.dataset).name == "toyfaces" else PAPER
        values |= {name: getattr(self, name) or default for name, default in defaults.items()}
        values["threads"] = self.threads or max(1, (os.cpu_count() or 1) // self.jobs)
        if self.workers < 0:
            values["workers"] = min(8, max(0, (os.cpu_count() or 1) - 2))
        values["data_root"] = str(Path(self.data_root).resolve()) if self.data_root else ""
        values["weights"] = str(Path(self.weights).resolve()) if self.weights else ""
        values["gmm"] = str(Path(self.gmm).resolve()) if self.gmm else ""
        return self.model_copy(update=values)

    def names_build(self, registries: Registries) -> bool:
        """Whether the dataset is the folder of a build; a known name never is."""
        return self.dataset not in registries.datasets and Path(self.dataset).is_dir()

    def of_build(self, root: Path) -> Config:
        """Return the configuration on the data and the images of a build."""
        settings = open_build(root).settings
        for name in self.model_fields_set & (settings.keys() - {*SELECTION, *JUDGING, "dataset"}):
            if getattr(self, name) != settings[name]:
                raise RequestError(
                    f"{root} was built with {name} {settings[name]!r}; leave out the other value"
                )
        chosen = {name: getattr(self, name) for name in self.model_fields_set - {"dataset"}}
        return Config(**{**settings, **chosen, "build": str(root.resolve())})

    def making(self) -> dict[str, Any]:
        """Return the fields that decide what training and prediction make."""
        left_out = {*SELECTION, *JUDGING, *RESOURCES}
        return {k: v for k, v in self.model_dump().items() if k not in left_out}

    def to_toml(self) -> str:
        """Return the configuration as TOML that `read_config` reads back."""
        lines = (f"{name} = {json.dumps(v)}" for name, v in self.model_dump().items())
        return "\n".join(lines) + "\n"


def read_config(path: Path | None, options: dict[str, Any]) -> Config:
    """Return the configuration of a TOML file, overridden by ``options`` that are not None."""
    configs = read_configs(path, options)
    if len(configs) > 1:
        raise RequestError(f"{path} has several datasets; one is needed here")
    return configs[0]


def read_configs(path: Path | None, options: dict[str, Any]) -> tuple[Config, ...]:
    """Return the configuration of a TOML file, or one for each of its ``[[data]]`` tables.

    A table holds what is different for its dataset; ``options`` that are not None override all.
    """
    values = {} if path is None else read_toml(path)
    parts = values.pop("data", [{}])
    if not isinstance(parts, list) or not parts or not all(isinstance(p, dict) for p in parts):
        raise RequestError(f"{path}: data must be one or several tables [[data]]")
    return tuple(checked({**values, **part}, path, options) for part in parts)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} is no valid TOML: {error}") from error


def checked(values: dict[str, Any], path: Path | None, options: dict[str, Any]) -> Config:
    """Return the configuration with these values, overridden by ``options`` that are not None."""
    for name in values.keys() - Config.model_fields.keys():
        raise UnknownNameError(f"setting in {path}", name, Config.model_fields)
    values = values | {name: value for name, value in options.items() if value is not None}
    try:
        return Config(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error


def check_choices(config: Config) -> None:
    """Raise `RequestError` for a value outside its range."""
    for severity in config.severities:
        if severity not in SEVERITIES:
            raise RequestError(f"severity must be 1, 2, 3, 4 or 5, not {severity}")
    if config.image_size and config.image_size < SMALLEST_SIDE:
        raise RequestError(f"image size must be at least {SMALLEST_SIDE}, not {config.image_size}")
    if config.jobs < 1:
        raise RequestError(f"jobs must be at least 1, not {config.jobs}")
    for name in ("limit", "epochs", "batch_size", "learning_rate", "threads"):
        if getattr(config, name) < 0:
            raise RequestError(f"{name} must not be negative, not {getattr(config, name)}")
    shares = {
        "noise": config.noise,
        "fusion": (config.fusion,),
        "soft_augmentation": (config.soft_augmentation,),
    }
    for name, values in shares.items():
        for value in values:
            if not 0 <= value <= 1:
                raise RequestError(f"{name} must lie between 0 and 1, not {value:g}")
    for name, choices in CHOICES.items():
        if getattr(config, name) not in ("", *choices):
            raise UnknownNameError(name.replace("_", " "), getattr(config, name), choices)
    for name in ("methods", "losses", "noise", "seeds", "severities"):
        if not getattr(config, name):
            raise RequestError(f"{name} must not be empty")


def canonical_loss(text: str, registries: Registries) -> str:
    """Return the canonical text of a loss expression; raises for a name that is not known."""
    if text.strip() in registries.losses:  # a preset may have a plus sign in its name
        return text.strip()
    terms = [parse_call(term) for term in split_sum(text)]
    for term in terms:
        registries.losses[term.name].check_options(term.options)
    return "+".join(str(term) for term in terms)
