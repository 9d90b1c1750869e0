"""Every entry that FER-C registers keeps the contract of its kind; a broken one is caught."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from helpers.commands import EXAMPLES

from ferc_core import registry, spec
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.plugins import builtin
from ferc_core.plugins.host import load_file
from ferc_core.plugins.registry import KINDS
from ferc_core.testing import CHECKS, check, sample_image
from ferc_core.testing.standins import write_affectnet, write_affwild, write_ferplus, write_rafdb

STRENGTHS = {"lam": 0.01, "mu": 0.01}  # not by cross-validation
OPTIONS = {"ada-ts": {"epochs": 5}, "dirichlet": STRENGTHS, "matrix": STRENGTHS}
ELSEWHERE = ("onnx", "swinv2_t")  # need a model file, a large backbone: tests/models


def test_there_is_a_check_for_every_kind():
    assert set(CHECKS) == set(KINDS.values())
    with pytest.raises(TypeError, match="there is no check for a Entry"):
        check(spec.Entry("a", abs))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("datasets", "methods")])
def test_registered_entries_conform(kind):
    entries = getattr(registry(), kind)
    assert entries
    for entry in entries.values():
        check(entry, **OPTIONS.get(entry.name, {}))


def test_registered_methods_conform():
    for entry in registry().methods.values():
        if entry.name not in ELSEWHERE:
            check(entry, backbone="test_resnet")


def test_a_method_without_torch_conforms():
    plugin, entries = load_file(EXAMPLES / "my_method.py"), []
    plugin.register_methods(entries.append)
    check(entries[0], epochs=3)


@pytest.mark.parametrize(
    ("name", "options", "write"),
    [
        ("toyfaces", {"train": 16, "valid": 8, "test": 8}, lambda root: None),
        ("affectnet", {}, partial(write_affectnet, train=16, valid=8, quirks=("missing",))),
        ("affectnet", {"classes": 7}, partial(write_affectnet, release="8-class", side=40)),
        ("affwild", {"frames": 6}, partial(write_affwild, identities=4, frames=7, side=40)),
        ("affwild", {"frames": 6}, partial(write_affwild, identities=4, release="v1", frames=7)),
        ("rafdb", {}, partial(write_rafdb, side=40)),
        ("ferplus", {}, write_ferplus),
    ],
)
def test_registered_datasets_conform(tmp_path, name, options, write):
    check(registry().datasets[name], write(tmp_path), **options)


# --- entries that break their contract

NEXT = itertools.count()  # for what is never the same again


def random_bytes(i):
    return np.full((48, 48, 3), next(NEXT) % 256, np.uint8)


def black(i):
    return np.zeros((48, 48, 3), np.uint8)


def dataset(ids=("a", "b"), read=black, notes=(), name="test"):
    """A source of a dataset of two faces; callables are called when it is opened."""

    def opened(root):
        split = FaceSplit(tuple(ids() if callable(ids) else ids), np.arange(2), read)
        return FaceSet("made up", ("x", "y"), {name: split}, notes() if callable(notes) else notes)

    return spec.DatasetSource("made-up", opened, needs_root=False)


def spoil(image, severity, rng):
    image[:] = 0
    return image.copy()


def global_noise(image, severity, rng):
    return image + np.random.randint(2, size=image.shape, dtype=np.uint8)  # noqa: NPY002


def own_noise(image, severity, rng):
    return image ^ np.random.default_rng().integers(9, dtype=np.uint8)


class Model:
    """Logits of the brightness of the channels, and of ``shift``, which is lost when saved."""

    def __init__(self, shift: float = 0, dtype=np.float32, classes: int = 3) -> None:
        self.shift, self.dtype, self.classes = shift, dtype, classes

    def logits(self, images):
        found = images.mean(axis=(1, 2))[:, : self.classes] + self.shift
        return found.astype(self.dtype)

    def save(self, path: Path) -> None:
        path.write_bytes(b"")


def method(model: Model, **more) -> spec.Method:
    return spec.Method("made-up", lambda task: model, load=lambda path, device: Model(), **more)


def loss(function, **more) -> spec.Loss:
    return spec.Loss("made-up", lambda k, prior: function, **more)


def refuse(task):
    raise AssertionError(f"refused {task.options}")


def cross_entropy(z, t):
    return -(t * z.log_softmax(1)).sum(1).mean()


BROKEN = [
    (spec.Corruption("a", spoil), "changes its input image"),
    (spec.Corruption("a", global_noise), "global random state"),
    (spec.Corruption("a", own_noise), "differs when repeated"),
    (spec.Visibility("a", lambda a, b: 1.0), "is not 0"),
    (spec.Visibility("a", lambda a, b: float((a != b).any())), "does not grow"),
    (spec.LabelScheme("a", lambda t, v: t * v[:, None]), "do not sum to 1"),
    (spec.LabelScheme("a", lambda t, v: t[:1]), "changes the shape"),
    (spec.LabelScheme("a", lambda t, v: np.eye(7)[[0] * 50] * 2 - 1 / 7), "negative"),
    (dataset(ids=lambda: (f"a{next(NEXT)}", "b")), "differs when opened again"),
    (dataset(notes=lambda: (str(next(NEXT)),)), "other notes"),
    (dataset(ids=("/a", "b")), "not a relative path"),
    (dataset(read=random_bytes), "differs when read again"),
    (dataset(name="holdout"), "must be one of train, valid, test"),
    (method(Model(classes=2)), r"returns logits \(5, 2\), not \(5, 3\)"),
    (method(Model(dtype=np.float64)), "returns logits float64"),
    (method(Model(shift=np.nan)), "not finite"),
    (method(Model(shift=1)), "other logits when loaded again"),
    (method(Model(), check=refuse), "refused"),
    (loss(lambda z, t: 0.5), "does not return a scalar tensor"),
    (loss(lambda z, t: z.sum(1)), "does not return a scalar tensor"),
    (loss(lambda z, t: z.sum() / 0), "is not finite"),
    (loss(lambda z, t: t.sum()), "has no gradient"),
    (loss(lambda z, t: (z - z.detach()).abs().sqrt().sum()), "gradient that is not finite"),
    (loss(cross_entropy, penalty=True), "depends on the targets"),
    (spec.Calibrator("a", lambda z, t: lambda new: new), "negative|sum to 1"),
    (spec.Calibrator("a", lambda z, t: lambda n: np.full(n.shape, 0.25)[:5]), "the shape"),
    (
        spec.Calibrator(
            "a", lambda z, t: lambda n: np.random.default_rng().dirichlet(np.ones(4), len(n))
        ),
        "differs when fitted again",
    ),
    (spec.Metric("a", lambda p, t: float(p[0, 0])), "order of the samples"),
    (spec.Metric("a", lambda p, t: p.mean(axis=0)), "not float"),
    (spec.Metric("a", lambda p, t: float("nan")), "is not finite"),
    (spec.Executor("a", lambda f, items, n: map(f, sorted(items, reverse=True))), "mixes up"),
    (spec.Reporter("a", lambda frame: frame.to_dicts()), "returns list, not str"),
    (spec.Reporter("a", lambda frame: frame.drop("method").write_csv()), "leaves out a value"),
    (spec.Chart("a", lambda run: None), "is not lazy"),
    (spec.Command("a", SimpleNamespace()), "is not lazy"),
    (spec.Command("a", "builtins:abs"), "is not a Typer app"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_broken_contract_is_named(kind):
    broken = [(entry, words) for entry, words in BROKEN if entry.kind == kind]
    assert broken
    for entry, words in broken:
        with pytest.raises(AssertionError, match=words):
            check(entry)


def test_a_ready_made_model_gets_its_options_and_is_opened():
    seen = []

    def opened(task):
        seen.append((dict(task.options), task.epochs))
        return Model()

    ready = spec.Method("ready", opened, load=lambda path, device: Model(), trains=False)
    check(ready, file="model.onnx", epochs=7)
    assert seen == [({"file": "model.onnx"}, 7)]


def test_a_command_that_is_imported_with_the_plugins_is_caught(monkeypatch):
    app = typer.Typer()
    app.command()(lambda: None)
    monkeypatch.setattr(builtin, "app", app, raising=False)
    with pytest.raises(AssertionError, match=r"loading plugins imports ferc_core\.plugins"):
        check(spec.Command("a", "ferc_core.plugins.builtin:app"))


def test_the_sample_image_has_content():
    image = sample_image(40, 60)
    assert image.shape == (40, 60, 3)
    assert image.std() > 30
