"""FER-C from Python: open a dataset, corrupt an image, score predictions, run, evaluate a model.

Everything that a command refuses, these refuse with the same sentence, as `FercError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ferc_core.base.display import Display
from ferc_core.base.failures import Failures
from ferc_core.base.paths import expanded
from ferc_core.base.progress import watching
from ferc_core.base.seeds import generator, slug
from ferc_core.base.values import check_path, check_value
from ferc_core.data.classes import names_in, names_of, with_classes
from ferc_core.data.opening import open_dataset as open_chosen
from ferc_core.errors import RequestError
from ferc_core.experiment import pipeline
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import configured, read_configs
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.given import GivenModel, check_same_model
from ferc_core.faces import FaceSet
from ferc_core.plugins.host import registry, use_plugin_files
from ferc_core.plugins.registry import Chosen
from ferc_core.results.run import Run

if TYPE_CHECKING:
    import polars as pl

Image = npt.NDArray[np.uint8]
Model = Callable[[Image], Any]

# Settings of a run that a model in hand leaves nothing to decide about.
NOT_OF_A_MODEL = (
    "dataset", "data_root", "build", "methods", "losses", "noise", "noise_scheme",
    "soft_augmentation", "seeds", "backbone", "weights", "pretrained", "epochs", "batch_size",
    "learning_rate", "threads", "precision", "compile", "jobs", "device", "part", "out",
)  # fmt: skip


def open_dataset(name: str, root: str | Path | None = None, **options: Any) -> FaceSet:
    """Open a dataset by its registered name; ``root`` is its directory, where it has one.

    Options are those of ``--dataset "name(option=value)"``. Raises `FercError` for a name, an
    option or a directory that cannot be used.

    >>> faces = open_dataset("toyfaces", train=32, valid=8, test=8)
    >>> faces.classes[:3], len(faces.splits["test"])
    (('neutral', 'happy', 'sad'), 8)
    >>> faces.splits["test"][0].image.shape
    (96, 96, 3)
    """
    chosen = registry().datasets.choose(name)
    chosen.entry.check_options(options)
    call = type(chosen.call)(chosen.call.name, {**chosen.call.options, **options})
    where = str(expanded(root)) if root is not None else ""
    check_path("the root", where)
    return open_chosen(Chosen(chosen.entry, call), where)


def corrupt(
    image: npt.ArrayLike,
    corruption: str,
    severity: int,
    *,
    seed: int | str = 0,
    sample: str = "",
    severity_table: str = "imagenet-c",
) -> Image:
    """Return one image, uint8 RGB [H, W, 3] of at least 32x32, corrupted; the input is unchanged.

    ``corruption`` is any registered one, its options in parentheses; ``severity`` is 1 to 5. The
    random field depends on ``seed``, ``sample`` (the id of the image), corruption and severity
    alone: the same call gives the same bytes. Raises `FercError`.

    >>> import numpy as np
    >>> grey = np.full((48, 48, 3), 128, np.uint8)
    >>> bool(corrupt(grey, "brightness", 3).mean() > grey.mean())
    True
    >>> one, other = (corrupt(grey, "gaussian_noise", 3, seed=seed) for seed in (0, 1))
    >>> bool((one == other).all())
    False
    """
    chosen = registry().corruptions.choose(corruption)
    rng = generator("image", sample, str(chosen), severity, seed)
    result: Image = chosen(np.asarray(image), severity, rng, table=severity_table)
    return result


def score(
    probs: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    targets: npt.ArrayLike | None = None,
) -> pl.DataFrame:
    """Return every metric that fits: hard ones against ``labels``, soft ones against ``targets``,
    but those that need more than these arrays.

    probs:   probabilities [N, K], rows sum to 1
    labels:  the annotated classes, int [N]
    targets: label distributions [N, K]

    The frame has the columns metric, title, value, higher_is_better and n. Raises `FercError` for
    arrays that no metric can be computed of; a metric that fails alone is warned of and left out.

    >>> table = score([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], labels=[0, 0, 1])
    >>> dict(table.select("metric", "value").iter_rows())["accuracy"]
    0.6666666666666666
    """
    import polars as pl

    from ferc_core.experiment.cases import frozen

    registry().metrics.require()
    if labels is None and targets is None:
        raise RequestError("give labels, int [N], or targets, distributions [N, K], or both")
    probs, labels, targets = map(frozen, (probs, labels, targets))
    given = {"hard": labels, "soft": targets}
    rows, failed = [], Failures()
    for name, metric in registry().metrics.items():
        against = given[metric.target]
        if against is None or metric.needs:
            continue
        try:
            value = float(metric(probs, against))
        except BaseException as error:  # a metric may raise anything; the others continue
            failed.add(f"metric {name}", error)
            continue
        title = metric.title or name
        rows.append((name, title, value, metric.higher_is_better, len(np.asarray(probs))))
    if not rows:
        failed.raise_all()
    warn(failed)
    columns = ["metric", "title", "value", "higher_is_better", "n"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def run(
    config: str | Path | None = None,
    *,
    quiet: bool = False,
    log_file: str | Path | None = None,
    plugins: Sequence[str | Path] = (),
    **settings: Any,
) -> Run:
    """Run the benchmark, as ``ferc run`` does, and return it.

    config:   a TOML file, or a run directory to run again
    quiet:    show no progress; ``log_file`` is written in any case
    plugins:  Python files with hooks
    settings: the settings of the configuration by their names (docs/configuration.md lists
              them); one value or a list, ``str`` or ``Path``

    Earlier work in the directory ``out`` is resumed. What fails does not stop the rest: it is
    warned of, and named in ``run.failures``. Raises `FercError` where nothing can be scored.

    >>> small = {"dataset": "toyfaces(train=48,valid=16,test=8)", "epochs": 1, "image_size": 32}
    >>> cells = {"corruptions": "contrast", "severities": [1, 5], "calibrators": "none"}
    >>> made = run(**small, **cells, losses="ce", out="small-run", quiet=True)
    >>> made
    Run('small-run'): 1 trial in 3 cells
    """
    use_plugin_files(plugins)
    path = expanded(config) if config is not None else None
    configs = read_configs(path, settings)
    if any(each.part for each in configs):
        raise RequestError(
            "part is for job arrays of ferc run; calls from Python with the same out share the work"
        )
    with showing(quiet, log_file):
        outcome = pipeline.run_configs(configs)
    warn(outcome.failures, outcome.warnings)
    return Run(outcome.path, failures=outcome.failures)


def evaluate(
    model: Model | Any,
    faces: FaceSet,
    *,
    name: str = "model",
    out: str | Path | None = None,
    output: Literal["logits", "probs"] = "logits",
    classes: str | Sequence[str] = (),
    subset: str | Sequence[str] = (),
    quiet: bool = False,
    log_file: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Evaluate a model that is there already on faces in every cell, and return the run.

    model:    an object with ``logits``, or any callable: uint8 RGB images [B, S, S, 3] to logits
              [B, K]; a torch tensor will do
    name:     what results call it
    out:      the run directory, as ``ferc run`` makes it. Default: ferc-runs/NAME-on-DATASET
    output:   "probs" for a model that ends with a softmax
    classes:  the names of its outputs, which are matched to those of the dataset ("angry" is
              anger); outputs that the dataset lacks are left out and the rest renormalised.
              Default: an attribute ``classes`` of the model, or else those of the dataset in
              their order
    subset:   the classes to judge on, or merges such as "anger=anger+contempt", as ``--classes``
              of ``ferc run``; faces of others are left out
    settings: those of `run` that a given model leaves open: corruptions, severities, image_size,
              split, limit, visibility, label_scheme, calibrators, ...

    Nothing is trained. Calibrators are fitted on the faces to validate on, where there are any.
    Raises `FercError`: for answers of a wrong shape, NaN, or probabilities in place of logits at
    the first batch.

    >>> faces = open_dataset("toyfaces", train=8, valid=16, test=8)
    >>> def brightness(images):
    ...     return images.mean(axis=(1, 2, 3))[:, None] * np.arange(8) / 255
    >>> cells = {"corruptions": "contrast", "severities": 3, "image_size": 32}
    >>> cells["calibrators"] = "none"
    >>> evaluate(brightness, faces, name="brightness", out="bright", quiet=True, **cells)
    Run('bright'): 1 trial in 2 cells
    """
    for setting in settings.keys() & set(NOT_OF_A_MODEL):
        raise RequestError(f"evaluate takes no {setting}: the model and the faces are given")
    if not isinstance(faces, FaceSet):
        raise RequestError(
            f"faces must be a FaceSet, as ferc.open_dataset returns it, not a "
            f"{type(faces).__name__}"
        )
    path = Path(out) if out is not None else Path("ferc-runs") / f"{slug(name)}-on-{faces.name}"
    config = configured({**settings, "out": path, "classes": names_in(subset)})
    faces = with_classes(faces, config.classes)
    outputs = names_in(classes) or names_of(model) or faces.classes
    given = GivenModel(model, name, outputs, output)
    with showing(quiet, log_file):
        bench = Benchmark.of_model(config, faces, name, given)
        directory = RunDirectory(path)
        check_same_model(bench, directory)
        outcome = pipeline.run(bench, directory)
    warn(outcome.failures, outcome.warnings)
    return Run(outcome.path, failures=outcome.failures)


def open_run(path: str | Path, *others: str | Path) -> Run:
    """Open a run directory, or several side by side; raises `FercError` for something else.

    A folder of run directories stands for all of them, a .parquet file of `ferc score --out` for
    its scores.

    >>> open_run("nowhere")
    Traceback (most recent call last):
    ferc_core.errors.RequestError: nowhere is not a run directory
    """
    paths = [expanded(each) for each in (path, *others)]
    for each in paths:
        check_value("the run directory", each)
    return Run(*paths)


@contextmanager
def showing(quiet: bool, log_file: str | Path | None) -> Iterator[None]:
    """Show the progress of what is done in this context."""
    with Display(quiet, log_file) as display, watching(display):
        yield


def warn(failures: Failures, wrong: Sequence[str] = ()) -> None:
    """Warn of what failed, and of what seems to be wrong."""
    for text in (*(f"{part} failed: {cause}" for part, cause in failures.causes.items()), *wrong):
        warnings.warn(text, stacklevel=3)
