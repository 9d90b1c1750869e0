"""What a plugin registers: one small frozen dataclass per kind.

The function of an entry is a callable, or a lazy ``"package.module:attribute"`` that is imported
when the entry is first used; so listing entries never imports torch. All functions are pure,
arrays in and arrays out. N samples, K classes; images are uint8 RGB ``[H, W, 3]``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from ferc_core.errors import BadImageError, PluginError, RequestError, UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from ferc_core.faces import FaceSet
    from ferc_core.task import Task

    Image = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.floating[Any]]

Lazy: TypeAlias = Callable[..., Any] | str

SEVERITIES = (1, 2, 3, 4, 5)
UNCALIBRATED = "none"  # where a calibrator is named: the plain softmax
SMALLEST_SIDE = 32


def resolve(target: Lazy) -> Callable[..., Any]:
    """Return the callable that ``target`` is or names as ``"module:attribute"``."""
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{target!r} cannot be imported: {error}") from error
    return found  # type: ignore[return-value]


@dataclass(frozen=True)
class Entry:
    """What every registered thing has: a name, its function, one line about it, its source."""

    name: str
    function: Lazy
    reserved: ClassVar[tuple[str, ...]] = ()  # keywords that are not for the user
    summary: str = field(default="", kw_only=True)
    source: str = field(default="", kw_only=True)

    @cached_property
    def loaded(self) -> Callable[..., Any]:
        """The function itself, imported at first use."""
        return resolve(self.function)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function."""
        return self.loaded(*args, **options)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise `UnknownNameError` for an option that the function has no keyword for."""
        if not options:  # nothing to look up, so nothing to import
            return
        parameters = inspect.signature(self.loaded).parameters.values()
        known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY or p.default is not p.empty}
        known -= set(self.reserved)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            for name in options.keys() - known:
                raise UnknownNameError(f"option of {self.name!r}", name, known)


@dataclass(frozen=True)
class Corruption(Entry):
    """``f(image uint8 [H,W,3], severity 1..5, rng) -> uint8 [H,W,3]``, any size from 32x32.

    ``severity_tables`` names the tables that the function understands as its keyword ``table``;
    empty when it has one fixed scale. ``in_benchmark`` marks the 17 of FER-C (paper, A.2).
    """

    reserved: ClassVar = ("table",)
    group: str = field(default="other", kw_only=True)
    in_benchmark: bool = field(default=False, kw_only=True)
    severity_tables: tuple[str, ...] = field(default=(), kw_only=True)

    def __call__(
        self,
        image: Image,
        severity: int,
        rng: np.random.Generator,
        *,
        table: str | None = None,
        **options: Any,
    ) -> Image:
        """Return the corrupted image; checks what goes in and what comes out."""
        check_image(image)
        if severity not in SEVERITIES:
            raise RequestError(f"severity must be 1, 2, 3, 4 or 5, not {severity}")
        if table is not None and self.severity_tables:
            options = {**options, "table": table}
        result: Image = self.loaded(image, severity, rng, **options)
        if result.dtype != image.dtype or result.shape != image.shape:
            raise PluginError(
                f"corruption {self.name!r} returned {result.dtype} {result.shape} "
                f"for uint8 {image.shape}"
            )
        return result


@dataclass(frozen=True)
class Visibility(Entry):
    """``f(clean, corrupted) -> float``: a degradation, 0 = identical, larger = worse.

    Where a part of the work concerns the clean image alone, ``prepare(clean)`` does it, once for
    all forms of an image, and ``f`` is given what it returns in place of the clean image.
    ``scope`` says how the suite turns degradations into a visibility v in [0, 1] by default:
    see :mod:`ferc_core.labels.visibility`.
    """

    scope: Literal["average", "image", "dataset"] = field(default="average", kw_only=True)
    prepare: Lazy | None = field(default=None, kw_only=True)

    def against(self, clean: Image, **options: Any) -> Callable[[Image], float]:
        """Return the function that measures the forms of one image."""
        known = clean if self.prepare is None else resolve(self.prepare)(clean)
        return partial(self.loaded, known, **options)

    def __call__(self, clean: Image, corrupted: Image, **options: Any) -> float:
        """Return the degradation of one pair."""
        return self.against(clean, **options)(corrupted)


@dataclass(frozen=True)
class LabelScheme(Entry):
    """``f(targets [N,K], visibility [N], **options) -> [N,K]``; rows sum to 1.

    ``base`` names the targets it is given: the annotated class, the valence-arousal mixture
    (paper, eq. 6), both fused (eq. 7), or the dataset's own label distributions.
    """

    base: Literal["one-hot", "gmm", "fused", "dataset"] = field(default="one-hot", kw_only=True)


@dataclass(frozen=True)
class DatasetSource(Entry):
    """``open(root, **options) -> FaceSet``; ``root`` is None when ``needs_root`` is False."""

    needs_root: bool = field(default=True, kw_only=True)

    def open(self, root: Path | str | None = None, **options: Any) -> FaceSet:
        """Open the dataset that lies at ``root``."""
        faces: FaceSet = self.loaded(root, **options)
        return faces

    __call__ = open


@dataclass(frozen=True)
class Method(Entry):
    """``fit(task) -> Predictor``, and ``load(path, device) -> Predictor`` for what it saved.

    ``defaults`` are ``backbone``, ``batch_size`` and ``learning_rate`` where the method's authors
    use others than the usual ones and the user asks for none. A ready-made model does not learn
    from the task: it has ``trains=False``, and is there once whatever losses and seeds are asked.
    """

    load: Lazy = field(kw_only=True)
    defaults: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    trains: bool = field(default=True, kw_only=True)

    def fit(self, task: Task) -> Predictor:
        """Train on ``task`` and return the predictor of its best epoch."""
        predictor: Predictor = self.loaded(task)
        return predictor

    def load_predictor(self, path: Path, device: str = "auto") -> Predictor:
        """Read a predictor that :meth:`Predictor.save` wrote, to run on "auto", "cpu" or "cuda"."""
        predictor: Predictor = resolve(self.load)(path, device)
        return predictor


class Predictor(Protocol):
    """A trained model, whatever it is made of."""

    def logits(self, images: Image) -> npt.NDArray[np.float32]:
        """Return logits [B, K] for uint8 RGB images [B, H, W, 3]."""
        ...

    def save(self, path: Path) -> None:
        """Write the model to ``path`` as tensors, no pickles."""


@dataclass(frozen=True)
class Loss(Entry):
    """``build(num_classes, class_prior [K], **options) -> f(logits, targets [B,K]) -> scalar``.

    A ``penalty`` looks at the logits alone and needs a loss beside it: ``--loss penalty`` means
    ``ce+penalty``.
    """

    penalty: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Calibrator(Entry):
    """``fit(logits [N,K], targets [N] or [N,K]) -> transform(logits [M,K]) -> probs [M,K]``.

    One with ``domains=True`` is fitted on the validation images in all forms, clean and
    corrupted, and is given the number of the form of each row: ``fit(..., domains=int [N])``.
    """

    reserved: ClassVar = ("domains",)
    domains: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Metric(Entry):
    """``f(probs [N,K], targets) -> float``; ``target`` is "hard" (int [N]) or "soft" ([N,K])."""

    target: Literal["hard", "soft"] = field(default="hard", kw_only=True)
    higher_is_better: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class Executor(Entry):
    """``map(function, items, workers) -> iterator of results``, in the order of the items."""


@dataclass(frozen=True)
class Reporter(Entry):
    """``render(frame: polars.DataFrame) -> str``: a table of scores as text of some format."""


def check_image(image: Image, name: str = "image") -> None:
    """Raise `BadImageError` unless ``image`` is uint8 RGB of at least 32x32."""
    shape: tuple[int, ...] = tuple(getattr(image, "shape", ()))
    if str(getattr(image, "dtype", "")) != "uint8" or len(shape) != 3 or shape[-1] != 3:
        raise BadImageError(f"{name} must be a uint8 RGB array [H, W, 3]")
    if min(shape[:2]) < SMALLEST_SIDE:
        raise BadImageError(
            f"{name} is {shape[1]}x{shape[0]}; corruptions need at least "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
        )
