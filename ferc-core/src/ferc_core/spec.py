"""What a plugin registers: one small frozen dataclass per kind.

The function of an entry is a callable, or a lazy ``"package.module:attribute"`` that is imported
when the entry is first used, so that listing entries never imports torch. All functions are pure,
arrays in and arrays out, of the type that the field ``function`` gives. Their further parameters
that have a default are options, which users write in parentheses. N samples, K classes; images
are uint8 RGB ``[H, W, 3]``.

A kind is its class here and its line in `ferc_core.plugins.registry.Registries`; its hook, its
list on the command line and its completion follow from these two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from ferc_core.base.entry import Entry as Entry
from ferc_core.base.entry import blaming as blaming
from ferc_core.base.entry import resolve as resolve
from ferc_core.base.executor import Executor as Executor
from ferc_core.base.limits import LARGEST_SIDE as LARGEST_SIDE
from ferc_core.base.limits import SEVERITIES as SEVERITIES
from ferc_core.base.limits import SMALLEST_SIDE as SMALLEST_SIDE
from ferc_core.base.limits import check_image as check_image
from ferc_core.base.limits import check_severity as check_severity
from ferc_core.errors import PluginError, RequestError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ferc_core.faces import FaceSet
    from ferc_core.task import Task

    Image = npt.NDArray[np.uint8]
    Floats = npt.NDArray[np.floating[Any]]
    Targets = npt.NDArray[np.float64]

Need = Literal["clean", "visibility", "distribution", "members", "validation"]  # of a metric
UNCALIBRATED = "none"  # where a calibrator is named: the plain softmax


@dataclass(frozen=True)
class Corruption(Entry):
    """``f(image uint8 [H,W,3], severity 1..5, rng) -> uint8 [H,W,3]``, any size from 32x32.

    ``severity_tables`` names the tables that the function understands as its keyword ``table``;
    empty when it has one fixed scale. ``in_benchmark`` marks the 17 of FER-C (paper, A.2).
    """

    function: Callable[[Image, int, np.random.Generator], Image] | str
    group: str = field(default="other", kw_only=True)
    in_benchmark: bool = field(default=False, kw_only=True)
    severity_tables: tuple[str, ...] = field(default=(), kw_only=True)

    kind, singular, home = "corruptions", "corruption", "ferc-corruptions"
    reserved = ("table",)

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
        from numpy.random import Generator  # not above: listing corruptions needs no NumPy

        check_image(image)
        check_severity(severity)
        if not isinstance(rng, Generator):
            raise RequestError(
                "rng must be a numpy.random.Generator, such as numpy.random.default_rng(0), "
                f"not {type(rng).__name__}"
            )
        if table is not None and self.severity_tables:
            options = {**options, "table": table}
        result: Image = self.loaded(image, severity, rng, **options)
        found = getattr(result, "dtype", None), getattr(result, "shape", None)
        if found != (image.dtype, image.shape):
            is_array = hasattr(result, "dtype")  # no comparison: None equals the dtype float64
            what = f"{found[0]} {found[1]}" if is_array else type(result).__name__
            raise PluginError(
                f"corruption {self.name!r} returned {what} for an image uint8 {image.shape}"
            )
        return result


@dataclass(frozen=True)
class Visibility(Entry):
    """``f(clean, corrupted) -> float``: a degradation, 0 = identical, larger = worse.

    Where a part of the work concerns the clean image alone, ``prepare(clean)`` does it once for
    all cells, and ``f`` is given what it returns in place of the clean image. ``scope`` is the
    default normalisation to a visibility v in [0, 1]: see `ferc_core.labels.visibility`.
    """

    function: Callable[[Any, Image], float] | str
    scope: Literal["average", "image", "dataset"] = field(default="average", kw_only=True)
    prepare: Callable[[Image], Any] | str | None = field(default=None, kw_only=True)

    kind, singular, home = "visibilities", "visibility", "ferc-corruptions"

    def against(self, clean: Image, **options: Any) -> Callable[[Image], float]:
        """Return the function that measures corruptions of one image."""
        known = clean if self.prepare is None else resolve(self.prepare)(clean)

        def measured(corrupted: Image) -> float:
            value = float(self.loaded(known, corrupted, **options))
            if not math.isfinite(value):
                raise PluginError(f"visibility {self.name!r} returned {value}")
            return value

        return measured

    def __call__(self, clean: Image, corrupted: Image, **options: Any) -> float:
        """Return the degradation of one pair."""
        return self.against(clean, **options)(corrupted)


@dataclass(frozen=True)
class LabelScheme(Entry):
    """``f(targets [N,K], visibility [N], **options) -> [N,K]``; rows sum to 1.

    ``base`` names the targets it is given: the annotated class, the valence-arousal mixture
    (paper, eq. 6), both fused (eq. 7), or the dataset's own label distributions. A run measures
    visibility only for a scheme with ``uses_visibility``; others are given ones.
    """

    function: Callable[[Targets, Targets], Targets] | str
    base: Literal["one-hot", "gmm", "fused", "dataset"] = field(default="one-hot", kw_only=True)
    uses_visibility: bool = field(default=True, kw_only=True)

    kind, singular = "label_schemes", "label scheme"


@dataclass(frozen=True)
class DatasetSource(Entry):
    """``open(root, **options) -> FaceSet``; ``root`` is None when ``needs_root`` is False.

    ``defaults`` are the settings (image_size, epochs, backbone, batch_size, learning_rate) that a
    run on this dataset takes where neither the user nor the method says otherwise; ``note`` is
    said at the beginning of a run.
    """

    function: Callable[..., FaceSet] | str
    needs_root: bool = field(default=True, kw_only=True)
    defaults: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    note: str = field(default="", kw_only=True)

    kind, singular = "datasets", "dataset"

    def open(self, root: Path | str | None = None, **options: Any) -> FaceSet:
        """Open the dataset at ``root``."""
        from ferc_core.faces import FaceSet  # not above: listing datasets needs no NumPy

        with blaming(self):
            faces = self.loaded(root, **options)
            if not isinstance(faces, FaceSet):
                raise PluginError(f"dataset {self.name!r} is a {type(faces).__name__}, no FaceSet")
        return faces

    __call__ = open


class Predictor(Protocol):
    """A trained model, whatever it is made of.

    Its outputs are the classes of the dataset in their order, unless it has an attribute
    ``classes``, the names of its outputs: then they are matched by name
    (`ferc_core.data.classes`).
    """

    def logits(self, images: Image) -> npt.NDArray[np.float32]:
        """Return logits [B, K] for uint8 RGB images [B, H, W, 3]."""
        ...

    # optional, for --keep-features: def logits_and_features(self, images), which returns logits
    # [B, K] and what the last layer makes them of, features [B, D], or None where it has none

    def save(self, path: Path) -> None:
        """Write the model to ``path`` as tensors, no pickles."""


@dataclass(frozen=True)
class Method(Entry):
    """``fit(task) -> Predictor``, and ``load(path, device) -> Predictor`` for what it saved.

    ``defaults`` are ``backbone``, ``batch_size`` and ``learning_rate`` where the method's authors
    use others than the usual ones and the user asks for none. ``check(task)`` raises
    `RequestError` for what `fit` would refuse; a run calls it before anything long begins. A
    ready-made model does not learn from the task: it has ``trains=False``, and is there once
    whatever losses and seeds are asked for.
    """

    function: Callable[[Task], Predictor] | str
    load: Callable[..., Predictor] | str = field(kw_only=True)
    check: Callable[[Task], None] | str | None = field(default=None, kw_only=True)
    defaults: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    trains: bool = field(default=True, kw_only=True)

    kind, singular, home = "methods", "method", "ferc-models"

    def fit(self, task: Task) -> Predictor:
        """Train on ``task`` and return the predictor of its best epoch."""
        return self.predictor(self.loaded(task))

    def load_predictor(self, path: Path, device: str = "auto") -> Predictor:
        """Read a predictor that `Predictor.save` wrote, to run on a `Task.device`."""
        return self.predictor(resolve(self.load)(path, device))

    def predictor(self, found: Any) -> Predictor:
        """Return what the method made; raises `PluginError` where it predicts nothing."""
        if not callable(getattr(found, "logits", None)):
            what = type(found).__name__
            raise PluginError(f"method {self.name!r} returned a {what}, which lacks logits()")
        return found  # type: ignore[no-any-return]

    def check_task(self, task: Task) -> None:
        """Raise `RequestError` for a task that the method would refuse."""
        if self.check is not None:
            with blaming(self):
                resolve(self.check)(task)

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Leave the options of a method to its ``check`` and ``fit``, which are given a task."""


