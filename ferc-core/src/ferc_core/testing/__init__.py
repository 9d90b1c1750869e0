"""Conformance checks for plugin authors: does an entry keep the promises of its kind?

    from ferc_core.testing import check

    def test_my_corruption():
        check(Corruption("rain", rain))

Each check raises `AssertionError` with a sentence that says which promise is broken. Everything
that FER-C registers passes them, too.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import generator
from ferc_core.datasets.samples import sample_id
from ferc_core.faces import SPLITS
from ferc_core.spec import (
    SEVERITIES,
    Calibrator,
    Corruption,
    DatasetSource,
    Entry,
    Executor,
    LabelScheme,
    Metric,
    Visibility,
    check_image,
)

SIZES = ((32, 32), (48, 48), (33, 57), (224, 224))


def check(entry: Entry, *arguments: Any, **options: Any) -> None:
    """Check an entry of any kind that has checks; see ``CHECKS``.

    A dataset is given where it lies and its options, too: ``check(source, root, classes=7)``.
    """
    for kind, function in CHECKS.items():
        if isinstance(entry, kind):
            function(entry, *arguments, **options)
            return
    raise TypeError(f"there are no checks for a {type(entry).__name__}")


def picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return a smooth colourful image with some noise, uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=2)
    grain = np.random.default_rng(0).normal(0, 8, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def check_corruption(entry: Corruption) -> None:
    """Right type and size, the same bytes again, the input untouched, no global random state."""
    for height, width in SIZES:
        image = picture(height, width)
        kept = image.copy()
        for severity in SEVERITIES:
            where = f"{entry.name}/{severity} at {width}x{height}"
            before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
            first = entry(image, severity, generator("testing", "a", entry.name, severity))
            again = entry(image, severity, generator("testing", "a", entry.name, severity))
            after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
            assert (before == after).all(), f"{where} uses NumPy's global random state"
            assert (image == kept).all(), f"{where} changes the image it is given"
            assert (first == again).all(), f"{where} differs when it is made again"


def check_visibility(entry: Visibility) -> None:
    """Zero for identical images, and larger for a larger change."""
    image = picture(64, 64).astype(int)
    clean = image.astype(np.uint8)
    little, much = (np.clip(image + d, 0, 255).astype(np.uint8) for d in (3, 12))
    assert entry(clean, clean) == 0, f"{entry.name} of identical images is not 0"
    assert 0 < entry(clean, little) < entry(clean, much), f"{entry.name} does not grow with change"


def check_label_scheme(entry: LabelScheme) -> None:
    """Rows stay distributions at every visibility, and the targets stay as they are."""
    weights = np.random.default_rng(0).random((50, 7))
    targets = weights / weights.sum(axis=1, keepdims=True)
    kept = targets.copy()
    labels = entry(targets, np.linspace(0, 1, 50))
    assert labels.shape == targets.shape, f"{entry.name} changes the shape"
    assert (labels >= 0).all(), f"{entry.name} gives negative shares"
    assert np.allclose(labels.sum(axis=1), 1), f"{entry.name} gives rows that do not sum to 1"
    assert (targets == kept).all(), f"{entry.name} changes the targets it is given"


def check_metric(entry: Metric) -> None:
    """A finite number that does not depend on the order of the samples."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(5), 200)
    labels = rng.integers(0, 5, 200)
    targets: npt.NDArray[Any] = rng.dirichlet(np.ones(5), 200) if entry.target == "soft" else labels
    order = rng.permutation(200)
    value = entry(probs, targets)
    assert isinstance(value, float), f"{entry.name} returns {type(value).__name__}, not float"
    assert np.isfinite(value), f"{entry.name} is not finite"
    other = entry(probs[order], targets[order])
    assert np.isclose(value, other), f"{entry.name} depends on the order of the samples"


def check_calibrator(entry: Calibrator) -> None:
    """Rows of probabilities, for logits it was not fitted on, and the same ones again."""
    rng = np.random.default_rng(0)
    logits, new = rng.normal(0, 3, (200, 4)), rng.normal(0, 3, (50, 4))
    labels = (logits + rng.normal(0, 4, logits.shape)).argmax(axis=1)
    options: dict[str, Any] = {"domains": np.arange(200) % 3} if entry.domains else {}
    probs = entry(logits, labels, **options)(new)
    assert probs.shape == new.shape, f"{entry.name} changes the shape"
    assert (probs >= 0).all(), f"{entry.name} gives negative probabilities"
    assert np.allclose(probs.sum(axis=1), 1), f"{entry.name} gives rows that do not sum to 1"
    again = entry(logits, labels, **options)(new)
    assert (probs == again).all(), f"{entry.name} differs when fitted again"


def check_executor(entry: Executor) -> None:
    """Results in the order of the items, with one worker and with several."""
    for workers in (1, 3):
        results = list(entry(abs, range(-20, 0), workers))
        assert results == list(range(20, 0, -1)), f"{entry.name} mixes up its results"


def check_dataset(entry: DatasetSource, root: Path | str | None = None, **options: Any) -> None:
    """The same faces again, images that can be used, ids for files, readers for any process."""
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
            assert sample_id(sample, where) == sample, f"{where}: {sample!r} is no relative path"
        elsewhere = pickle.loads(pickle.dumps(split.read))
        for i in (0, len(split) - 1):
            image = split.read(i)
            check_image(image, f"{where}: {split.ids[i]}")
            for other in (again.splits[name].read(i), elsewhere(i)):
                assert (image == other).all(), f"{where}: {split.ids[i]} differs when read again"
    for file, lost in faces.about.missing.items():
        assert lost > 0, f"{entry.name}: {file} is missing, but no face is lost with it"


CHECKS: Mapping[type[Entry], Callable[[Any], None]] = MappingProxyType(
    {
        Corruption: check_corruption,
        Visibility: check_visibility,
        LabelScheme: check_label_scheme,
        Metric: check_metric,
        Calibrator: check_calibrator,
        Executor: check_executor,
        DatasetSource: check_dataset,
    }
)
