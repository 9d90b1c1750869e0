"""The door where names become entries: what a configuration asks for, looked up once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferc_core.base.calls import Call
from ferc_core.base.paths import expanded
from ferc_core.base.values import check_value
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.experiment.config import JUDGING, SELECTION, SETTINGS, USUAL, Config, configured
from ferc_core.plugins import objective
from ferc_core.plugins.host import registry
from ferc_core.plugins.registry import Chosen, Registry
from ferc_core.spec import (
    UNCALIBRATED,
    Calibrator,
    Corruption,
    DatasetSource,
    Executor,
    LabelScheme,
    Method,
    Metric,
    Visibility,
)
from ferc_core.suite.cells import Cell, cells

LONGEST_LABEL = 60  # characters of what a method is called in tables


@dataclass(frozen=True)
class Entries:
    """The entries that a configuration names, with their options.

    ``corruptions`` has those that were selected and those of the benchmark, by canonical call;
    ``methods`` are by the name that results have for them.
    """

    dataset: Chosen[DatasetSource]
    corruptions: Mapping[str, Chosen[Corruption]]
    visibility: Chosen[Visibility]
    label_scheme: Chosen[LabelScheme]
    executor: Chosen[Executor]
    methods: Mapping[str, Chosen[Method]]
    calibrators: tuple[Chosen[Calibrator], ...]
    metrics: tuple[Chosen[Metric], ...]

    @property
    def benchmark_cells(self) -> tuple[Cell, ...]:
        """The cells of the benchmark's own corruptions at all severities."""
        return cells(name for name, c in self.corruptions.items() if c.entry.in_benchmark)

    def settings(self, config: Config, method: str) -> dict[str, Any]:
        """Return backbone, batch size and learning rate of a method: the first that is set of
        the user's, the method's, the dataset's and the usual ones.
        """
        defaults = (self.methods[method].entry.defaults, self.dataset.entry.defaults, USUAL)
        return {
            name: getattr(config, name) or next(d[name] for d in defaults if name in d)
            for name in ("backbone", "batch_size", "learning_rate")
        }


