"""Signs that a model that came from elsewhere was set up wrongly, read off its clean predictions.

A model whose classes stand in another order, that lacks a class, or whose outputs are no logits is
scored like any other, and is silently wrong. These signs are said as warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.data.classes import asking_for

ALARM = 1e-3  # probability of a gain as large by chance, below which an order is called wrong
NEVER = 1e-6  # a probability that a class always stays below

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]


def signs(logits: Array, labels: Labels, classes: Sequence[str]) -> Iterator[str]:
    """Yield sentences about logits [N, K] of clean faces with these labels [N]."""
    if logits.min() >= 0 and logits.max() <= 1:
        yield (
            "its outputs all lie between 0 and 1, as those of a sigmoid or a softmax do, and are "
            "taken as logits; use output=probs if they sum to 1, or else the values before the "
            "sigmoid"
        )
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    yield from signs_of_probs(shifted / shifted.sum(axis=1, keepdims=True), labels, classes)


def signs_of_probs(probs: Array, labels: Labels, classes: Sequence[str]) -> Iterator[str]:
    """Yield sentences about probabilities [N, K] of clean faces with these labels [N]."""
    never = [name for k, name in enumerate(classes) if probs[:, k].max() < NEVER]
    if never:
        others = [name for name in classes if name not in never]
        yield (
            f"its probability of {', '.join(never)} is never above {NEVER:g}, as if the model "
            "lacked the class, which ruins NLL and calibration; judge it on the others with "
            f"{asking_for(others)}"
        )
    if text := wrong_order(probs.argmax(axis=1), labels, classes):
        yield text


def wrong_order(predicted: Labels, labels: Labels, classes: Sequence[str]) -> str:
    """Say in what order the outputs [K] fit better by more than chance; "" for none.

    The best assignment of outputs to classes is that with the most faces right. It counts as
    better where the assignment of either half of the faces [N] is right on the other half on more
    faces that the given order has wrong than the reverse (sign test, one-sided).

    >>> labels = np.arange(80) % 4
    >>> wrong_order(np.array([0, 2, 1, 3])[labels], labels, ["a", "b", "c", "d"])[:80]
    'with its outputs in another order it would be right on 100.0 % of the clean face'
    >>> wrong_order(labels, labels, ["a", "b", "c", "d"])
    ''
    """
    from scipy.special import bdtrc  # the upper tail; scipy.stats takes most of a second

    k = len(classes)
    first = np.arange(len(labels)) % 2 == 0
    gained, lost = 0, 0
    for half in (first, ~first):
        order = best_order(predicted[half], labels[half], k)
        now, then = predicted[~half] == labels[~half], order[predicted[~half]] == labels[~half]
        gained += int((then & ~now).sum())
        lost += int((now & ~then).sum())
    if not gained or bdtrc(gained - 1, gained + lost, 0.5) >= ALARM:
        return ""
    order = best_order(predicted, labels, k)
    right, possible = np.mean(predicted == labels), np.mean(order[predicted] == labels)
    moved = [i for i in range(k) if order[i] != i]
    if len(moved) == 2:
        what = f"{' and '.join(classes[i] for i in moved)} seem to be swapped"
    else:
        what = ", ".join(f"{classes[i]} seems to be {classes[order[i]]}" for i in moved)
    return (
        f"with its outputs in another order it would be right on {100 * possible:.1f} % of the "
        f"clean faces instead of {100 * right:.1f} %: {what}; name its outputs with classes="
    )


def best_order(predicted: Labels, labels: Labels, k: int) -> Labels:
    """Return the class [K] of each output with the most faces right; outputs stay where they are
    unless moving them is better.
    """
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((k, k))
    np.add.at(counts, (predicted, labels), 1)
    order: Labels = linear_sum_assignment(counts + np.eye(k) / (2 * k), maximize=True)[1]
    return order
