"""The configuration of a run: one table of settings, from which file, command line and docs come.

A setting belongs to one of four roles, which a run directory treats differently:

* MAKING decides what training and prediction make: another value needs another directory;
* SELECTION and JUDGING choose among what is made and judge it: a directory takes any value, makes
  what is missing and scores anew;
* RESOURCES say where and how fast: they change no result.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ferc_core.base.paths import no_file
from ferc_core.base.shares import share
from ferc_core.base.values import check_path, check_value
from ferc_core.data.noise import NOISE_SCHEMES
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.images.headers import MOST_PIXELS, UPPER_LIMIT
from ferc_core.labels.schemes import FUSION
from ferc_core.spec import LARGEST_SIDE, SEVERITIES, SMALLEST_SIDE, check_severity
from ferc_core.task import PRECISIONS

MAKING, SELECTION, JUDGING, RESOURCES = "making", "selection", "judging", "resources"
# Headings of the help.
DATA, IMAGES, TRAINING, SCORING, WHERE = (
    "Data",
    "Images",
    "Training",
    "Labels and scores",
    "Resources",
)

# What a training takes where user, method and dataset ask for nothing else (FER-C, section 5;
# epochs: a middle of those of its methods).
USUAL = {
    "image_size": 224,
    "epochs": 20,
    "backbone": "resnet18",
    "batch_size": 256,
    "learning_rate": 2.5e-4,
}
LARGEST_FILE = 1_000_000  # bytes of a configuration
PATHS = ("PATH", "DIR", "FILE")  # placeholders of settings that name files and folders


@dataclass(frozen=True)
class Setting:
    """What is known of a setting beside its name, type and default.

    panel, value, help: its heading, placeholder and text on the command line
    option:  its long option where that is not its name; "" for a setting without one
    role:    what a run directory makes of another value
    low, high: smallest and largest value, but for a default of 0
    choices: the values there are; ``kind``: the registry that names them
    pattern: of further values
    later:   whether it did not exist from the start: what is made with its default does not name it
    """

    panel: str
    value: str
    help: str
    role: str = MAKING
    option: str | None = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    kind: str = ""
    pattern: str = ""
    later: bool = False


class Config(BaseModel):
    """What to run. Zero, "" and () stand for the default of method or dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # fmt: off
    dataset: Annotated[str, Setting(DATA, "NAME", "Dataset, with options as in 'ferplus(mode=majority)', or the directory of a build. Default: toyfaces.", kind="datasets")] = "toyfaces"
    data_root: Annotated[str, Setting(DATA, "PATH", "Dataset root directory.", RESOURCES)] = ""
    build: Annotated[str, Setting(DATA, "DIR", "Build whose images are read instead of made.", RESOURCES, option="")] = ""
    split: Annotated[str, Setting(DATA, "NAME", "Split to score. Default: test, or valid where there is no test.", choices=("train", "valid", "test"))] = ""
    classes: Annotated[tuple[str, ...], Setting(DATA, "NAME", "Class to judge on, or a merge as in 'anger=anger+contempt'; faces of others are left out. Default: all.")] = ()
    calibrate_on: Annotated[str, Setting(DATA, "SPLIT|R", "Split to fit calibrators on, or fraction of the scored split that is held out for it. Default: valid, or part of train.")] = ""
    limit: Annotated[int, Setting(DATA, "N", "At most N faces of each split, always the same.", low=0, high=10**9)] = 0
    on_bad_image: Annotated[str, Setting(DATA, "fail|skip", "An unusable image fails the run (default), or is counted and left out.", choices=("fail", "skip"))] = "fail"

    image_size: Annotated[int, Setting(IMAGES, "N", "Side of the images. Default: 224; toyfaces 64.", low=SMALLEST_SIDE, high=LARGEST_SIDE)] = 0
    max_pixels: Annotated[int, Setting(IMAGES, "N", "Largest image file that is read, in pixels. Default: 64 million.", RESOURCES, low=1, high=UPPER_LIMIT)] = MOST_PIXELS
    severity_table: Annotated[str, Setting(IMAGES, "NAME", "Strengths: imagenet-c (default), or tiny-imagenet-c as in the authors' figures.")] = "imagenet-c"
    suite_seed: Annotated[int, Setting(IMAGES, "N", "Seed of the corruptions. Default: 0.", low=0)] = 0
    corruptions: Annotated[tuple[str, ...], Setting(IMAGES, "NAME", "Corruption. Default: the 17 of the benchmark.", SELECTION, "corruption", kind="corruptions")] = ()
    severities: Annotated[tuple[int, ...], Setting(IMAGES, "N", "Severity, 1 to 5. Default: all.", SELECTION, "severity")] = SEVERITIES

    methods: Annotated[tuple[str, ...], Setting(TRAINING, "NAME", "Method. Default: baseline.", SELECTION, "method", kind="methods")] = ("baseline",)
    losses: Annotated[tuple[str, ...], Setting(TRAINING, "EXPR", "Loss or sum of losses: 'ce', 'focal(gamma=2)', 'maxent+mbls'. Default: ce and maxent+mbls.", SELECTION, "loss", kind="losses")] = ("ce", "maxent+mbls")
    noise: Annotated[tuple[float, ...], Setting(TRAINING, "R", "Fraction of the training labels changed to another class. Default: 0.", SELECTION, low=0, high=1)] = (0.0,)
    noise_scheme: Annotated[str, Setting(TRAINING, "exact|ferc", "Label-noise scheme: exactly this fraction, each to another class (default), or as the authors did.", choices=NOISE_SCHEMES)] = "exact"
    soft_augmentation: Annotated[float, Setting(TRAINING, "R", "Fraction of the training images that are corrupted, with labels softened accordingly. Default: 0.", low=0, high=1)] = 0.0
    seeds: Annotated[tuple[int, ...], Setting(TRAINING, "N", "Seed of a training. Default: 0.", SELECTION, "seed", low=0)] = (0,)
    backbone: Annotated[str, Setting(TRAINING, "NAME", "A timm model. Default: the method's, mostly resnet18; toyfaces test_resnet.")] = ""
    weights: Annotated[str, Setting(TRAINING, "FILE", "Pretrained weights, .safetensors or tensors in .pth.")] = ""
    pretrained: Annotated[bool, Setting(TRAINING, "", "Download timm's weights for the backbone. Without it nothing is downloaded.")] = False
    epochs: Annotated[int, Setting(TRAINING, "N", "Epochs. Default: 20; toyfaces 8.", low=0, high=10**6)] = 0
    batch_size: Annotated[int, Setting(TRAINING, "N", "Batch size. Default: the method's, mostly 256; toyfaces 64.", low=0, high=10**6)] = 0
    learning_rate: Annotated[float, Setting(TRAINING, "X", "Learning rate. Default: the method's, mostly 2.5e-4; toyfaces 2e-3.", low=0)] = 0.0
    threads: Annotated[int, Setting(TRAINING, "N", "Threads of a training; another number may change its last bits. Default: the cores, divided among the jobs.", low=0, high=1024)] = 0
    precision: Annotated[str, Setting(TRAINING, "fp32|bf16|fp16", "Arithmetic of a training and of its model. Default: fp32; fp16 needs a GPU.", choices=PRECISIONS, later=True)] = PRECISIONS[0]
    compile: Annotated[bool, Setting(TRAINING, "", "Compile the networks with torch.compile for their trainings; it changes the last bits.", later=True)] = False

    visibility: Annotated[str, Setting(SCORING, "NAME", "Visibility function: l2 (default), ssim, psnr, l2-uint8.", JUDGING, kind="visibilities")] = "l2"
    visibility_scope: Annotated[str, Setting(SCORING, "average|image|dataset", "What degradations are normalised by. Default: the function's own.", JUDGING, choices=("average", "image", "dataset"))] = ""
    label_scheme: Annotated[str, Setting(SCORING, "NAME", "Soft labels: ferc (default), fused, gmm, dataset, one-hot, label-smoothing; options as in 'ferc(exponent=4)'.", JUDGING, kind="label_schemes")] = "ferc"
    fusion: Annotated[float, Setting(SCORING, "X", "Weight of the annotated class in fused labels. Default: 0.5.", JUDGING, low=0, high=1)] = FUSION
    gmm: Annotated[str, Setting(SCORING, "FILE", "External valence-arousal mixture, from 'ferc gmm fit'. Default: fitted on the training split.", JUDGING)] = ""
    calibrators: Annotated[tuple[str, ...], Setting(SCORING, "NAME", "Post-hoc calibrator beside the plain softmax; 'none' for none. Default: temperature.", JUDGING, "calibrator", kind="calibrators")] = ("temperature",)

    keep_features: Annotated[bool, Setting(SCORING, "", "Store each image's penultimate features beside its logits, for calibrators that use them.", SELECTION)] = False

    cache: Annotated[bool, Setting(WHERE, "", "Decode and resize each image once, into files of the run directory.", RESOURCES)] = False
    device: Annotated[str, Setting(WHERE, "auto|cpu|cuda|cuda:N", "Device of the models. Default: auto, a GPU where there is one.", RESOURCES, choices=("auto", "cpu", "cuda"), pattern=r"cuda:(0|[1-9]\d{0,3})")] = "auto"
    jobs: Annotated[int, Setting(WHERE, "N", "Trainings that run in parallel. Default: 1.", RESOURCES, low=1, high=1024)] = 1
    workers: Annotated[int, Setting(WHERE, "N", "Workers that corrupt images while a model predicts; 0 for none. Default: all cores but two, at most 8.", RESOURCES, low=-1, high=1024)] = -1
    executor: Annotated[str, Setting(WHERE, "NAME", "Worker backend: threads (default), processes, serial.", RESOURCES, kind="executors")] = "threads"
    part: Annotated[str, Setting(WHERE, "I/N", "Do only the I-th of N parts of the work, for job arrays; without it the rest is done and the run finished.", RESOURCES)] = ""
    out: Annotated[str, Setting(WHERE, "DIR", "Run directory; earlier work in it is resumed. Default: ferc-runs/DATASET-KEY.", RESOURCES)] = ""
    # fmt: on

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: Any) -> Any:
        """Take a path for a text, and one value for a list of one."""
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        is_list = isinstance(cls.model_fields[info.field_name].default, tuple)
        return (value,) if is_list and isinstance(value, str | int | float) else value

    @field_validator("*")
    @classmethod
    def _in_range(cls, value: Any, info: Any) -> Any:
        """Check each value against its setting; repeated ones of a list count once."""
        name, default = info.field_name, cls.model_fields[info.field_name].default
        check_value(word(name), value)
        if SETTINGS[name].value in PATHS:
            check_path(word(name), value)
        for one in value if isinstance(value, tuple) else (value,):
            if name == "severities":
                check_severity(one)
            elif name == "part":
                share(one)
            elif one != default or one == -1:
                check_range(SETTINGS[name], word(name), one)
        return tuple(dict.fromkeys(value)) if isinstance(value, tuple) else value

    def making(self) -> dict[str, Any]:
        """Return the settings that decide what training and prediction make.

        Later settings are left out where they have their defaults: see `Setting`.
        """
        return {
            name: value
            for name, value in self.model_dump().items()
            if SETTINGS[name].role == MAKING and LATER.get(name, ...) != value
        }

    def to_toml(self) -> str:
        """Return the configuration as TOML that `read_config` reads back."""
        return tomli_w.dumps(self.model_dump())


