"""Every entry that FER-C registers keeps the promises of its kind; a bad one is caught."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from ferc_core import Corruption, DatasetSource, Executor, LabelScheme, Metric, Visibility, registry
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.testing import CHECKS, check, sample_image
from ferc_core.testing.standins import write_affectnet, write_affwild, write_ferplus, write_rafdb

KINDS = ("corruptions", "visibilities", "label_schemes", "metrics", "calibrators", "executors")
ENTRIES = [entry for kind in KINDS for entry in getattr(registry(), kind).values()]
ENTRIES.append(registry().datasets["toyfaces"])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{type(e).__name__}-{e.name}")
def test_what_is_registered_conforms(entry):
    check(entry)


@pytest.mark.parametrize(
    ("name", "options", "write"),
    [
        ("affectnet", {}, partial(write_affectnet, quirks=("codes", "missing"))),
        ("affectnet", {"classes": 7}, partial(write_affectnet, release="8-class", side=40)),
        ("affwild", {"frames": 6}, partial(write_affwild, frames=7, side=40)),
        ("affwild", {"frames": 6}, partial(write_affwild, release="v1", frames=7)),
        ("rafdb", {}, partial(write_rafdb, side=40)),
        ("ferplus", {}, write_ferplus),
    ],
)
def test_loaders_of_licensed_sets_conform(tmp_path, name, options, write):
    check(registry().datasets[name], write(tmp_path), **options)


NEXT = itertools.count()  # for what is never the same again


def moody(i):
    return np.full((48, 48, 3), next(NEXT) % 256, np.uint8)


def black(i):
    return np.zeros((48, 48, 3), np.uint8)


def faces_of(ids=("a", "b"), read=black, notes=()):
    """A dataset of two faces."""
    split = FaceSplit(tuple(ids), np.arange(2), read)
    return FaceSet("made up", ("x", "y"), {"test": split}, notes)


@pytest.mark.parametrize(
    ("opened", "promise"),
    [
        (lambda root: faces_of((f"a{next(NEXT)}", "b")), "differs when opened again"),
        (lambda root: faces_of(notes=(str(next(NEXT)),)), "other notes"),
        (lambda root: faces_of(("/a", "b")), "no relative path"),
        (lambda root: faces_of(read=moody), "differs when read again"),
    ],
)
def test_a_dataset_that_breaks_a_promise_is_caught(opened, promise):
    with pytest.raises(AssertionError, match=promise):
        check(DatasetSource("made up", opened, needs_root=False))


def test_there_is_a_check_for_each_of_these_kinds():
    assert {type(entry) for entry in ENTRIES} == set(CHECKS)


def spoil(image, severity, rng):
    image[:] = 0
    return image.copy()


@pytest.mark.parametrize(
    ("entry", "promise"),
    [
        (Corruption("a", spoil), "changes the image"),
        (
            Corruption("b", lambda i, s, r: i + np.random.randint(2, size=i.shape, dtype=np.uint8)),  # noqa: NPY002
            "global random state",
        ),
        (
            Corruption(
                "c", lambda i, s, r: i ^ np.random.default_rng().integers(9, dtype=np.uint8)
            ),
            "differs when it is made again",
        ),
        (Visibility("d", lambda a, b: 1.0), "is not 0"),
        (Visibility("e", lambda a, b: float((a != b).any())), "does not grow"),
        (LabelScheme("f", lambda t, v: t * v[:, None]), "do not sum to 1"),
        (Metric("g", lambda p, t: float(p[0, 0])), "order of the samples"),
        (Metric("h", lambda p, t: p.mean(axis=0)), "not float"),
        (Executor("i", lambda f, items, n: map(f, sorted(items, reverse=True))), "mixes up"),
    ],
)
def test_a_broken_promise_is_named(entry, promise):
    with pytest.raises(AssertionError, match=promise):
        check(entry)


def test_the_image_of_the_checks_has_content():
    image = sample_image(40, 60)
    assert image.shape == (40, 60, 3)
    assert image.std() > 30
