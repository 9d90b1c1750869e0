"""The embedded dataset: drawn, labelled, the same everywhere, and learnable."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import ferc_core
from ferc_core.datasets.toyfaces.drawing.expressions import FULL_VA, Emotion, express
from ferc_core.datasets.toyfaces.drawing.face import draw_face
from ferc_core.datasets.toyfaces.drawing.subjects import random_subject
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


def test_the_registry_opens_it_without_a_root():
    faces = ferc_core.registry().datasets["toyfaces"].open(train=8, valid=8, test=8)
    assert faces.classes == CLASSES
    assert {name: len(split) for name, split in faces.splits.items()} == dict(
        train=8, valid=8, test=8
    )


@pytest.mark.parametrize("size", [32, 48, 97, 224])
def test_images_are_rgb_bytes_of_the_size_asked_for(size):
    image = open_toyfaces(train=8, valid=8, test=8, size=size).splits["valid"][3].image
    assert image.dtype == np.uint8
    assert image.shape == (size, size, 3)
    assert image.std() > 20  # an image, not a plain field


def test_every_image_is_another_one(faces):
    split = faces.splits["test"]
    assert len(set(digests(split, list(range(40))).values())) == 40


def test_order_threads_and_processes_change_no_byte(faces):
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


def test_a_face_stays_the_same_when_more_are_asked_for(faces):
    few = open_toyfaces(train=24, valid=8, test=8).splits["train"]
    many = faces.splits["train"][:24]
    assert few.ids == many.ids
    assert few.identities == many.identities
    assert np.array_equal(few.valence_arousal, many.valence_arousal)
    assert np.array_equal(few.read(23), many.read(23))


def test_drawing_leaves_global_state_alone(faces):
    threads, state = cv2.getNumThreads(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    faces.splits["train"].read(0)
    assert cv2.getNumThreads() == threads
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002


def test_readers_travel_to_other_processes(faces):
    read = pickle.loads(pickle.dumps(faces.splits["train"].read))
    assert np.array_equal(read(3), faces.splits["train"].read(3))


def test_ids_are_fit_for_file_names(faces):
    for name, split in faces.splits.items():
        assert all(re.fullmatch(rf"{name}-\d{{5}}", sample) for sample in split.ids)


@given(count=st.integers(8, 60))
@settings(max_examples=10, deadline=None)
def test_classes_are_balanced(count):
    split = open_toyfaces(train=count, valid=8, test=8).splits["train"]
    sizes = np.bincount(split.labels, minlength=8)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1


def test_no_person_is_in_two_splits_and_all_show_every_expression(faces):
    persons = {name: set(split.identities) for name, split in faces.splits.items()}
    assert len(persons["train"]) >= 40
    assert not persons["train"] & persons["valid"]
    assert not persons["train"] & persons["test"]
    assert not persons["valid"] & persons["test"]
    train = faces.splits["train"]
    shown = set(zip(train.identities, train.labels.tolist(), strict=True))
    assert len(shown) == 8 * len(persons["train"])


def test_a_person_keeps_the_skin_from_image_to_image(faces):
    """Images of one person are closer in colour than images of different persons."""
    split = faces.splits["train"]
    cheeks = np.array([split.read(i)[45:65, 38:58].mean(axis=(0, 1)) for i in range(96)])
    persons = cheeks.reshape(12, 8, 3)  # eight images of each of the first twelve
    within = persons.std(axis=1).mean()
    between = persons.mean(axis=1).std(axis=0).mean()
    assert between > 1.5 * within


def test_valence_and_arousal_lie_where_the_expression_does(faces):
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
    """The nearest class mean is right often, and wrong for weak expressions (paper, eq. 6)."""
    split = faces.splits["train"]
    va, labels = split.valence_arousal, split.labels
    means = np.array([va[labels == k].mean(axis=0) for k in range(8)])
    right = np.linalg.norm(va[:, None] - means, axis=2).argmin(axis=1) == labels
    strong = np.linalg.norm(va, axis=1) > 0.5
    assert 0.5 < right.mean() < 0.95
    assert right[strong & (labels > 0)].mean() > right[~strong & (labels > 0)].mean() + 0.2


@pytest.mark.parametrize("label", range(1, 8), ids=CLASSES[1:])
def test_the_stronger_the_feeling_the_farther_the_image_from_neutral(label):
    """One person in one view: only the expression differs."""
    person = random_subject(np.random.default_rng(3))
    view = random_view(np.random.default_rng(4))

    def picture(intensity: float) -> np.ndarray:
        valence, arousal = intensity * np.array(FULL_VA[CLASSES[label]])
        emotion = Emotion(label, intensity, valence, arousal)
        return draw_face(person, express(emotion, np.random.default_rng(5)), view, 64).astype(float)

    distance = [np.abs(picture(i) - picture(0.0)).mean() for i in (0.25, 0.5, 1.0)]
    assert 0 < distance[0] < distance[1] < distance[2]


def test_an_image_shows_its_own_valence_not_only_its_class():
    """The corners of the mouth follow the valence of a neutral face."""

    def smile(valence: float) -> float:
        emotion = Emotion(0, 0.5, valence, 0.0)
        shown = express(emotion, np.random.default_rng(6)).mean
        return shown[12] - shown[15]  # lip corners up, lip corners down

    assert smile(-0.2) < smile(0.0) < smile(0.2)


def test_contempt_is_the_only_expression_of_one_side():
    for label, name in enumerate(CLASSES):
        emotion = Emotion(label, 1.0, *FULL_VA[name])
        shown = express(emotion, np.random.default_rng(7))
        assert (shown.left[12] != shown.right[12]) == (name == "contempt")


def test_a_linear_classifier_learns_the_expressions():
    """Far above chance (12.5 %) on persons it has never seen, from few and tiny images."""
    faces = open_toyfaces(train=480, valid=8, test=160, size=48)

    def features(split: FaceSplit) -> np.ndarray:
        rows = []
        for i in range(len(split)):
            grey = cv2.cvtColor(split.read(i), cv2.COLOR_RGB2GRAY)
            small = cv2.resize(grey, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float64)
            rows.append((small - cv2.GaussianBlur(small, (0, 0), 2.4)).ravel())  # without light
        return np.array(rows)

    train, test = faces.splits["train"], faces.splits["test"]
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(features(train), train.labels)
    accuracy = model.score(features(test), test.labels)
    assert 0.3 < accuracy < 0.95


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"train": 7}, "train must be a whole number from 8 to 100000, not 7"),
        ({"valid": 0}, "valid must be a whole number from 8 to 100000, not 0"),
        ({"test": 100_001}, "test must be a whole number from 8 to 100000, not 100001"),
        ({"train": 80.0}, "train must be a whole number from 8 to 100000, not 80.0"),
        ({"train": "many"}, "train must be a whole number from 8 to 100000, not 'many'"),
        ({"train": True}, "train must be a whole number from 8 to 100000, not True"),
        ({"size": 31}, "size must be a whole number from 32 to 512, not 31"),
        ({"size": 513}, "size must be a whole number from 32 to 512, not 513"),
    ],
)
def test_numbers_out_of_range_are_refused(options, sentence):
    with pytest.raises(RequestError, match=sentence):
        open_toyfaces(**options)


def test_a_root_is_refused(tmp_path):
    with pytest.raises(RequestError, match="leave out the data root"):
        open_toyfaces(tmp_path)
