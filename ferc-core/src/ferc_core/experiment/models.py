"""Models of trials: loaded when they are first asked, their answers checked and matched by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.failures import Failures
from ferc_core.base.progress import say
from ferc_core.data.classes import Outputs, names_of, outputs_of
from ferc_core.errors import PluginError
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.spec import Predictor


class Models:
    """Trained models, loaded when first asked; one that fails is not asked again."""

    def __init__(self, bench: Benchmark, out: RunDirectory, failures: Failures) -> None:
        self.bench, self.out, self.failures = bench, out, failures
        self.loaded = {t: Named.of(model, bench, t) for t, model in bench.models.items()}

    def answers(self, trial: Trial, images: npt.NDArray[np.uint8]) -> Answers | None:
        """Return what a trial says of images, or None if it fails or has failed."""
        if trial in self.failures:
            return None
        try:
            if trial not in self.loaded:
                method = self.bench.entries.methods[trial.method].entry
                path, device = self.out.checkpoint(trial), self.bench.config.device
                model = method.load_predictor(path, device)
                if hasattr(model, "threads"):
                    model.threads = self.bench.config.threads
                self.loaded[trial] = Named.of(model, self.bench, trial)
                self.out.note(device=str(getattr(model, "device", device)))
            return self.loaded[trial](images)
        except BaseException as error:  # a method may raise anything; the others continue
            self.failures.add(trial, error)
            return None


@dataclass(frozen=True)
class Named:
    """A model whose outputs are matched to the classes of a dataset, by name where it has names."""

    what: str
    model: Predictor
    names: tuple[str, ...]
    outputs: Outputs
    features: bool = False

    @classmethod
    def of(cls, model: Predictor, bench: Benchmark, trial: Trial) -> Named:
        """Return the model of a trial; raises `RequestError` where it lacks a class."""
        what = f"the model of {trial}"
        names = names_of(model) or bench.classes
        outputs = outputs_of(names, bench.classes, bench.faces.merged, what)
        features = hasattr(model, "logits_and_features")
        if bench.config.keep_features and not features:
            say(f"  {trial}: the model has no features to keep; calibrators take its logits")
        return cls(what, model, names, outputs, bench.config.keep_features and features)

    def __call__(self, images: npt.NDArray[np.uint8]) -> Answers:
        """Return logits of the dataset's classes; raises `PluginError` for what are none."""
        features = None
        if self.features:
            found, features = self.model.logits_and_features(images)  # type: ignore[attr-defined]
            if features is not None:
                features = checked_features(self.what, features, len(images))
        else:
            found = self.model.logits(images)
        check_logits(self.what, found, (len(images), len(self.names)))
        if self.outputs.unchanged:
            return Answers(found, features=features)
        lost = self.outputs.lost(found) if self.outputs.left_out else None
        return Answers(self.outputs.logits(found), lost, self.outputs.left_out, features)


def check_logits(what: str, found: Any, shape: tuple[int, int]) -> None:
    """Raise `PluginError` unless a model returned finite logits of this shape."""
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype.kind not in "fiu":
        is_array = isinstance(found, np.ndarray)
        answer = f"{found.dtype} {list(found.shape)}" if is_array else type(found).__name__
        raise PluginError(f"{what} returned {answer}, not logits {list(shape)}")
    if not np.isfinite(found).all():
        raise PluginError(f"{what} returned logits that are not finite")


def checked_features(what: str, found: Any, n: int) -> npt.NDArray[np.float16]:
    """Return features [B, D] as float16; raises `PluginError` for something else."""
    if not isinstance(found, np.ndarray) or found.ndim != 2 or len(found) != n:
        raise PluginError(f"{what} returned features that are no array [{n}, D]")
    largest = float(np.finfo(np.float16).max)
    if not np.isfinite(found).all():
        raise PluginError(f"{what} returned features that are not finite")
    return np.clip(found, -largest, largest).astype(np.float16)
