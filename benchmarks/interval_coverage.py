"""How often 95 % intervals hold the truth: the tables of docs/uncertainty.md, by simulation.

    python benchmarks/interval_coverage.py 400 1000     N = 400, 1,000 times: 15 minutes
    python benchmarks/interval_coverage.py 4000 300
    python benchmarks/interval_coverage.py subjects

The intervals are those of ``ferc intervals``, with B = 200. Models of seven classes: one whose
logits are 1.5 times too large, one with 2 times, a calibrated one, and two that err alike. Soft
labels are the true distributions, softened. The truth is the metric of 400,000 samples.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import cache

import numpy as np
from chance import TRUTH, softmax

from ferc_core import registry
from ferc_core.results.bootstrap import Bootstrap, Predictions, interval, p_value

K, DRAWS, LEVEL = 7, 200, 0.95
METRICS = ("accuracy", "macro_f1", "nll", "ece", "kse", "soft_nll", "soft_ece", "soft_kse")
CHOSEN = tuple(registry().metrics.choose(name) for name in METRICS)
MODELS = ("1.5 times", "2 times", "calibrated", "one", "other")
PAIRS = (("2 times", "1.5 times"), ("1.5 times", "calibrated"), ("one", "other"))


def sample(n: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the probabilities [N, K] of each model, hard labels [N] and soft labels [N, K]."""
    rng = np.random.default_rng([n, seed])
    logits = rng.normal(0, 2, (n, K))
    labels = (logits + rng.gumbel(size=(n, K))).argmax(axis=1)
    noisy = softmax(1.5 * logits + rng.normal(0, 1, (2, n, K)))
    scaled = (softmax(by * logits) for by in (1.5, 2.0, 1.0))
    probs = dict(zip(MODELS, (*scaled, *noisy), strict=True))
    return probs, labels, 0.7 * softmax(logits) + 0.3 / K


@cache
def truth() -> dict[str, np.ndarray]:
    """Return the metrics of each model on many samples."""
    probs, labels, soft = sample(TRUTH, 0)
    found = {
        name: np.array([m(p, soft if m.entry.target == "soft" else labels) for m in CHOSEN])
        for name, p in probs.items()
    }
    middle = (found["one"] + found["other"]) / 2  # the same by construction
    return {**found, "one": middle, "other": middle}


def replicates(n: int, seed: int) -> dict[str, np.ndarray]:
    """Return the metrics [M, 1 + B] of each model on a sample and on draws of it."""
    probs, labels, soft = sample(n, seed)
    drawn = Bootstrap(f"simulation {seed}")
    return {
        name: np.hstack(
            [
                np.array(drawn(Predictions(p, labels, soft, CHOSEN, draws)))
                for draws in (range(1), range(1, 1 + DRAWS))
            ]
        )
        for name, p in probs.items()
    }


def measure(n: int, times: int) -> None:
    """Print how often intervals of scores and differences hold the truth, and p is below 5 %."""
    held: dict[str, list[np.ndarray]] = defaultdict(list)
    for seed in range(1, 1 + times):
        found = replicates(n, seed)
        for name in MODELS[:3]:
            held[name].append(inside(found[name], truth()[name]))
        for one, other in PAIRS:
            difference, expected = found[one] - found[other], truth()[one] - truth()[other]
            held[f"{one} less {other}"].append(inside(difference, expected))
            if one == "one":
                below = [p_value(row[0], row[1:]) < 0.05 for row in difference]
                held["p < 5 % of these"].append(np.array(below))
    print(f"N = {n}, {times} times, in percent: {', '.join(METRICS)}")
    for name, each in held.items():
        print(f"| {n} | {name} | {' | '.join(f'{v:.1f}' for v in 100 * np.mean(each, axis=0))} |")


def inside(scores: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Say of each metric whether the interval of scores [M, 1 + B] holds the truth."""
    ends = [interval(row[0], row[1:], LEVEL) for row in scores]
    return np.array([low <= t <= high for (low, high), t in zip(ends, expected, strict=True)])


def subjects(times: int = 1000) -> None:
    """Print the same of 40 subjects with ten images each; half of the noise is the subject's."""
    held = defaultdict(list)
    metrics = (registry().metrics.choose("accuracy"), registry().metrics.choose("nll"))
    many = of_subjects(TRUTH // 10, 0)
    expected = np.array([metric(*many) for metric in metrics])
    number = np.arange(400) // 10
    for seed in range(1, 1 + times):
        probs, labels = of_subjects(40, seed)
        for name, unit in (("by image", None), ("by subject", number)):
            drawn = Bootstrap(f"simulation {seed}", unit)
            scores = np.hstack(
                [
                    np.array(drawn(Predictions(probs, labels, probs, metrics, draws)))
                    for draws in (range(1), range(1, 1 + DRAWS))
                ]
            )
            held[name].append(inside(scores, expected))
    print("40 subjects of 10 images, in percent: accuracy, NLL")
    for name, each in held.items():
        print(f"| {name} | {' | '.join(f'{v:.1f}' for v in 100 * np.mean(each, axis=0))} |")


def of_subjects(several: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels of ten images of each of some subjects."""
    rng = np.random.default_rng([several, seed])
    labels = rng.integers(K, size=10 * several)
    noise = np.repeat(rng.normal(0, 1, (several, K)), 10, axis=0) + rng.normal(
        0, 1, (10 * several, K)
    )
    return softmax(2.0 * np.eye(K)[labels] + noise), labels


if __name__ == "__main__":
    if sys.argv[1] == "subjects":
        subjects()
    else:
        measure(int(sys.argv[1]), int(sys.argv[2]))