SETTINGS: Mapping[str, Setting] = {
    name: next(part for part in field.metadata if isinstance(part, Setting))
    for name, field in Config.model_fields.items()
}
# Later settings with their defaults.
LATER: Mapping[str, Any] = {
    name: Config.model_fields[name].default for name, setting in SETTINGS.items() if setting.later
}


def word(name: str) -> str:
    """Return what a setting is called in a sentence: "label scheme", "noise", "seed"."""
    return (SETTINGS[name].option or name).replace("_", " ")


def check_range(setting: Setting, what: str, value: Any) -> None:
    """Raise `RequestError` for a value outside the range of its setting."""
    low, high = setting.low, setting.high
    if setting.choices and not is_choice(setting, value) and what != "split":
        raise UnknownNameError(what, value, setting.choices)
    if low is not None and high is not None:
        if not low <= value <= high:
            shown = f"{value:g}" if isinstance(value, float) else value
            raise RequestError(f"{what} must be between {low} and {high}, not {shown}")
    elif low is not None and not value >= low:
        raise RequestError(f"{what} must be at least {low}, not {value}")


def is_choice(setting: Setting, value: Any) -> bool:
    """Say whether a value is one of the choices of its setting, or of its pattern."""
    if value in setting.choices:
        return True
    return bool(setting.pattern) and re.fullmatch(setting.pattern, value, re.ASCII) is not None


