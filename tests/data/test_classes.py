"""Names of classes: aliases, some of a dataset's classes, merges, and the outputs of a model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ferc_core.data.classes import ALIASES, canonical, names_in, outputs_of, with_classes
from ferc_core.errors import RequestError
from ferc_core.faces import FaceSet, FaceSplit

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")


def faces(classes=CLASSES, distributions: bool = False) -> FaceSet:
    """Sixteen faces in two splits, each class twice in both."""
    k = len(classes)
    labels = np.arange(2 * k) % k
    votes = np.random.default_rng(0).dirichlet(np.ones(k), 2 * k) if distributions else None

    def split(name: str) -> FaceSplit:
        ids = tuple(f"{name}{i}" for i in range(2 * k))
        return FaceSplit(ids, labels, lambda _: np.zeros((32, 32, 3), np.uint8), None, votes)

    return FaceSet("ours", tuple(classes), {"train": split("a"), "test": split("b")})


def test_no_alias_stands_for_two_classes():
    every = [canonical(name) for names in ALIASES.values() for name in names]
    assert set(every) == set(ALIASES)
    assert len({a for names in ALIASES.values() for a in names}) == len(every)


@pytest.mark.parametrize("asked", [["fear", "happy", "Sadness"], ["SAD", "fearful", "joy"]])
def test_some_classes_by_any_of_their_names(asked):
    found = with_classes(faces(distributions=True), asked)
    assert found.classes == ("happy", "sad", "fear")
    test, all_of_it = found.splits["test"], faces(distributions=True).splits["test"]
    assert test.ids == ("b1", "b2", "b4", "b9", "b10", "b12")
    assert test.labels.tolist() == [0, 1, 2, 0, 1, 2]
    kept = all_of_it.distributions[[1, 2, 4, 9, 10, 12]][:, [1, 2, 4]]
    assert np.allclose(test.distributions, kept / kept.sum(axis=1, keepdims=True))
    assert "10 faces of 'test' left out: they are of other classes" in found.notes


def test_merges_alone_keep_the_other_classes():
    found = with_classes(faces(distributions=True), ["anger=angry+contempt"])
    assert found.classes == CLASSES[:7]
    assert found.merged == {"anger": ("anger", "contempt")}
    test, all_of_it = found.splits["test"], faces(distributions=True).splits["test"]
    assert test.ids == all_of_it.ids
    assert test.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 6] * 2
    assert np.allclose(test.distributions[:, 6], all_of_it.distributions[:, 6:].sum(axis=1))


def test_a_face_without_a_vote_left_takes_its_label():
    votes = np.eye(8)[np.zeros(16, int)]  # all say neutral
    known = faces(distributions=True)
    split = known.splits["test"]
    split = FaceSplit(split.ids, split.labels, split.read, None, votes)
    found = with_classes(FaceSet("ours", CLASSES, {"test": split}), ["sad", "fear"])
    assert found.splits["test"].distributions.tolist() == [[1, 0], [0, 1]] * 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["hapy", "sad"], r"unknown class of ours 'hapy': did you mean 'happy'\?"),
        (["happy"], "leaves the class 'happy' alone"),
        (["happy", "happiness"], "the class 'happy' is asked for twice"),
        (["sad", "x=sad+fear"], "the class 'sad' is asked for twice"),
        (["x=sad+fear", "x=happy+anger"], "the merged class 'x' is asked for twice"),
        (["anger=contempt+fear"], r"loses the class 'anger' by its name; write anger=anger\+cont"),
        (["x=fear"], r"cannot read the merge x=fear: write NEW=CLASS\+CLASS"),
        (["=fear+sad"], "cannot read the merge"),
        (["all=" + "+".join(CLASSES)], "leaves the class 'all' alone"),
    ],
)
def test_classes_that_cannot_be_are_refused(asked, message):
    with pytest.raises(RequestError, match=message):
        with_classes(faces(), asked)


LOGITS = np.random.default_rng(1).normal(0, 2, (50, 8))


def test_outputs_in_another_order_are_matched_by_name():
    order = [6, 5, 4, 1, 2, 3, 0, 7]
    names = ["Angry", "disgusted", "fear", "happiness", "sad", "surprised", "neutral", "contempt"]
    outputs = outputs_of(names, CLASSES, {}, "the model")
    assert np.array_equal(outputs.logits(LOGITS[:, order]), LOGITS)
    assert not outputs.lost(LOGITS).any()
    assert not outputs.unchanged
    assert outputs_of(CLASSES, CLASSES, {}, "the model").unchanged


def test_outputs_that_the_dataset_lacks_are_left_out_and_the_rest_renormalised():
    outputs = outputs_of([*CLASSES[:7], "boredom"], CLASSES[:7], {}, "the model")
    probs = softmax(LOGITS, axis=1)
    kept = probs[:, :7] / probs[:, :7].sum(axis=1, keepdims=True)
    assert outputs.left_out == ("boredom",)
    assert np.allclose(softmax(outputs.logits(LOGITS), axis=1), kept)
    assert np.allclose(outputs.lost(LOGITS), probs[:, 7])


def test_outputs_of_the_members_of_a_merged_class_are_summed():
    merged = {"anger": ("anger", "contempt")}
    outputs = outputs_of(CLASSES, CLASSES[:7], merged, "the model")
    probs = softmax(LOGITS, axis=1)
    summed = np.column_stack([probs[:, :6], probs[:, 6:].sum(axis=1)])
    assert np.allclose(softmax(outputs.logits(LOGITS), axis=1), summed)
    assert not outputs.left_out


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (CLASSES[:7], "no output for contempt; judge it on the others with --classes neutral "),
        (
            (*CLASSES[:7], "contemp"),
            "class of the model 'contemp': did you mean 'contempt'",
        ),
        ((*CLASSES, "angry"), "two outputs for one class: 'anger' and 'angry'"),
        (("a", "b"), "unknown class of the model 'a': known are"),
    ],
)
def test_outputs_that_do_not_answer_for_the_classes_are_refused(names, message):
    with pytest.raises(RequestError, match=message):
        outputs_of(names, CLASSES, {}, "the model")


def test_names_in_a_text_are_divided_by_commas_or_blanks():
    assert names_in("anger  disgust") == ("anger", "disgust")
    assert names_in(" happily surprised, sadly angry") == ("happily surprised", "sadly angry")
    assert names_in(["a b", "c"]) == ("a b", "c")
