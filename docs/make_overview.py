"""Draw the image of the README from a finished run: faces, corruptions, and scores.

ferc run --out overview-run
python docs/make_overview.py overview-run docs/images/overview.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from ferc_core import open_dataset, registry
from ferc_core.base.seeds import generator

COLOURS = {"ce": "#c1453b", "maxent+mbls": "#2b6ca3"}
STYLES = {"none": "-", "temperature": "--"}
PANELS = (
    ("macro_f1", "macro F1 (higher is better)"),
    ("soft_ece", "soft ECE (lower is better)"),
    ("soft_nll", "soft NLL (lower is better)"),
)


def corrupted_faces() -> dict[str, np.ndarray]:
    """Return one toy face, clean and in all 17 corruptions at severity 5, by name."""
    faces = open_dataset("toyfaces", size=128).splits["test"]
    row = int(np.flatnonzero(faces.labels == 1)[2])
    clean = faces.read(row)
    tiles = {"clean": clean}
    for name, corruption in registry().corruptions.items():
        if corruption.in_benchmark:
            tiles[name] = corruption(clean, 5, generator("toyfaces", faces.ids[row], name, 5))
    return tiles


def draw(results: pl.DataFrame, out: Path) -> None:
    """Draw scores over severity, means over the corruptions, for every loss and calibrator."""
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    tiles = corrupted_faces()
    for axis, (name, tile) in zip(top.subplots(2, 9).flat, tiles.items(), strict=True):
        axis.imshow(tile)
        axis.set_axis_off()
        axis.set_title(name.replace("_", " "), fontsize=8, pad=2)
    for axis, (metric, title) in zip(bottom.subplots(1, len(PANELS)), PANELS, strict=True):
        means = (
            results.filter(metric=metric)
            .group_by("loss", "calibrator", "severity")
            .agg(pl.col("value").mean())
            .sort("loss", "calibrator", "severity")
        )
        for (loss, calibrator), line in means.group_by("loss", "calibrator", maintain_order=True):
            axis.plot(
                line["severity"],
                line["value"],
                STYLES.get(calibrator, ":"),
                color=COLOURS.get(loss),
                marker="o",
                markersize=3,
                label=loss if calibrator == "none" else f"{loss}, {calibrator}",
            )
        axis.set_title(title, fontsize=10)
        axis.set_xticks(range(6), ["clean", *"12345"])
        axis.set_xlabel("severity")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    bottom.axes[-1].legend(fontsize=8, frameon=False)
    figure.savefig(out, dpi=100)


if __name__ == "__main__":
    draw(pl.read_parquet(Path(sys.argv[1]) / "results.parquet"), Path(sys.argv[2]))
