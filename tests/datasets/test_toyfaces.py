"""Toy faces: drawn, labelled, the same everywhere, and learnable."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import blake2b

import cv2
import numpy as np
import pytest
from helpers.loaders import sizes
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import ferc_core
from ferc_core.datasets.toyfaces.drawing.expressions import FULL_VA, Emotion, express
from ferc_core.datasets.toyfaces.drawing.face import draw_face
from ferc_core.datasets.toyfaces.drawing.subjects import (
    MENS_BEARDS,
    MENS_HAIR,
    WOMENS_HAIR,
    random_subject,
)
from ferc_core.datasets.toyfaces.drawing.views import random_view
from ferc_core.datasets.toyfaces.loader import open_toyfaces
from ferc_core.errors import RequestError
from ferc_core.faces import FaceSet, FaceSplit

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return open_toyfaces()


def digests(split: FaceSplit, rows: list[int]) -> dict[str, str]:
    return {split.ids[i]: blake2b(split.read(i).tobytes()).hexdigest() for i in rows}


def test_it_needs_no_data_root(tmp_path):
    faces = ferc_core.registry().datasets["toyfaces"].open(train=8, valid=8, test=8)
    assert faces.classes == CLASSES
    assert sizes(faces) == {"train": 8, "valid": 8, "test": 8}
    with pytest.raises(RequestError, match="leave out the data root"):
        open_toyfaces(tmp_path)


def test_images_are_rgb_bytes_of_the_requested_size_and_all_different(faces):
    for size in (32, 97, 224):
        image = open_toyfaces(train=8, valid=8, test=8, size=size).splits["valid"][3].image
        assert (image.dtype, image.shape) == (np.uint8, (size, size, 3))
        assert image.std() > 20  # not a uniform field
    assert len(set(digests(faces.splits["test"], list(range(40))).values())) == 40


def test_order_threads_and_processes_do_not_change_a_byte(faces):
    rows = [0, 5, 17, 399]
    expected = digests(faces.splits["test"], rows)
    assert digests(faces.splits["test"], rows[::-1]) == expected

    def one(row: int) -> dict[str, str]:
        return digests(faces.splits["test"], [row])

    with ThreadPoolExecutor(4) as pool:
        in_threads = {k: v for part in pool.map(one, rows) for k, v in part.items()}
    assert in_threads == expected
    code = (
        "import json; from hashlib import blake2b\n"
        "from ferc_core.datasets.toyfaces.loader import open_toyfaces\n"
        "split = open_toyfaces().splits['test']\n"
        "print(json.dumps({split.ids[i]: blake2b(split.read(i).tobytes()).hexdigest()"
        f" for i in {rows[::-1]}}}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == expected


def test_a_face_does_not_depend_on_the_number_of_faces(faces):
    few = open_toyfaces(train=24, valid=8, test=8).splits["train"]
    many = faces.splits["train"][:24]
    assert few.ids == many.ids
    assert few.identities == many.identities
    assert np.array_equal(few.valence_arousal, many.valence_arousal)
    assert np.array_equal(few.read(23), many.read(23))


def test_drawing_changes_no_global_state(faces):
    threads, state = cv2.getNumThreads(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    faces.splits["train"].read(0)
    assert cv2.getNumThreads() == threads
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002


def test_ids_are_valid_file_names_and_classes_balanced(faces):
    for name, split in faces.splits.items():
        assert all(re.fullmatch(rf"{name}-\d{{5}}", sample) for sample in split.ids)
    for count in (8, 13, 60):
        split = open_toyfaces(train=count, valid=8, test=8).splits["train"]
        counts = np.bincount(split.labels, minlength=8)
        assert counts.sum() == count
        assert counts.max() - counts.min() <= 1


def test_no_subject_is_in_two_splits_and_all_show_every_expression(faces):
    subjects = {name: set(split.identities) for name, split in faces.splits.items()}
    assert len(subjects["train"]) >= 40
    assert not subjects["train"] & subjects["valid"]
    assert not subjects["train"] & subjects["test"]
    assert not subjects["valid"] & subjects["test"]
    train = faces.splits["train"]
    shown = set(zip(train.identities, train.labels.tolist(), strict=True))
    assert len(shown) == 8 * len(subjects["train"])


def test_a_subject_has_one_skin_colour(faces):
    """Images of one subject are closer in colour than images of different subjects."""
    split = faces.splits["train"]
    cheeks = np.array([split.read(i)[45:65, 38:58].mean(axis=(0, 1)) for i in range(96)])
    subjects = cheeks.reshape(12, 8, 3)  # eight images of each of the first twelve
    within = subjects.std(axis=1).mean()
    between = subjects.mean(axis=1).std(axis=0).mean()
    assert between > 1.5 * within


def test_valence_and_arousal_match_the_expression(faces):
    split = faces.splits["train"]
    va = split.valence_arousal
    assert np.abs(va).max() <= 1
    mean = {name: va[split.labels == k].mean(axis=0) for k, name in enumerate(CLASSES)}
    assert np.abs(mean["neutral"]).max() < 0.05
    assert mean["happy"][0] > 0.4
    assert mean["sad"][0] < -0.3
    assert mean["sad"][1] < -0.15
    assert min(mean[name][1] for name in ("surprise", "fear", "anger")) > 0.4
    assert max(mean[name][0] for name in ("disgust", "anger", "contempt")) < -0.3


def test_classes_overlap_in_valence_and_arousal_but_not_much(faces):
    """The nearest class mean is often right, and wrong for weak expressions (paper, eq. 6)."""
    split = faces.splits["train"]
    va, labels = split.valence_arousal, split.labels
    means = np.array([va[labels == k].mean(axis=0) for k in range(8)])
    right = np.linalg.norm(va[:, None] - means, axis=2).argmin(axis=1) == labels
    strong = np.linalg.norm(va, axis=1) > 0.5
    assert 0.5 < right.mean() < 0.95
    assert right[strong & (labels > 0)].mean() > right[~strong & (labels > 0)].mean() + 0.2


def test_a_stronger_emotion_is_farther_from_neutral():
    """One subject in one view: only the expression differs."""
    subject = random_subject(np.random.default_rng(3))
    view = random_view(np.random.default_rng(4))

    def image(label: int, intensity: float) -> np.ndarray:
        valence, arousal = intensity * np.array(FULL_VA[CLASSES[label]])
        emotion = Emotion(label, intensity, valence, arousal)
        return draw_face(subject, express(emotion, np.random.default_rng(5)), view, 64).astype(
            float
        )

    for label in range(1, 8):
        neutral = image(label, 0.0)
        distance = [np.abs(image(label, i) - neutral).mean() for i in (0.25, 0.5, 1.0)]
        assert 0 < distance[0] < distance[1] < distance[2], CLASSES[label]


def test_every_hairstyle_and_beard_is_drawn():
    """One subject in one view: only hair and beard differ."""
    subject = replace(random_subject(np.random.default_rng(3)), glasses=True, freckles=True)
    view, neutral = random_view(np.random.default_rng(4)), Emotion(0, 0.5, 0.0, 0.0)
    expression = express(neutral, np.random.default_rng(5))
    beards = {beard for beard in MENS_BEARDS if beard}
    looks = [{"hairstyle": style} for style in {*MENS_HAIR, *WOMENS_HAIR}]
    looks += [{"hairstyle": "bald", "beard": beard} for beard in beards]
    images = {draw_face(replace(subject, **look), expression, view, 48).tobytes() for look in looks}
    assert len(images) == len(looks)


def test_an_image_shows_its_own_valence():
    """The corners of the mouth follow the valence of a neutral face."""

    def smile(valence: float) -> float:
        emotion = Emotion(0, 0.5, valence, 0.0)
        shown = express(emotion, np.random.default_rng(6)).mean
        return shown[12] - shown[15]  # lip corners up, lip corners down

    assert smile(-0.2) < smile(0.0) < smile(0.2)


def test_only_contempt_is_one_sided():
    for label, name in enumerate(CLASSES):
        emotion = Emotion(label, 1.0, *FULL_VA[name])
        shown = express(emotion, np.random.default_rng(7))
        assert (shown.left[12] != shown.right[12]) == (name == "contempt")


def test_a_linear_classifier_learns_the_expressions():
    """Far above chance (12.5 %) on unseen subjects, from few tiny images."""
    faces = open_toyfaces(train=320, valid=8, test=80, size=32)

    def features(split: FaceSplit) -> np.ndarray:
        rows = []
        for i in range(len(split)):
            grey = cv2.cvtColor(split.read(i), cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA).astype(np.float64)
            rows.append((small - cv2.GaussianBlur(small, (0, 0), 1.6)).ravel())  # without light
        return np.array(rows)

    train, test = faces.splits["train"], faces.splits["test"]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(features(train), train.labels)
    accuracy = model.score(features(test), test.labels)
    assert 0.3 < accuracy < 0.95, accuracy


def test_numbers_out_of_range_are_refused():
    for options, values in (
        ("train", (7, 80.0, "many", True)),
        ("valid", (0,)),
        ("test", (100_001,)),
        ("size", (31, 513)),
    ):
        span = "32 to 512" if options == "size" else "8 to 100000"
        for value in values:
            message = f"{options} must be a whole number from {span}, not {value!r}"
            with pytest.raises(RequestError, match=message):
                open_toyfaces(**{options: value})