@dataclass(frozen=True)
class Loss(Entry):
    """``build(num_classes, class_prior [K], **options) -> f(logits, targets [B,K]) -> scalar``.

    A ``penalty`` looks at the logits alone and needs a loss beside it: ``--loss penalty`` means
    ``ce+penalty``. A preset has a sum for its name, ``a+b``, and in ``terms`` what that sum stands
    for, written out; ``aliases`` are further names of it. See `ferc_core.plugins.objective`.
    """

    function: Callable[[int, Targets], Callable[[Any, Any], Any]] | str
    penalty: bool = field(default=False, kw_only=True)
    terms: tuple[str, ...] = field(default=(), kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    kind, singular, home = "losses", "loss", "ferc-models"


@dataclass(frozen=True)
class Calibrator(Entry):
    """``fit(logits [N,K], targets [N] or [N,K]) -> transform(logits [M,K]) -> probs [M,K]``.

    One with ``domains=True`` is fitted on the validation images in all cells, clean and
    corrupted, and is given the number of the cell of each row: ``fit(..., domains=int [N])``. One
    with ``features=True`` is given the penultimate features of the model where predictions keep
    them: ``fit(..., features=[N, D]) -> transform(logits, features=[M, D])``. Targets are the
    annotated classes [N], or with the option ``targets=soft``, which every calibrator has, the
    dataset's label distributions [N, K]. ``keeps_prediction`` says that the class with the largest
    logit always keeps the largest probability.
    """

    function: Callable[[Floats, Any], Callable[[Floats], Floats]] | str
    domains: bool = field(default=False, kw_only=True)
    features: bool = field(default=False, kw_only=True)
    keeps_prediction: bool = field(default=False, kw_only=True)

    kind, singular, home = "calibrators", "calibrator", "ferc-models"
    reserved = ("domains", "features")

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raise `RequestError` for an option that the function lacks or of a wrong type."""
        targets = options.get("targets", "hard")
        if targets not in ("hard", "soft"):
            raise RequestError(
                f"option 'targets' of {self.name!r} must be hard or soft, not {targets!r}"
            )
        super().check_options({k: v for k, v in options.items() if k != "targets"})

    def __call__(self, logits: Any, truth: Any, *, targets: str = "hard", **options: Any) -> Any:
        """Fit; ``targets`` says what ``truth`` is, and is not passed on."""
        return self.loaded(logits, truth, **options)


@dataclass(frozen=True)
class Metric(Entry):
    """``f(probs [N,K], targets) -> float``; ``target`` is "hard" (int [N]) or "soft" ([N,K]).

    title:     what tables call it; by default its name
    unit:      "fraction" is shown in percent, "nats" and "plain" as it is
    views:     where it is shown unasked: "clean" and "corrupted", the columns of the summary, and
               "by", the tables by corruption, severity, ...
    on_request: a run does not compute it; it is computed where it is asked for, from the stored
               predictions
    needs:     what it takes by keyword, too: see `ferc_core.experiment.cases.Context`; a run does
               not compute it, either
    resampled: ``f(probs [N,K], targets [N,K], counts [D,N]) -> [D]``, the metric of D samples that
               hold row n ``counts[d, n]`` times; a fast form for the bootstrap
    """

    function: Callable[[Any, Any], float] | str
    target: Literal["hard", "soft"] = field(default="hard", kw_only=True)
    higher_is_better: bool = field(default=False, kw_only=True)
    title: str = field(default="", kw_only=True)
    unit: Literal["fraction", "nats", "plain"] = field(default="fraction", kw_only=True)
    views: tuple[Literal["clean", "corrupted", "by"], ...] = field(default=(), kw_only=True)
    on_request: bool = field(default=False, kw_only=True)
    needs: tuple[Literal["clean", "visibility", "distribution", "members", "validation"], ...] = (
        field(default=(), kw_only=True)
    )
    resampled: Callable[[Floats, Floats, Floats], Floats] | str | None = field(
        default=None, kw_only=True
    )

    kind, singular, home = "metrics", "metric", "ferc-metrics"
    reserved = get_args(Need)

    @property
    def in_every_run(self) -> bool:
        """Whether a run computes it unasked."""
        return not (self.on_request or self.needs)


@dataclass(frozen=True)
class Reporter(Entry):
    """``render(frame: polars.DataFrame) -> str``: a table of scores as text of some format.

    ``suffixes`` are those of files in that format, ".csv" for example: ``--out x.csv`` chooses it.
    """

    function: Callable[[pl.DataFrame], str] | str
    suffixes: tuple[str, ...] = field(default=(), kw_only=True)

    kind, singular = "reporters", "reporter"

    def __call__(self, frame: pl.DataFrame) -> str:
        """Return a table as text."""
        with blaming(self):
            text = self.loaded(frame)
        if not isinstance(text, str):
            raise PluginError(f"reporter {self.name!r} returned a {type(text).__name__}, no text")
        return text


@dataclass(frozen=True)
class Chart(Entry):
    """``draw(run, **options) -> altair.Chart``: a drawing of what `ferc_core.open_run` returns.

    A plugin's chart with a ``reading``, a sentence or two that say how to read it, stands in the
    report.
    """

    function: Callable[..., Any] | str
    title: str = field(default="", kw_only=True)
    reading: str = field(default="", kw_only=True)

    kind, singular = "charts", "chart"

    def __call__(self, run: Any, **options: Any) -> Any:
        """Return the chart; raises `PluginError` where it is none."""
        with blaming(self):
            chart = self.loaded(run, **options)
        if not callable(getattr(chart, "to_dict", None)):
            raise PluginError(f"chart {self.name!r} returned a {type(chart).__name__}, no chart")
        return chart


@dataclass(frozen=True)
class Command(Entry):
    """A command of ``ferc``: a Typer app, named lazily, imported when it is called or helps."""

    kind, singular = "commands", "command"
