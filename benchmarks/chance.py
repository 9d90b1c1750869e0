"""What chance makes of calibration errors: the tables of docs/uncertainty.md, by simulation.

    python benchmarks/chance.py

Models of K classes whose labels are drawn from their own probabilities, so that their true error is
0, and the same models with logits that are 1.5 times too large.
"""

from __future__ import annotations

import numpy as np

from ferc_core import registry

ESTIMATES = ("ece", "ada_ece", "kse", "debiased_ece", "ece_sweep", "smooth_ece")
SIZES, CLASSES, SHARP = (100, 400, 4000), (2, 7), 1.5
TIMES, TESTS = 400, 2000


def model(n: int, k: int, seed: int, sharp: float) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [N, K] and labels [N]."""
    rng = np.random.default_rng([n, k, seed])
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    weights = np.exp(sharp * logits)
    return weights / weights.sum(axis=1, keepdims=True), labels


def main() -> None:
    """Print both tables."""
    metrics = registry().metrics
    print("mean estimate, K = 7: calibrated, and 1.5 times too sharp")
    for name in ESTIMATES:
        row = []
        for sharp in (1.0, SHARP):
            for n in SIZES:
                found = [metrics[name](*model(n, 7, seed, sharp)) for seed in range(TIMES)]
                row.append(f"{np.mean(found):.3f}")
        print(f"| `{name}` | {' | '.join(row)} |", flush=True)
    print("ece_p below 0.05, in percent: calibrated, and 1.5 times too sharp")
    for k in CLASSES:
        for n in SIZES:
            rejected = []
            for sharp, times in ((1.0, TESTS), (SHARP, TESTS // 10)):
                values = [
                    metrics["ece_p"](*model(n, k, seed, sharp), draws=199) for seed in range(times)
                ]
                rejected.append(f"{100 * np.mean(np.array(values) <= 0.05):.1f}")
            print(f"| {k} | {n} | {' | '.join(rejected)} |", flush=True)


if __name__ == "__main__":
    main()
