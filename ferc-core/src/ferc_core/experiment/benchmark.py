"""What a run is to do, resolved before it does anything: entries, data, trials and cells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ferc_core.base.parallel import threads
from ferc_core.base.seeds import slug
from ferc_core.data.opening import divided, open_divided
from ferc_core.data.splits import Splits
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.calibration import takes_soft
from ferc_core.experiment.config import Config
from ferc_core.experiment.entries import Entries, resolve
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.images.io import limit_pixels
from ferc_core.images.store import ImageStore
from ferc_core.labels.mixture_file import GmmFile, read_gmm
from ferc_core.labels.schemes import MIXED, BaseTargets, base_targets, takes_mixture
from ferc_core.plugins.host import registry
from ferc_core.spec import Predictor
from ferc_core.suite.cells import CLEAN, Cell, cells
from ferc_core.suite.corrupt import Corruptor, Suite

PARTS = ("train", "validation", "scored")
NO_LOSS = "-"  # of a model that was not trained here


@dataclass(frozen=True)
class Trial:
    """A method with a loss, a rate of label noise and a seed; or a ready-made model."""

    method: str
    loss: str = NO_LOSS
    noise: float = 0.0
    seed: int = 0

    @property
    def name(self) -> str:
        """A name for files, different for different trials."""
        method, loss = (
            part if part == NO_LOSS else part.replace("-", "--")
            for part in (self.method, self.loss)
        )
        return slug(f"{method}-{loss}-noise{self.rate}-seed{self.seed}")

    @property
    def rate(self) -> str:
        """The noise in as few digits as tell it from others."""
        return f"{self.noise:g}" if float(f"{self.noise:g}") == self.noise else repr(self.noise)

    @property
    def trains(self) -> bool:
        """Whether it is trained here."""
        return self.loss != NO_LOSS

    def __str__(self) -> str:
        if not self.trains:
            return self.method
        noise = f", noise {self.rate}" if self.noise else ""
        return f"{self.method} {self.loss}{noise}, seed {self.seed}"


@dataclass(frozen=True)
class Benchmark:
    """A resolved configuration with its entries, its data, its trials and its cells.

    external: the valence-arousal mixture of another dataset, where labels take it
    base:     the targets [N, K] of the scored faces that the label scheme starts from
    models:   predictors that are there already, by trial: those of `ferc_core.evaluate`
    """

    config: Config
    entries: Entries
    faces: FaceSet
    splits: Splits
    trials: tuple[Trial, ...]
    cells: tuple[Cell, ...]
    base: BaseTargets = field(repr=False)
    external: GmmFile | None = None
    models: Mapping[Trial, Predictor] = field(default_factory=dict)

    @classmethod
    def open(cls, config: Config, *, training: bool = True) -> Benchmark:
        """Look up all names and open the data; without ``training`` there are no trials.

        Raises `FercError` for whatever can be refused before anything long begins.
        """
        config, entries = resolve(config, training=training, scoring=training)
        limit_pixels(config.max_pixels)
        faces, splits = open_divided(
            entries.dataset,
            config.data_root,
            classes=config.classes,
            split=config.split,
            calibrate_on=config.calibrate_on,
            limit=config.limit,
            on_bad_image=config.on_bad_image,
            training=any(method.entry.trains for method in entries.methods.values()),
        )
        trials = trials_of(config, entries) if training else ()
        return cls.of(config, entries, faces, splits, trials)

    @classmethod
    def of_model(cls, config: Config, faces: FaceSet, name: str, model: Predictor) -> Benchmark:
        """Return the benchmark of a model that is there already, on faces that are open."""
        known = faces.name if faces.name in registry().datasets else "folder"
        config = config.model_copy(update={"dataset": known})
        config, entries = resolve(config, training=False)
        limit_pixels(config.max_pixels)
        splits = divided(faces, config.split, config.calibrate_on, config.limit, training=False)
        trained = {"methods": (name,), "losses": (), "noise": (), "seeds": ()}
        config = config.model_copy(update={"dataset": faces.name, **trained})
        trial = Trial(name)
        return replace(cls.of(config, entries, faces, splits, (trial,)), models={trial: model})

    @classmethod
    def of(
        cls,
        config: Config,
        entries: Entries,
        faces: FaceSet,
        splits: Splits,
        trials: tuple[Trial, ...],
    ) -> Benchmark:
        """Put a benchmark together; raises `FercError` where the data cannot serve it."""
        if len(faces.classes) < 2:
            raise DataError(f"{faces.name} has only the class {faces.classes[0]!r}; two are needed")
        config = config.model_copy(update={"split": splits.scored_name})
        if entries.calibrators and not len(splits.validation):
            config = config.model_copy(update={"calibrators": ()})
            entries = replace(entries, calibrators=())
            note = (
                f"no calibrator is fitted: {faces.name} has no faces to fit one on beside those "
                f"of '{splits.scored_name}'; --calibrate-on 0.2 holds some of these out"
            )
            splits = replace(splits, notes=(*splits.notes, note))
        for calibrator in entries.calibrators:
            if takes_soft(calibrator) and splits.validation.distributions is None:
                raise RequestError(
                    f"calibrator {calibrator} needs label distributions, which {faces.name} does "
                    "not have; leave out targets=soft"
                )
        external = external_mixture(config, entries.label_scheme.entry.base, faces, splits.scored)
        return cls(
            config=config,
            entries=entries,
            faces=faces,
            splits=splits,
            trials=trials,
            cells=(CLEAN, *cells(config.corruptions, config.severities)),
            base=targets_of(config, entries, faces, splits, external),
            external=external,
        )

    def with_splits(self, splits: Splits) -> Benchmark:
        """Return the benchmark on some of its faces."""
        base = targets_of(self.config, self.entries, self.faces, splits, self.external)
        return replace(self, splits=splits, base=base)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the K classes."""
        return self.faces.classes

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about data and labels."""
        return (*self.faces.notes, *self.splits.notes, *unused(self))

    @property
    def mixture_note(self) -> str:
        """Whose valence-arousal mixture the soft labels take, "" where they take none."""
        base, splits = self.entries.label_scheme.entry.base, self.splits
        if not takes_mixture(base, splits.scored, splits.train, self.external):
            return ""
        own = f"fitted on 'train' of {self.faces.name}"
        return own if self.external is None else self.external.note

    @property
    def validation_cells(self) -> tuple[Cell, ...]:
        """The cells of the validation images that the calibrators are fitted on."""
        domains = any(calibrator.entry.domains for calibrator in self.entries.calibrators)
        if not self.entries.calibrators and not len(self.splits.validation):
            return ()
        return self.cells if domains else (CLEAN,)

    @property
    def measured_cells(self) -> tuple[Cell, ...]:
        """All cells that visibility is measured on: the benchmark's and those selected."""
        return tuple(dict.fromkeys((*self.entries.benchmark_cells, *self.cells[1:])))

    @property
    def corruptor(self) -> Corruptor:
        """What makes the corrupted images."""
        config, corruptions = self.config, self.entries.corruptions
        return Corruptor(self.faces.name, corruptions, config.severity_table, config.suite_seed)

    def images(self, cache: Path | None = None) -> dict[str, ImageStore]:
        """Return the images of the parts of the data; ``cache`` is where --cache keeps them."""
        where = cache if self.config.cache else None
        side = self.config.image_size
        return {part: ImageStore(getattr(self.splits, part), side, where) for part in PARTS}

    def suite(self, images: ImageStore) -> Suite:
        """Return some images in all their cells; they are made on this machine."""
        executor: Any = self.entries.executor
        if executor.entry.everywhere is not None:
            executor = threads
        return Suite(images, self.corruptor, executor, self.config.workers)


