"""Draw the charts of docs/charts.md and docs/results.md.

    python docs/make_charts.py FERPLUS-RUN TOY-RUN

The first is the run of docs/results.md. Faces are of the toy run, for FER+ is not ours to show.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ferc_core import open_run
from ferc_core.drawing.files import save

IMAGES = Path(__file__).parent / "images"
REAL = {
    "severity": "severity(metric=soft_ece, calibrator=all)",
    "heatmap": "heatmap(metric=soft_ece, trial=baseline)",
    "reliability": "reliability(cell=corrupted, form=corp, trial=baseline)",
    "confidence": "confidence(trial=baseline)",
    "confusion": "confusion(trial=baseline ce)",
    "tradeoff": "tradeoff",
    "risk": "risk-coverage",
    "classes": "classes(trial=baseline)",
}
TOY = {"labels": "labels(corruption=brightness)", "visibility": "visibility"}


def main(real: str, toy: str) -> None:
    """Draw all of them."""
    for path, calls in ((real, REAL), (toy, TOY)):
        run = open_run(path)
        for name, call in calls.items():
            save(run.chart(call), IMAGES / f"chart-{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
