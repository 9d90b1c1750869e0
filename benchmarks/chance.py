"""What chance makes of metrics: the tables of docs/uncertainty.md, by simulation.

    python benchmarks/chance.py tests      how often tests of calibration reject, 20 minutes
    python benchmarks/chance.py means      what every metric says on average at N, 15 minutes

Models of K classes whose labels are drawn from their own probabilities, so that their true error is
0, and the same models with logits that are 1.5 times too large.
"""

from __future__ import annotations

import sys

import numpy as np

from ferc_core import registry
from ferc_core.experiment.cases import Context

SIZES, CLASSES, SHARP = (100, 400, 4000), (2, 7), 1.5
TRUTH = 400_000  # samples where a mean is taken for the truth
VOTES = 10
TIMES = 400
ESTIMATES = (
    *("ece", "ada_ece", "kse", "debiased_ece", "ece_sweep", "smooth_ece", "skce"),
    *("brier_calibration", "brier_refinement", "nll_calibration", "nll_refinement"),
    *("aurc", "excess_aurc", "augrc", "accuracy_at_coverage", "mean_confidence"),
    *("conformal_coverage", "conformal_size", "clean_auroc", "visibility_correlation"),
    *("disagreement", "disagreement_correlation"),
)
OF_VOTES = (
    *("kl", "js", "chebyshev", "clark", "canberra", "cosine", "intersection"),
    *("dist_ce", "ent_ce", "rank_cs"),
)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities of the last axis."""
    weights = np.exp(logits)
    return weights / weights.sum(axis=-1, keepdims=True)


def model(n: int, k: int, seed: int, sharp: float) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [N, K] and labels [N]."""
    rng = np.random.default_rng([n, k, seed])
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    return softmax(sharp * logits), labels


def sample(n: int, seed: int, sharp: float) -> tuple[np.ndarray, np.ndarray, Context]:
    """Return probabilities [N, 7] and labels [N], with what metrics in context take.

    The model is one of three whose logits differ; corrupted images are less visible by a factor
    that shrinks the logits. 1,000 samples validate.
    """
    rng = np.random.default_rng([n, seed])
    seen = rng.uniform(0.2, 1, n)
    logits = rng.normal(0, 2, (n, 7)) * seen[:, None]
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    members = softmax(sharp * logits[:, None] + rng.normal(0, 0.5, (n, 3, 7)))
    clean = softmax(sharp * rng.normal(0, 2, (n, 7)))
    distribution = rng.multinomial(VOTES, softmax(logits)) / VOTES
    known = model(1000, 7, seed, sharp)
    return softmax(sharp * logits), labels, Context(clean, seen, distribution, members, known)


def value(name: str, n: int, seed: int, sharp: float) -> float:
    """Return a metric of a sample."""
    metric = registry().metrics[name]
    probs, labels, context = sample(n, seed, sharp)
    if "members" in metric.needs:
        assert context.members is not None
        probs = context.members.mean(axis=1)
    return float(metric(probs, labels, **context.given_to(metric)))


def votes_value(name: str, n: int, seed: int, votes: int) -> float:
    """Return a metric of a perfect model against so many votes on each of n images."""
    rng = np.random.default_rng([n, seed, votes])
    probs = softmax(rng.normal(0, 2, (n, 7)))
    return float(registry().metrics[name](probs, rng.multinomial(votes, probs) / votes))


def shown(name: str, found: float) -> str:
    """Return a mean as text; a squared error has more digits."""
    return f"{found:.5f}" if name == "skce" else f"{found:.3f}"


def means() -> None:
    """Print what every metric says on average."""
    print(f"mean of {TIMES} samples, K = 7: N = 100, 400, 4000, and the truth")
    for name in ESTIMATES:
        row = []
        for sharp in (1.0, SHARP):
            for n in SIZES:
                found = [value(name, n, seed, sharp) for seed in range(TIMES)]
                row.append(shown(name, np.mean(found)))
            # of several validation sets, where there is one
            parts = 20 if registry().metrics[name].needs else 1
            many = [value(name, TRUTH // parts, seed, sharp) for seed in range(parts)]
            row.append(shown(name, np.mean(many)))
        print(f"| `{name}` | {' | '.join(row)} |", flush=True)
    print(f"a perfect model against {VOTES} votes: N = 100, 400, 4000; then 3, 30, 1000 votes")
    for name in OF_VOTES:
        sizes = [[votes_value(name, n, s, VOTES) for s in range(TIMES)] for n in SIZES]
        counts = [votes_value(name, 40_000, 0, votes) for votes in (3, 30, 1000)]
        row = [f"{np.mean(each):.3f}" for each in (*sizes, *counts)]
        print(f"| `{name}` | {' | '.join(row)} |", flush=True)


def tests() -> None:
    """Print how often tests of calibration reject at the level 5 %."""
    for name, times in (("ece_p", (10_000, 500)), ("skce_p", (2_000, 200))):
        print(f"{name} at most 0.05, in percent: calibrated ({times[0]}), too sharp ({times[1]})")
        for k in CLASSES:
            for n in SIZES:
                fewer = 4 if name == "skce_p" and n == SIZES[-1] else 1
                row = []
                for sharp, several in zip((1.0, SHARP), times, strict=True):
                    found = [
                        registry().metrics[name](*model(n, k, seed, sharp), draws=199)
                        for seed in range(several // fewer)
                    ]
                    row.append(f"{100 * np.mean(np.array(found) <= 0.05):.1f}")
                print(f"| `{name}` | {k} | {n} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("tests", "means"):
        {"tests": tests, "means": means}[part]()
