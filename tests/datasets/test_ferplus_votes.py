"""FER+: votes turned into labels and distributions as its authors do it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.ferplus_tables import pixels, vote, write
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.datasets.ferplus.loader import MODES, open_ferplus, vote_targets
from ferc_core.datasets.ferplus.rows import CLASSES

SADNESS, ANGER = 3, 4
CASES = {  # votes -> mode -> probabilities, or why the row is dropped
    "a single vote is ignored": (
        vote(happiness=8, fear=1, sadness=1),
        {
            "distribution": {"happiness": 1},
            "majority": {"happiness": 1},
            "crossentropy": {"happiness": 1},
        },
    ),
    "two emotions": (
        vote(neutral=6, sadness=4),
        {
            "distribution": {"neutral": 0.6, "sadness": 0.4},
            "majority": {"neutral": 1},
            "crossentropy": {"neutral": 0.6, "sadness": 0.4},  # 6 is below 75 % of 10
        },
    ),
    "the first holds 75 %": (
        vote(neutral=6, sadness=2, fear=1, anger=1),
        {
            "distribution": {"neutral": 0.75, "sadness": 0.25},
            "majority": {"neutral": 1},
            "crossentropy": {"neutral": 1},  # 6 of 8 heard
        },
    ),
    "half is not a majority": (
        vote(neutral=5, sadness=3, fear=2),
        {
            "distribution": {"neutral": 0.5, "sadness": 0.3, "fear": 0.2},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": {"neutral": 5 / 8, "sadness": 3 / 8},
        },
    ),
    "five ways": (
        vote(neutral=2, sadness=2, fear=2, anger=2, disgust=2),
        {
            "distribution": dict.fromkeys(("neutral", "sadness", "fear", "anger", "disgust"), 0.2),
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",
        },
    ),
    "unknown is in between": (
        vote(neutral=4, unknown=3, sadness=3),
        {
            "distribution": {"neutral": 4 / 7, "sadness": 3 / 7},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": {"neutral": 4 / 7, "sadness": 3 / 7},  # the level of 3 counts whole
        },
    ),
    "unknown ends the list": (
        vote(neutral=4, unknown=4, sadness=2),
        {
            "distribution": {"neutral": 2 / 3, "sadness": 1 / 3},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",  # 4 of 10
        },
    ),
    "unknown wins": (vote(unknown=6, anger=4), dict.fromkeys(MODES, "'unknown' wins")),
    "no face wins": (vote(NF=6, anger=4), dict.fromkeys(MODES, "'no face' wins")),
    "ten single votes": (
        [1] * 10,
        {
            "distribution": "no answer has more than one vote",
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_votes_become_label_distributions(case):
    votes, by_mode = CASES[case]
    for mode, expected in by_mode.items():
        targets, why = vote_targets(np.array([votes]), mode)
        if isinstance(expected, str):
            assert why.tolist() == [expected]
        else:
            assert why.tolist() == [""]
            found = dict(zip(CLASSES, targets[0].tolist(), strict=True))
            assert {name: p for name, p in found.items() if p} == pytest.approx(expected)


@given(st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=1))
def test_distributions_sum_to_one_and_follow_the_votes(rows):
    votes = np.array(rows)
    for mode in MODES:
        targets, why = vote_targets(votes, mode)
        np.testing.assert_allclose(targets.sum(axis=1), 1)
        kept = why == ""
        assert not ((targets > 0) & (votes[:, :8] < 2))[kept].any()
        winners = votes[kept].max(axis=1)
        assert (votes[kept, targets[kept].argmax(axis=1)] == winners).all()


def test_the_mode_makes_labels_and_distributions(tmp_path):
    votes = [vote(neutral=3, sadness=5, fear=2), vote(anger=9, NF=1)]
    root = write(tmp_path, [("Training", pixels(i), row) for i, row in enumerate(votes)])
    for mode in MODES:
        train = open_ferplus(root, mode=mode).splits["train"]
        targets, why = vote_targets(np.array(votes), mode)
        np.testing.assert_array_equal(train.distributions, targets[why == ""])
        assert train.labels.tolist() == ([ANGER] if mode == "majority" else [SADNESS, ANGER])