def resolve(
    config: Config, *, training: bool = True, scoring: bool = True
) -> tuple[Config, Entries]:
    """Look up every name; return the configuration with all defaults filled in, and the entries.

    Names of methods and losses matter only where there is ``training``, those of calibrators
    only for ``scoring``. Raises `RequestError` with one sentence for the first thing that cannot
    be done.
    """
    known = registry()
    if names_build(config):
        config = of_build(config, Path(config.dataset))
    if scoring:
        known.metrics.require()
    if training and config.methods and not (config.losses or config.noise or config.seeds):
        raise RequestError("a run of ferc.evaluate is made from Python; call it again there")
    for name in ("severities", *(("methods", "losses", "noise", "seeds") if training else ())):
        if not getattr(config, name):
            raise RequestError(f"{name} must not be empty")
    dataset = known.datasets.choose(config.dataset)
    visibility = known.visibilities.choose(config.visibility)
    label_scheme = known.label_schemes.choose(config.label_scheme)
    executor = known.executors.choose(config.executor)
    official = [name for name, c in known.corruptions.items() if c.in_benchmark]
    selected = chosen(known.corruptions, config.corruptions or tuple(official))
    methods = labelled(known.methods, config.methods) if training else {}
    losses = tuple(dict.fromkeys(map(objective.canonical, config.losses))) if training else ()
    asked = tuple(text for text in config.calibrators if text.strip() != UNCALIBRATED)
    calibrators = chosen(known.calibrators, asked) if scoring else {}
    tables = {t for c in known.corruptions.values() for t in c.severity_tables}
    if config.severity_table not in tables:
        raise UnknownNameError("severity table", config.severity_table, tables)
    defaults = {**USUAL, **dataset.entry.defaults}
    cores = os.cpu_count() or 1
    workers = min(8, max(0, cores - 2)) if config.workers < 0 else config.workers
    beside = config.jobs if executor.entry.everywhere is None else max(1, workers)
    values: dict[str, Any] = {
        "dataset": str(dataset),
        "corruptions": tuple(selected),
        "visibility": str(visibility),
        "visibility_scope": config.visibility_scope or visibility.entry.scope,
        "label_scheme": str(label_scheme),
        "executor": str(executor),
        "calibrators": tuple(calibrators),
        "image_size": config.image_size or defaults["image_size"],
        "epochs": config.epochs or defaults["epochs"],
        "threads": config.threads or max(1, cores // beside),
        "workers": workers,
        **{name: absolute(getattr(config, name)) for name in ("data_root", "weights", "gmm")},
    }
    if training:
        values |= {
            "methods": tuple(map(str, chosen(known.methods, config.methods))),
            "losses": losses,
        }
    entries = Entries(
        dataset=dataset,
        corruptions={**chosen(known.corruptions, official), **selected},
        visibility=visibility,
        label_scheme=label_scheme,
        executor=executor,
        methods=methods,
        calibrators=tuple(calibrators.values()),
        metrics=tuple(known.metrics.choose(n) for n, m in known.metrics.items() if m.in_every_run),
    )
    return config.model_copy(update=values), entries


def chosen(entries: Registry[Any], texts: Any) -> dict[str, Chosen[Any]]:
    """Return entries by their canonical calls; two spellings of one call are one."""
    found = [entries.choose(text) for text in texts]
    return {str(each): each for each in found}


def labelled(entries: Registry[Method], texts: Any) -> dict[str, Chosen[Method]]:
    """Return methods by what results call them: the option ``name``, or else the whole call.

    The option is not passed on. Raises `RequestError` for two methods of one name.
    """
    found: dict[str, Chosen[Method]] = {}
    for text, method in chosen(entries, texts).items():
        options = dict(method.call.options)
        label = checked_label(options.pop("name", text), text)
        if label in found:
            raise RequestError(f"two methods are called {label!r}; give each a name= of its own")
        found[label] = Chosen(method.entry, Call(method.name, options))
    return found


def checked_label(label: object, text: str) -> str:
    """Return the name of a method; raises `RequestError` for one that is no short text."""
    if not isinstance(label, str):
        raise RequestError(f"option 'name' of {text!r} must be a text, not {label!r}")
    check_value("the name of a method", label)
    if label != text and len(label) > LONGEST_LABEL:
        raise RequestError(f"option 'name' must have at most {LONGEST_LABEL} characters: {label!r}")
    return label


def absolute(path: str) -> str:
    """Return an absolute path, "" for none."""
    found = os.path.realpath(expanded(path)) if path else ""
    check_value("a path", found)  # of the current folder
    return found


def names_build(config: Config) -> bool:
    """Whether the dataset is the directory of a build; a known name never is."""
    return config.dataset not in registry().datasets and os.path.isdir(config.dataset)


def of_build(config: Config, root: Path) -> Config:
    """Return the configuration on the data and the images of a build.

    Only what describes these is taken from its manifest; see `ferc_core.suite.manifest`.
    """
    from ferc_core.labels.mixture_file import read_gmm
    from ferc_core.suite.layout import open_build

    build = open_build(root)
    settings, gmm = build.settings, build.manifest["making"].get("gmm")
    try:
        configured(settings)
        if gmm and read_gmm(Path(settings["gmm"])).key != gmm:
            raise RequestError(f"{settings['gmm']} is not the mixture that it was built with")
    except RequestError as error:
        raise DataError(f"the build {root} cannot be used: {error}") from error
    free = {name for name, setting in SETTINGS.items() if setting.role in (SELECTION, JUDGING)}
    for name in config.model_fields_set & (settings.keys() - {*free, "dataset"}):
        if getattr(config, name) != settings[name]:
            raise RequestError(
                f"{root} was built with {name} {settings[name]!r}; leave out the other value"
            )
    asked = {name: getattr(config, name) for name in config.model_fields_set - {"dataset"}}
    return configured({**settings, **asked, "build": str(root.resolve())})
