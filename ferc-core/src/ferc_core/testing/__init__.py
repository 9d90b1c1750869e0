"""Conformance checks for plugin authors: does an entry keep the contract of its kind?

    from ferc_core.testing import check

    def test_my_corruption():
        check(Corruption("rain", rain))

A check raises `AssertionError` with a sentence about the part of the contract that is broken.
Everything that FER-C registers passes them.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core import spec
from ferc_core.base.seeds import generator
from ferc_core.datasets.samples import sample_id
from ferc_core.experiment.cases import Context
from ferc_core.faces import SPLITS
from ferc_core.task import Examples, Task

SIZES = ((32, 32), (48, 48), (33, 57), (224, 224))
METHOD = "scn"  # in the tables that reporters get


def check(entry: spec.Entry, *arguments: Any, **options: Any) -> None:
    """Check an entry of any kind, with its options if it needs any; see ``CHECKS``.

    A dataset also gets its data root, ``check(source, root, classes=7)``, and a method fields of
    the `Task` beside its options, ``check(method, backbone="test_resnet")``.
    """
    for kind, function in CHECKS.items():
        if isinstance(entry, kind):
            function(entry, *arguments, **options)
            return
    raise TypeError(f"there is no check for a {type(entry).__name__}")


def sample_image(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return a smooth colourful image with some noise, uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=2)
    grain = np.random.default_rng(0).normal(0, 8, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def check_corruption(entry: spec.Corruption, **options: Any) -> None:
    """Right type and size, reproducible, input unchanged, no global random state."""
    for height, width in SIZES:
        image = sample_image(height, width)
        kept = image.copy()
        for severity in spec.SEVERITIES:
            where = f"{entry.name}/{severity} at {width}x{height}"
            before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
            first, again = (
                entry(image, severity, generator("testing", "a", entry.name, severity), **options)
                for _ in range(2)
            )
            after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
            assert (before == after).all(), f"{where} uses NumPy's global random state"
            assert (image == kept).all(), f"{where} changes its input image"
            assert (first == again).all(), f"{where} differs when repeated"


def check_visibility(entry: spec.Visibility, **options: Any) -> None:
    """Zero for identical images, and larger for a larger change."""
    image = sample_image(64, 64).astype(int)
    clean = image.astype(np.uint8)
    changed = (np.clip(image + d, 0, 255).astype(np.uint8) for d in (0, 3, 12))
    none, little, much = (entry(clean, other, **options) for other in changed)
    assert none == 0, f"{entry.name} of identical images is not 0"
    assert 0 < little < much, f"{entry.name} does not grow with change"


def check_label_scheme(entry: spec.LabelScheme, **options: Any) -> None:
    """Rows are distributions at every visibility, and the targets stay unchanged."""
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 50)
    kept = targets.copy()
    labels = entry(targets, np.linspace(0, 1, 50), **options)
    check_distributions(entry.name, labels, targets.shape)
    assert (targets == kept).all(), f"{entry.name} changes its input targets"


def check_distributions(name: str, rows: Any, shape: tuple[int, ...]) -> None:
    """Rows of the right shape that are distributions."""
    assert rows.shape == shape, f"{name} changes the shape"
    assert (rows >= 0).all(), f"{name} returns negative probabilities"
    assert np.allclose(rows.sum(axis=1), 1), f"{name} returns rows that do not sum to 1"


def check_dataset(
    entry: spec.DatasetSource, root: Path | str | None = None, **options: Any
) -> None:
    """The same faces each time, usable images, ids fit for files, picklable readers."""
    faces, again = (entry.open(root, **options) for _ in range(2))
    assert faces.fingerprint == again.fingerprint, f"{entry.name} differs when opened again"
    assert faces.notes == again.notes, f"{entry.name} has other notes when opened again"
    ids = [sample for split in faces.splits.values() for sample in split.ids]
    assert len(ids) == len(set(ids)), f"{entry.name} has a sample id in two splits"
    for name, split in faces.splits.items():
        where = f"{entry.name}/{name}"
        assert name in SPLITS, f"{where}: a split must be one of {', '.join(SPLITS)}"
        assert len(split), f"{where} is empty"
        for sample in split.ids:
            valid = sample_id(sample, where) == sample
            assert valid, f"{where}: {sample!r} is not a relative path"
        elsewhere = pickle.loads(pickle.dumps(split.read))
        for i in (0, len(split) - 1):
            image = split.read(i)
            spec.check_image(image, f"{where}: {split.ids[i]}")
            for other in (again.splits[name].read(i), elsewhere(i)):
                assert (image == other).all(), f"{where}: {split.ids[i]} differs when read again"
    for file, lost in faces.about.missing.items():
        assert lost > 0, f"{entry.name}: {file} is missing, but no face is lost with it"


def check_method(entry: spec.Method, **changes: Any) -> None:
    """Fits a tiny task, returns finite logits, and gives the same logits after saving and loading.

    ``changes`` are fields of the `Task`, or else options of the method.
    """
    known = {each.name for each in fields(Task)}
    options = {name: value for name, value in changes.items() if name not in known}
    with TemporaryDirectory() as folder:
        settings: dict[str, Any] = {
            "classes": ("red", "green", "blue"), "train": colours(24), "validation": colours(12),
            "loss": "ce", "epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "image_size": 32,
            "seed": 0, "directory": Path(folder), "device": "cpu", "options": options,
        }  # fmt: skip
        task = Task(**settings | {name: changes[name] for name in changes.keys() & known})
        if entry.check is not None:
            spec.resolve(entry.check)(task)
        images = task.validation.images(np.arange(5))
        predictor = entry.fit(task)
        logits = predictor.logits(images)
        shape = len(images), len(task.classes)
        assert logits.shape == shape, f"{entry.name} returns logits {logits.shape}, not {shape}"
        assert logits.dtype == np.float32, f"{entry.name} returns logits {logits.dtype}"
        assert np.isfinite(logits).all(), f"{entry.name} returns logits that are not finite"
        file = Path(folder) / "saved"
        predictor.save(file)
        loaded = entry.load_predictor(file, "cpu").logits(images)
        assert np.array_equal(loaded, logits), f"{entry.name} has other logits when loaded again"


def colours(n: int, side: int = 32) -> Examples:
    """Return images of noise with one brighter channel, which is the class."""
    labels = np.arange(n) % 3
    images = np.random.default_rng(n).integers(0, 160, (n, side, side, 3), dtype=np.uint8)
    images[np.arange(n), :, :, labels] += 90
    ids = tuple(f"{n}/{i}" for i in range(n))
    return Examples(ids, lambda rows: images[rows], labels, np.eye(3)[labels])


def check_loss(entry: spec.Loss, **options: Any) -> None:
    """A finite scalar with a finite gradient for the logits; a penalty ignores the targets."""
    torch = import_module("torch")  # only who checks a loss needs it
    for k in (3, 8):
        for prior in (np.full(k, 1 / k), np.arange(1, k + 1) / np.arange(1, k + 1).sum()):
            loss = entry(k, prior, **options)
            where = f"{entry.name} for {k} classes"
            logits = 3 * torch.arange(4.0 * k * k).sin().reshape(-1, k)  # no row like another
            logits.requires_grad_()
            targets = torch.eye(k).repeat(4, 1)
            value = loss(logits, targets)
            assert getattr(value, "shape", None) == (), f"{where} does not return a scalar tensor"
            assert torch.isfinite(value), f"{where} is not finite"
            assert value.requires_grad, f"{where} has no gradient for the logits"
            value.backward()
            assert logits.grad is not None, f"{where} has no gradient for the logits"
            assert torch.isfinite(logits.grad).all(), f"{where} has a gradient that is not finite"
            if entry.penalty:
                other = entry(k, prior, **options)(logits, targets.flip(0))
                assert torch.equal(other, value), f"{where} is a penalty but depends on the targets"


def check_calibrator(entry: spec.Calibrator, **options: Any) -> None:
    """Distributions for logits it was not fitted on, and the same when fitted again."""
    rng = np.random.default_rng(0)
    logits, new = rng.normal(0, 3, (60, 4)), rng.normal(0, 3, (50, 4))
    labels = (logits + rng.normal(0, 4, logits.shape)).argmax(axis=1)
    if entry.domains:
        options["domains"] = np.arange(60) % 3
    probs, again = (entry(logits, labels, **options)(new) for _ in range(2))
    check_distributions(entry.name, probs, new.shape)
    assert (probs == again).all(), f"{entry.name} differs when fitted again"
    if entry.keeps_prediction:
        same = probs.argmax(axis=1) == new.argmax(axis=1)
        assert same.all(), f"{entry.name} changes the predicted class of {(~same).sum()} images"


def check_metric(entry: spec.Metric, **options: Any) -> None:
    """A finite number that does not depend on the order of the samples."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(5), 200)
    labels = rng.integers(0, 5, 200)
    targets: npt.NDArray[Any] = rng.dirichlet(np.ones(5), 200) if entry.target == "soft" else labels
    order = rng.permutation(200)
    members = np.stack([probs, probs[:, ::-1]], axis=1)
    beside = Context(
        clean=probs[::-1],
        visibility=rng.random(200),
        distribution=rng.dirichlet(np.ones(5), 200),
        members=members,
        validation=(probs[:50], labels[:50]),
    )
    if "members" in entry.needs:
        probs = members.mean(axis=1)
    given = {**options, **beside.given_to(entry)}
    value = entry(probs, targets, **given)
    assert isinstance(value, float), f"{entry.name} returns {type(value).__name__}, not float"
    assert np.isfinite(value), f"{entry.name} is not finite"
    given |= beside.rows(order).given_to(entry)
    other = entry(probs[order], targets[order], **given)
    assert np.isclose(value, other), f"{entry.name} depends on the order of the samples"


