"""Draw the image of docs/real_model.md from its finished run.

python docs/make_real_model.py real docs/images/real_model.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes

from ferc_core import open_run
from ferc_core.experiment.calibration import softmax

COLOURS = {"mini-xception": "#2b6ca3", "face-api": "#c1453b"}
STYLES = {"none": "-", "temperature": "--"}
BINS = 15


def reliability(axis: Axes, run_path: Path) -> None:
    """Draw accuracy over confidence on clean faces, before and after temperature scaling."""
    run = open_run(run_path)
    labels = run.labels().filter(corruption="clean")["label"].to_numpy()
    fitted = run.fitted().filter(calibrator="temperature", parameter="temperature")
    for method, temperature in fitted.select("method", "value").iter_rows():
        for calibrator, t in (("none", 1.0), ("temperature", temperature)):
            probs = softmax(run.logits(method) / t)
            confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
            bins = np.ceil(confidence * BINS)
            shown = [b for b in np.unique(bins) if np.sum(bins == b) >= 20]
            x = [confidence[bins == b].mean() for b in shown]
            y = [right[bins == b].mean() for b in shown]
            name = method if calibrator == "none" else f"{method}, T = {t:.2f}"
            axis.plot(x, y, STYLES[calibrator], color=COLOURS[method], marker=".", label=name)
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.set(xlabel="confidence", ylabel="accuracy", title="clean faces")
    axis.legend(fontsize=7, frameon=False)


def over_severity(axis: Axes, scores: pl.DataFrame, metric: str, title: str) -> None:
    """Draw a metric over severity, the mean over all corruptions."""
    means = (
        scores.filter(metric=metric)
        .group_by("method", "calibrator", "severity")
        .agg(percent=pl.col("value").mean() * 100)
    )
    for method, colour in COLOURS.items():
        for calibrator, style in STYLES.items():
            line = means.filter(method=method, calibrator=calibrator).sort("severity")
            axis.plot(line["severity"], line["percent"], style, color=colour, marker=".")
    axis.set(xlabel="severity (0: clean)", title=title, ylim=(0, None))


def main(run: Path, out: Path) -> None:
    """Draw the three panels."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    scores = open_run(run).scores
    reliability(axes[0], run)
    over_severity(axes[1], scores, "accuracy", "accuracy (%)")
    over_severity(axes[2], scores, "soft_ece", "soft ECE (%), lower is better")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
