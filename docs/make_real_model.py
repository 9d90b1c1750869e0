"""Draw the image of docs/real_model.md from its finished run.

python docs/make_real_model.py real docs/images/real_model.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import altair as alt

from ferc_core import open_run
from ferc_core.drawing.theme import themed
from ferc_core.results.charts.reliability import reliability
from ferc_core.results.charts.severity import severity

SCALE = 1.2  # of pixels


def main(path: Path, out: Path) -> None:
    """Draw reliability on clean faces, plain and calibrated, above scores over severity."""
    run = open_run(path)
    above = (
        reliability(run, calibrator=name).properties(title=title)
        for name, title in (("none", "plain softmax"), ("temperature", "temperature scaling"))
    )
    below = (
        severity(run, metric=metric, calibrator="all", resamples=0)
        for metric in ("accuracy", "soft_ece")
    )
    themed(alt.vconcat(alt.hconcat(*above), alt.hconcat(*below))).save(out, scale_factor=SCALE)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
