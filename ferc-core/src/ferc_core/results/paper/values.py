"""What the paper prints: the 696 numbers of its tables, their layout, and how they were read.

The numbers are in ``data/paper.csv``, the notes on how they were read in ``data/notes.md``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

CLEAN, CORRUPTED = "", "_c"  # what the paper's csv adds to the name of a dataset
OVERALL = "overall"  # the row of column averages of tables 3 and 4
BENCHMARK_CELLS = 17 * 5  # corruptions and severities of FER-C (paper 4.1.1)

# In the order of the paper's rows and panels.
METHODS = ("baseline", "scn", "dmue", "rul", "swinv2_t")
DATASETS: Mapping[str, str] = {"affectnet": "AffectNet", "affwild": "AffWild", "rafdb": "RAF-DB"}


@dataclass(frozen=True)
class Score:
    """A score of the paper, and our metrics for it."""

    title: str
    clean: str
    corrupted: str
    percent: bool = True

    def metric(self, part: str) -> str:
        """Return our metric on the clean or the corrupted part."""
        return self.clean if part == CLEAN else self.corrupted


SCORES: Mapping[str, Score] = {
    "f1": Score("F1", "macro_f1", "macro_f1"),
    "acc": Score("Acc", "accuracy", "accuracy"),
    "ece": Score("ECE", "ece", "soft_ece"),
    "cece": Score("CECE", "classwise_ece", "soft_classwise_ece"),
    "nll": Score("NLL", "nll", "soft_nll", percent=False),
    "adaece": Score("AdaECE", "ada_ece", "soft_ada_ece"),
    "kse": Score("KSE", "kse", "soft_kse"),
}


@dataclass(frozen=True)
class Stage:
    """What a model of the paper was trained with."""

    title: str
    loss: str


PRE_POST: Mapping[str, Stage] = {
    "pre": Stage("pre", "ce"),
    "post": Stage("post", "maxent+mbls"),
}
ABLATION: Mapping[str, Stage] = {
    "ce": Stage("CE", "ce"),
    "focal": Stage("Focal", "focal"),
    "maxent": Stage("MaxEnt", "maxent"),
    "maxent_mbls": Stage("MaxEnt+MBLS", "maxent+mbls"),
}


@dataclass(frozen=True)
class Layout:
    """A table or figure of the paper: its columns and blocks, in printed order.

    ``printed`` is the number of the table that prints its values (no table prints KSE).
    """

    printed: int
    scores: tuple[str, ...]
    stages: Mapping[str, Stage]
    parts: tuple[str, ...] = (CLEAN, CORRUPTED)
    noise: tuple[int, ...] = (0,)  # percent
    overall: bool = False


NOISE = (10, 20, 30)
TABLES: Mapping[str, Layout] = {
    "table1": Layout(1, ("f1", "ece"), PRE_POST),
    "table2": Layout(2, ("acc", "ece"), PRE_POST, (CORRUPTED,), NOISE),
    "table3": Layout(3, ("ece",), ABLATION, (CORRUPTED,), overall=True),
    "table4": Layout(4, ("cece",), PRE_POST, overall=True),
    "table5": Layout(5, ("nll", "adaece"), PRE_POST),
    "table6": Layout(6, ("acc", "ece"), PRE_POST, (CLEAN,), NOISE),
}
FIGURES: Mapping[str, Layout] = {
    "figure5": Layout(1, ("f1", "kse"), PRE_POST),
    "figure6": Layout(5, ("nll",), PRE_POST),
}
LAYOUTS: Mapping[str, Layout] = {**TABLES, **FIGURES}

# table, dataset with its part, method, noise in percent, score, stage
Key = tuple[int, str, str, int, str, str]


@cache
def printed() -> Mapping[Key, str]:
    """Return the 696 numbers of the paper's tables, digits as printed."""
    with (DATA / "paper.csv").open(encoding="utf-8", newline="") as file:
        return {
            (
                int(row["table"]),
                row["dataset"],
                row["method"],
                int(row["noise"]),
                row["metric"],
                row["stage"],
            ): row["value"]
            for row in csv.DictReader(file)
        }


def notes(name: str) -> list[str]:
    """Return the reading notes of a table or figure: the bullets under headings that name it."""
    found, named = [], False
    for line in (DATA / "notes.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            named = name in line.split()
        elif named and line.startswith("- "):
            found.append(line.removeprefix("- "))
    return found
