"""Draw the image of the README from a finished run: faces, corruptions, and scores.

ferc run --out overview-run
python docs/make_overview.py overview-run docs/images/overview.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import altair as alt
import numpy as np

from ferc_core import open_dataset, open_run, registry
from ferc_core.base.seeds import generator
from ferc_core.drawing.theme import themed
from ferc_core.drawing.tiles import tile
from ferc_core.results.charts.severity import severity

METRICS = ("macro_f1", "soft_ece", "soft_nll")
SCALE = 1.2  # of pixels
SIDE, ACROSS = 96, 9  # pixels of a face, faces in a row


def corrupted_faces() -> alt.ConcatChart:
    """Return one toy face, clean and in all 17 corruptions at severity 5."""
    faces = open_dataset("toyfaces", size=128).splits["test"]
    row = int(np.flatnonzero(faces.labels == 1)[2])
    clean = faces.read(row)
    tiles = {"clean": clean}
    for name, corruption in registry().corruptions.items():
        if corruption.in_benchmark:
            tiles[name] = corruption(clean, 5, generator("toyfaces", faces.ids[row], name, 5))
    titles = {name: alt.TitleParams(name.replace("_", " "), fontSize=11) for name in tiles}
    shown = (tile(image, SIDE).properties(title=titles[name]) for name, image in tiles.items())
    return alt.concat(*shown, columns=ACROSS, spacing=8)


def main(path: Path, out: Path) -> None:
    """Draw the faces above scores over severity, means over the corruptions."""
    run = open_run(path)
    panels = (severity(run, metric=name, calibrator="all", resamples=0) for name in METRICS)
    themed(alt.vconcat(corrupted_faces(), alt.hconcat(*panels), spacing=24)).save(
        out, scale_factor=SCALE
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
