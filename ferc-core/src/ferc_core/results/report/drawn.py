"""The charts of the page: how each is read, and what there is to choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from ferc_core.errors import DataError, FercError, RequestError
from ferc_core.plugins.host import registry
from ferc_core.results.charts.data import trials_in
from ferc_core.suite.cells import CLEAN

if TYPE_CHECKING:
    from ferc_core.results.run import Run

RESAMPLES = 100
FEW = 4  # trials that stand side by side; of more, one is shown at a time
DIGITS = 6  # of a number in the page

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """How a chart of the page is read, and its variants: what the chooser says, and the options.

    ``by`` names further choosers: "trial", for charts with a panel for each, and "corruption".
    """

    name: str
    text: str
    variants: Mapping[str, Options] = field(default_factory=lambda: {"": {}})
    by: Sequence[str] = ()


@dataclass(frozen=True)
class Chooser:
    """What there is to choose: each value with the options of the chart that it stands for."""

    label: str
    values: Mapping[str, Options]


@dataclass(frozen=True)
class Drawn:
    """A chart of the page; its ``specs`` have the places of the chosen values as keys: "0-2"."""

    name: str
    title: str
    reading: str
    choosers: Sequence[Chooser]
    specs: Mapping[str, dict[str, Any]]

    @property
    def first(self) -> str:
        """The key of the one that is shown unasked."""
        return next(iter(self.specs))


READINGS = (
    Reading(
        "severity",
        "Each line is a trial: the mean over corruptions at a severity, 0 being clean faces. The "
        "band is the 95 % interval of other faces of this kind. Flat is robust.",
        {
            "accuracy": {"metric": "accuracy", "resamples": RESAMPLES},
            "soft ECE": {"metric": "soft_ece", "calibrator": "all", "resamples": RESAMPLES},
        },
        by=("corruption",),
    ),
    Reading(
        "heatmap",
        "A number for every corruption and severity; the clean set stands on top.",
        {
            "accuracy": {"metric": "accuracy"},
            "soft ECE": {"metric": "soft_ece"},
            "soft NLL": {"metric": "soft_nll"},
        },
        by=("trial",),
    ),
    Reading(
        "reliability",
        "Where the bars reach the dashed line, confidence is accuracy. Below it the model is too "
        "sure. Few images in a bin make a gap by chance.",
        {
            "clean": {"cell": "clean"},
            "all corrupted": {"cell": "corrupted"},
            "all corrupted, isotonic": {"cell": "corrupted", "form": "corp"},
        },
        by=("trial",),
    ),
    Reading(
        "confidence",
        "Right answers should lie to the right of wrong ones. Wrong answers at the right edge are "
        "errors that nobody would suspect.",
        by=("trial",),
    ),
    Reading(
        "risk-coverage",
        "If the least confident predictions go to people, this is the error among the rest. A "
        "curve that starts at 0 and rises is what confidence is for.",
    ),
    Reading(
        "confusion",
        "Rows are annotated classes, in percent of their faces. The third panel is what corruption "
        "changes.",
        by=("trial",),
    ),
    Reading(
        "classes",
        "F1 of each class, and how far confidence is above accuracy among the faces that are "
        "predicted to be of it.",
        by=("trial",),
    ),
    Reading(
        "tradeoff",
        "To the right is more accurate, below is better calibrated; a shape is a calibrator.",
    ),
    Reading(
        "nll",
        "The lower, the better: it pays for right classes and for honest confidence.",
    ),
    Reading(
        "visibility",
        "How much of a face is left in each cell, and how far that softens its label.",
    ),
)


def readings() -> list[Reading]:
    """Return the charts of the page, and those of plugins that say how to read them."""
    own = {reading.name for reading in READINGS}
    charts = registry().charts.values()
    others = [Reading(c.name, c.reading) for c in charts if c.reading and c.name not in own]
    return [*READINGS, *others]


def charts_of(run: Run) -> Iterator[Drawn]:
    """Yield the charts that can be drawn of these runs."""
    for reading in readings():
        entry, choosers, specs = registry().charts[reading.name], choosers_of(run, reading), {}
        places = [range(len(chooser.values)) for chooser in choosers]
        chosen = [list(chooser.values.values()) for chooser in choosers]
        for key in product(*places):
            options: dict[str, Any] = {}
            for values, place in zip(chosen, key, strict=True):
                options |= values[place]
            try:
                spec = rounded(entry(run, **options).to_dict(validate=False))
            except (DataError, RequestError):
                continue  # scores alone, or no visibility: the others are shown
            except FercError as error:
                run.failures.add(f"chart {reading.name}", error)
                break
            spec["description"] = f"{entry.title}: {reading.text}"
            specs["-".join(map(str, key))] = spec
        if specs:
            yield Drawn(reading.name, entry.title or reading.name, reading.text, choosers, specs)


def choosers_of(run: Run, reading: Reading) -> list[Chooser]:
    """Return what there is to choose for a chart."""
    found = [Chooser("Show", reading.variants)]
    if "trial" in reading.by:
        trials = trials_in(run)
        values: dict[str, Options] = {name: {"trial": name} for name in trials}
        if 1 < len(trials) <= FEW:
            values = {"all of them": {}, **values}
        found.append(Chooser("Trial", values))
    if "corruption" in reading.by:
        names = dict.fromkeys(cell.corruption for cell in run.cells if cell != CLEAN)
        each: dict[str, Options] = {name: {"corruption": name} for name in names}
        found.append(Chooser("Corruption", {"mean of all": {}, **each}))
    return found


def rounded(value: Any) -> Any:
    """Return a specification with fewer digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value
