"""What is to be done, worked out before anything is: data opened, names resolved, runs listed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ferc_core.base.calls import parse_call
from ferc_core.base.seeds import slug
from ferc_core.base.text import listed, number
from ferc_core.data.splits import Splits, divide
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.config import Config
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.labels.mixture_file import GmmFile, read_gmm
from ferc_core.labels.schemes import MIXED, takes_mixture
from ferc_core.plugins.host import Registries, registry
from ferc_core.suite.corrupt import CLEAN, Cell, Corruptor, Pictures, Suite, cells

PARTS = ("train", "validation", "scored")
NO_LOSS = "-"  # of a model that was not trained here
TOLERATED = 0.01  # share of faces that may be missing: AffectNet lacks 6 of 291,650


@dataclass(frozen=True)
class Run:
    """One training: a method, a loss, a rate of label noise and a seed."""

    method: str
    loss: str
    noise: float
    seed: int

    @property
    def name(self) -> str:
        """A name for files and people, different for different runs."""
        return slug(f"{self.method}-{self.loss}-noise{self.noise:g}-seed{self.seed}")

    def __str__(self) -> str:
        if self.loss == NO_LOSS:
            return self.method
        noise = f", noise {self.noise:g}" if self.noise else ""
        return f"{self.method} {self.loss}{noise}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """A resolved configuration with its data: what `ferc_core.experiment.pipeline` carries out."""

    config: Config
    faces: FaceSet
    splits: Splits
    runs: tuple[Run, ...]
    forms: tuple[Cell, ...]
    borrowed: GmmFile | None = None  # the mixture of another dataset, where labels take it

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes."""
        return self.faces.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the data."""
        return (*self.faces.notes, *self.splits.notes)

    @cached_property
    def pictures(self) -> dict[str, Pictures]:
        """The images of the parts of the data."""
        return {p: Pictures(getattr(self.splits, p), self.config.image_size) for p in PARTS}

    @property
    def mixture_note(self) -> str:
        """Whose valence-arousal mixture the soft labels take, "" where they take none."""
        base, splits = label_base(self.config), self.splits
        if not takes_mixture(base, splits.scored, splits.train, self.borrowed):
            return ""
        own = f"fitted on 'train' of {self.faces.name}"
        return own if self.borrowed is None else self.borrowed.note

    @property
    def mixture_record(self) -> dict[str, str]:
        """The same for the metadata of what is made with soft labels."""
        return {"ferc.gmm": self.mixture_note} if self.mixture_note else {}

    @property
    def corruptor(self) -> Corruptor:
        """What makes the corrupted forms."""
        config = self.config
        return Corruptor(self.faces.name, config.severity_table, config.suite_seed)

    @property
    def suite(self) -> Suite:
        """The scored split and how its forms are made."""
        config = self.config
        return Suite(
            self.pictures["scored"],
            self.corruptor,
            registry().executors[config.executor],
            config.workers,
        )

    @property
    def benchmark_forms(self) -> tuple[Cell, ...]:
        """All forms that visibility is measured on: the benchmark's and those selected."""
        names = [name for name, c in registry().corruptions.items() if c.in_benchmark]
        return tuple(dict.fromkeys((*cells(names), *self.forms[1:])))


def make_plan(config: Config, *, training: bool = True) -> Plan:
    """Open the data and list the runs, none without ``training``; ``config`` must be resolved."""
    faces, splits = open_divided(config, training=training)
    if len(faces.classes) < 2:
        raise DataError(f"{faces.name} has only the class {faces.classes[0]!r}; two are needed")
    config = config.model_copy(update={"split": splits.scored_name})
    runs = runs_of(config) if training else ()
    borrowed = borrowed_mixture(config, faces, splits.scored)
    return Plan(config, faces, splits, runs, forms_of(config), borrowed)


def open_divided(config: Config, *, training: bool) -> tuple[FaceSet, Splits]:
    """Open the configured dataset and divide it; the notes of the splits tell what is missing."""
    faces = open_dataset(config, registry())
    check_missing(faces, config.on_bad_image)
    splits = divide(faces, config.split, config.limit, training=training)
    missing = faces.about.missing
    if missing:
        lost = f"{number(sum(missing.values()), 'face')} lost with missing files"
        splits = replace(splits, notes=(f"{lost}: {listed(list(missing))}", *splits.notes))
    return faces, splits


def borrowed_mixture(config: Config, faces: FaceSet, scored: FaceSplit) -> GmmFile | None:
    """Return the mixture that ``config.gmm`` names, None where the label scheme takes none.

    Read before anything is trained, so that a wrong file costs no time. Raises `RequestError`.
    """
    if not config.gmm:
        return None
    found = read_gmm(Path(config.gmm))
    if label_base(config) not in MIXED:
        return None
    if scored.valence_arousal is None:
        raise RequestError(
            f"{faces.name} has no valence and arousal, which soft labels by the mixture of --gmm "
            "need; leave out --gmm"
        )
    found.mixture(faces.classes, faces.name)  # raises where classes do not match
    return found


def label_base(config: Config) -> str:
    """Return what the configured label scheme starts from."""
    return registry().label_schemes[parse_call(config.label_scheme).name].base


def check_missing(faces: FaceSet, on_bad_image: str) -> None:
    """Raise `DataError` when so many faces are missing that the set is not what was published."""
    missing = faces.about.missing
    lost, there = sum(missing.values()), sum(map(len, faces.splits.values()))
    if on_bad_image == "fail" and lost > TOLERATED * (lost + there):
        raise DataError(
            f"{faces.name}: {lost:,} of {lost + there:,} faces are lost with "
            f"{number(len(missing), 'missing file')}, the first is {next(iter(missing))}; unpack "
            "the archives again, or go on without them by --on-bad-image skip ('ferc data check' "
            "names all)"
        )


def runs_of(config: Config) -> tuple[Run, ...]:
    """Return every combination of method, loss, noise and seed; a ready-made model stands alone."""
    methods = registry().methods
    runs: list[Run] = []
    for method in config.methods:
        if methods[parse_call(method).name].trains:
            parts = itertools.product([method], config.losses, config.noise, config.seeds)
            runs += [Run(*each) for each in parts]
        else:
            runs.append(Run(method, NO_LOSS, 0.0, 0))
    return tuple(runs)


def forms_of(config: Config) -> tuple[Cell, ...]:
    """Return the clean cell and every selected (corruption, severity)."""
    return (CLEAN, *cells(config.corruptions, config.severities))


def open_dataset(config: Config, registries: Registries) -> FaceSet:
    """Open the configured dataset."""
    call = parse_call(config.dataset)
    source = registries.datasets[call.name]
    if source.needs_root and not config.data_root:
        raise RequestError(f"dataset {call.name!r} lies in a folder: give it with --data-root PATH")
    if config.data_root and not source.needs_root:
        raise RequestError(f"dataset {call.name!r} needs no data: leave out --data-root")
    return source.open(config.data_root or None, **call.options)