def configured(values: Mapping[str, Any], where: str = "the configuration") -> Config:
    """Return the configuration with these values; None stands for the default.

    Raises `RequestError` with one sentence for a name or a value that cannot be.
    """
    for name in values.keys() - Config.model_fields.keys():
        raise UnknownNameError(f"setting in {where}", name, Config.model_fields)
    try:
        return Config(**{name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{first['msg'][0].lower()}{first['msg'][1:]}"
        raise RequestError(
            f"{word(str(first['loc'][0]))}: {message}, not {first['input']!r}"
        ) from error


def read_config(path: Path | None, options: Mapping[str, Any]) -> Config:
    """Return the configuration of a TOML file, overridden by ``options`` that are not None."""
    configs = read_configs(path, options)
    if len(configs) > 1:
        raise RequestError(f"{path} has several datasets; one is needed here")
    return configs[0]


def read_configs(path: Path | None, options: Mapping[str, Any]) -> tuple[Config, ...]:
    """Return the configuration of a TOML file, or one for each of its ``[[data]]`` tables.

    A table holds what is different for its dataset; ``options`` that are not None override all.
    A run directory stands for its configuration, to be run again where it is now.
    """
    if path is not None and os.path.isdir(path):
        options = {**options, "out": options.get("out") or path}
        path = path / "config.toml"
    values = {} if path is None else read_toml(path)
    parts = values.pop("data", [{}])
    if not isinstance(parts, list) or not parts or not all(isinstance(p, dict) for p in parts):
        raise RequestError(f"{path}: data must be one or several tables [[data]]")
    asked = {name: value for name, value in options.items() if value is not None}
    where = "the configuration" if path is None else str(path)
    return tuple(configured({**values, **part, **asked}, where) for part in parts)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds."""
    if reason := no_file(path):
        raise RequestError(f"cannot read {path}: {reason}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise RequestError(f"{path} is no configuration: it has over {LARGEST_FILE:,} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    except RecursionError as error:
        raise RequestError(f"{path} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:  # of syntax, of UTF-8, of a number of 5,000 digits
        raise RequestError(f"{path} is not valid TOML: {error}") from error
