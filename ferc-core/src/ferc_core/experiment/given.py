"""A model that the user has in hand: any callable, or an object with ``logits``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError, FercError, RequestError, RunError, as_failure
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.models import Named
from ferc_core.faces import SUM_TOLERANCE
from ferc_core.suite.cells import CLEAN

FEW = 16  # images that a model is tried on
CLOSE = 1e-3  # how far the same model's logits may differ from earlier ones

Output = Literal["logits", "probs"]


class GivenModel:
    """A predictor of a model that is not stored; its answers are checked at every batch."""

    def __init__(self, model: Any, name: str, classes: tuple[str, ...], output: Output) -> None:
        function = getattr(model, "logits", model)
        if not callable(function):
            raise RequestError(
                f"model {name!r} must be callable or have a method logits, not "
                f"{type(model).__name__}"
            )
        if output not in ("logits", "probs"):
            raise RequestError(f"output must be 'logits' or 'probs', not {output!r}")
        self.function: Callable[[Any], Any] = function
        self.name, self.classes, self.output = name, classes, output

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return logits [B, K] for uint8 RGB images [B, S, S, 3].

        Raises `RequestError` for answers of another shape, or probabilities where logits were
        announced or the reverse, and `RunError` for what is not finite or for a model that fails.
        """
        try:
            answer = self.function(images.copy())
        except FercError:
            raise
        except BaseException as error:  # anybody's model fails in its own way
            raise RunError(
                f"model {self.name!r} failed on images uint8 {list(images.shape)}: "
                f"{as_failure(error)}"
            ) from error
        values = as_array(answer, self.name)
        shape = (len(images), len(self.classes))
        if values.shape != shape:
            raise RequestError(
                f"model {self.name!r} returned {list(values.shape)} for {len(images)} images; "
                f"it must return {list(shape)}, one value for each of the classes "
                f"{', '.join(self.classes)}; if its outputs are others, name them with classes="
            )
        if not np.isfinite(values).all():
            raise RunError(f"model {self.name!r} returned values that are not finite")
        sums = values.sum(axis=1)
        are_probs = bool((values >= 0).all() and (np.abs(sums - 1) <= SUM_TOLERANCE).all())
        if self.output == "logits":
            if are_probs:
                raise RequestError(
                    f"model {self.name!r} returned probabilities, not logits; pass output='probs'"
                )
            return values.astype(np.float32)
        if not are_probs:
            raise RequestError(
                f"model {self.name!r} returned values that are not probabilities, which are at "
                "least 0 and sum to 1; if they are logits, leave out output='probs'"
            )
        smallest = np.finfo(np.float32).tiny
        return np.log(np.maximum(values, smallest)).astype(np.float32)

    def save(self, path: Path) -> None:
        """Refuse: what cannot be stored is not."""
        raise RequestError(f"model {self.name!r} is given, and cannot be stored")


def as_array(answer: Any, name: str) -> npt.NDArray[np.float64]:
    """Return what a model answered as an array; a tensor of torch becomes one."""
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    try:
        return np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RequestError(
            f"model {name!r} returned a {type(answer).__name__}, not an array of logits"
        ) from error


def check_same_model(bench: Benchmark, out: RunDirectory) -> None:
    """Try a given model on a few images, so that a wrong one is noticed at once.

    Raises `RequestError` where it lacks a class or the directory has predictions of another model
    of that name, and what `GivenModel.logits` raises.
    """
    images = bench.images()["scored"]
    rows = np.arange(min(FEW, len(images)))
    for trial, model in bench.models.items():
        found = Named.of(model, bench, trial)(images(rows)).logits
        with suppress(DataError):  # there are none, or none that can be used
            few = out.logits(trial, CLEAN)[: len(rows)]
            if few.shape != found.shape or not np.allclose(few, found, rtol=CLOSE, atol=CLOSE):
                raise RequestError(
                    f"{out.path} has predictions of another model called {trial}; choose another "
                    "name or directory"
                )