def trials_of(config: Config, entries: Entries) -> tuple[Trial, ...]:
    """Return every combination of method, loss, noise and seed; a ready-made model stands alone."""
    trials: list[Trial] = []
    for name, method in entries.methods.items():
        if method.entry.trains:
            parts = itertools.product([name], config.losses, config.noise, config.seeds)
            trials += [Trial(*each) for each in parts]
        else:
            trials.append(Trial(name))
    return tuple(trials)


def external_mixture(
    config: Config, base: str, faces: FaceSet, scored: FaceSplit
) -> GmmFile | None:
    """Return the mixture that ``config.gmm`` names, None where the label scheme takes none."""
    if not config.gmm:
        return None
    found = read_gmm(Path(config.gmm))
    if base not in MIXED:
        return None
    for name, members in faces.merged.items():
        raise RequestError(
            f"the mixture of --gmm has no class {name}={'+'.join(members)}; leave out --gmm, or "
            "the merge in --classes"
        )
    if scored.valence_arousal is None:
        raise RequestError(
            f"{faces.name} has no valence and arousal, which soft labels by the mixture of --gmm "
            "need; leave out --gmm"
        )
    found.mixture(faces.classes, faces.name)  # raises where classes do not match
    return found


def targets_of(
    config: Config, entries: Entries, faces: FaceSet, splits: Splits, external: GmmFile | None
) -> BaseTargets:
    """Return the targets that the label scheme starts from."""
    mixture = None if external is None else external.mixture(faces.classes, faces.name)
    base = entries.label_scheme.entry.base
    train = splits.train
    return base_targets(base, splits.scored, train, faces.classes, config.fusion, mixture)


def unused(bench: Benchmark) -> list[str]:
    """Say which settings that were asked for have no effect."""
    config, scheme, notes = bench.config, bench.entries.label_scheme, []
    defaults: dict[str, Any] = {name: f.default for name, f in Config.model_fields.items()}
    if config.fusion != defaults["fusion"] and not (
        scheme.entry.base == "fused" and bench.mixture_note
    ):
        notes.append(f"--fusion has no effect: label scheme {scheme} fuses nothing on this dataset")
    if config.visibility != defaults["visibility"] and not scheme.entry.uses_visibility:
        notes.append(
            f"--visibility has no effect: label scheme {scheme} does not use visibility, so none "
            "is measured"
        )
    if config.gmm and bench.external is None:
        notes.append(f"--gmm has no effect: label scheme {scheme} takes no mixture")
    return [*notes, *bench.base.notes]
