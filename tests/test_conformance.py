"""Every entry that FER-C registers keeps the promises of its kind; a bad one is caught."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core import Corruption, Executor, LabelScheme, Metric, Visibility, registry
from ferc_core.testing import CHECKS, check, picture

KINDS = ("corruptions", "visibilities", "label_schemes", "metrics", "calibrators", "executors")
ENTRIES = [entry for kind in KINDS for entry in getattr(registry(), kind).values()]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{type(e).__name__}-{e.name}")
def test_what_is_registered_conforms(entry):
    check(entry)


def test_there_is_a_check_for_each_of_these_kinds():
    assert {type(entry) for entry in ENTRIES} == set(CHECKS)


def spoil(image, severity, rng):
    image[:] = 0
    return image.copy()


@pytest.mark.parametrize(
    ("entry", "promise"),
    [
        (Corruption("a", spoil), "changes the picture"),
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


def test_the_picture_of_the_checks_has_content():
    image = picture(40, 60)
    assert image.shape == (40, 60, 3)
    assert image.std() > 30