def check_executor(entry: spec.Executor) -> None:
    """Results in the order of the items, with one worker and with several."""
    with entry.in_use():
        for workers in (1, 3):
            results = list(entry(abs, range(-20, 0), workers))
            assert results == list(range(20, 0, -1)), f"{entry.name} mixes up its results"


def check_reporter(entry: spec.Reporter) -> None:
    """Text for tables of scores, also empty ones and ones with missing values."""
    scores = pl.DataFrame({"method": [METHOD, None], "n": [30, 30], "accuracy": [0.75, None]})
    for rows in (2, 1, 0):
        text = entry.loaded(scores.head(rows))
        assert isinstance(text, str), f"{entry.name} returns {type(text).__name__}, not str"
        assert rows == 0 or METHOD in text, f"{entry.name} leaves out a value of the table"


def check_chart(entry: spec.Chart, run: Any = None, **options: Any) -> None:
    """A lazy function; of a ``run``, a chart whose specification can be written as JSON."""
    assert isinstance(entry.function, str) or run is not None, f"{entry.name} is not lazy"
    assert callable(entry.loaded), f"{entry.name} is not a function"
    if run is not None:
        found = entry(run, **options).to_dict()
        assert json.loads(json.dumps(found)), f"{entry.name} draws nothing"


def check_command(entry: spec.Command) -> None:
    """A Typer app, named lazily and not imported when plugins are loaded."""
    assert isinstance(entry.function, str), f"{entry.name} is not lazy; use 'module:attribute'"
    typer = import_module("typer")
    assert isinstance(entry.loaded, typer.Typer), f"{entry.name} is not a Typer app"
    typer.main.get_command(entry.loaded)
    module = entry.function.partition(":")[0]
    assert module not in imported_by_plugins(), f"{entry.name}: loading plugins imports {module}"


@cache
def imported_by_plugins() -> frozenset[str]:
    """Return the modules that a new process has imported once the plugins are loaded."""
    code = "import sys, ferc_core; ferc_core.registry(); print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return frozenset(done.stdout.splitlines())


CHECKS: Mapping[type[spec.Entry], Callable[..., None]] = MappingProxyType(
    {
        spec.Corruption: check_corruption,
        spec.Visibility: check_visibility,
        spec.LabelScheme: check_label_scheme,
        spec.DatasetSource: check_dataset,
        spec.Method: check_method,
        spec.Loss: check_loss,
        spec.Calibrator: check_calibrator,
        spec.Metric: check_metric,
        spec.Executor: check_executor,
        spec.Reporter: check_reporter,
        spec.Chart: check_chart,
        spec.Command: check_command,
    }
)
