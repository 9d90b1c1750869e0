"""The valence-arousal plane, and images in charts."""

from __future__ import annotations

from base64 import b64decode

import cv2
import numpy as np
import pytest

from ferc_core.drawing.plane import ellipse, plane
from ferc_core.drawing.tiles import address
from ferc_core.labels.mixture import Mixture


def test_an_ellipse_has_a_radius_in_standard_deviations():
    mean, covariance = np.array([0.2, -0.1]), np.array([[0.04, 0.01], [0.01, 0.09]])
    offset = ellipse(mean, covariance, 2) - mean
    distance = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(covariance), offset)
    np.testing.assert_allclose(distance, 4)
    assert offset[:, 0].max() == pytest.approx(2 * 0.2, rel=0.01)
    assert offset[:, 1].max() == pytest.approx(2 * 0.3, rel=0.01)


def test_the_plane_has_ellipses_of_the_classes_of_the_mixture_alone():
    mixture = Mixture(np.array([0.4, 0.0, 0.6]), np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1)))
    points, labels = np.array([[0.1, 0.2], [0.3, 0.4]]), np.array([0, 1])
    drawn = plane(points, labels, mixture, ("joy", "fear", "awe"), 300).to_dict()
    by_size = sorted(drawn["datasets"].values(), key=len)
    assert [row["class"] for row in by_size[0]] == ["joy", "fear"]
    assert {row["class"] for row in by_size[-1]} == {"joy", "awe"}


def test_an_address_holds_the_whole_image():
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    kind, _, text = address(image).partition(",")
    assert kind == "data:image/png;base64"
    read = cv2.imdecode(np.frombuffer(b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(read[..., ::-1], image)
