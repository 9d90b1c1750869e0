"""The page of ``ferc report``: its sections, its charts, and the one file that it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferc_core.base.files import write_text
from ferc_core.base.progress import track
from ferc_core.drawing.files import LIBRARY, in_script
from ferc_core.drawing.theme import CONFIG
from ferc_core.errors import DataError, FercError, RequestError
from ferc_core.plugins.host import registry
from ferc_core.results.formats import people
from ferc_core.results.report.judged import judged
from ferc_core.results.report.verdict import METRICS, verdict

if TYPE_CHECKING:
    from ferc_core.results.run import Run

RESAMPLES = 100
FEW = 8  # trials of which every chart is drawn; of more, those with a panel a trial show the first


@dataclass(frozen=True)
class Drawn:
    """A chart of the page: what it is, how to read it, and what there is to choose."""

    name: str
    title: str
    reading: str
    choices: dict[str, dict[str, Any]] = field(default_factory=dict)


# name, how to read it, and its variants: what the chooser says, and the options
CHARTS: tuple[tuple[str, str, dict[str, dict[str, Any]]], ...] = (
    (
        "severity",
        "Each line is a trial: the mean over all corruptions at a severity, 0 being clean faces. "
        "The band is the 95 % interval of other faces of this kind. Flat is robust.",
        {
            "accuracy": {"metric": "accuracy", "resamples": RESAMPLES},
            "soft ECE": {"metric": "soft_ece", "calibrator": "all", "resamples": RESAMPLES},
        },
    ),
    (
        "heatmap",
        "A number for every corruption and severity; the clean set stands on top.",
        {
            "accuracy": {"metric": "accuracy"},
            "soft ECE": {"metric": "soft_ece"},
            "soft NLL": {"metric": "soft_nll"},
        },
    ),
    (
        "reliability",
        "Where the bars reach the dashed line, confidence is accuracy. Below it the model is too "
        "sure. Few images in a bin make a gap by chance.",
        {
            "clean": {"cell": "clean"},
            "all corrupted": {"cell": "corrupted"},
            "all corrupted, isotonic": {"cell": "corrupted", "form": "corp"},
        },
    ),
    (
        "confidence",
        "Right answers should lie to the right of wrong ones. Wrong answers at the right edge are "
        "errors that nobody would suspect.",
        {"": {}},
    ),
    (
        "risk-coverage",
        "If the least confident predictions go to people, this is the error among the rest. A "
        "curve that starts at 0 and rises is what confidence is for.",
        {"": {}},
    ),
    (
        "confusion",
        "Rows are annotated classes, in percent of their faces. The third panel is what corruption "
        "changes.",
        {"": {}},
    ),
    (
        "classes",
        "F1 of each class, and how far confidence is above accuracy among the faces that are "
        "predicted to be of it.",
        {"": {}},
    ),
    (
        "tradeoff",
        "To the right is more accurate, below is better calibrated; a shape is a calibrator.",
        {"": {}},
    ),
    (
        "nll",
        "The lower, the better: it pays for right classes and for honest confidence.",
        {"": {}},
    ),
    (
        "visibility",
        "How much of a face is left in each cell, and how far that softens its label.",
        {"": {}},
    ),
)


def write_report(run: Run, path: Path) -> None:
    """Write the page of some runs; raises `FercError` where nothing of them can be read."""
    write_text(path, page(run))


def page(run: Run) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader
    from vl_convert import javascript_bundle

    environment = Environment(
        loader=PackageLoader("ferc_core.results.report", "."), autoescape=True, trim_blocks=True
    )
    with track("report", len(CHARTS) + len(of_plugins()) + 2) as step:
        run.drawn(METRICS, RESAMPLES)
        step(1, "intervals")
        sentences = attempted(run)
        step(1, "verdict")
        drawn = []
        for each in charts_of(run):
            drawn.append(each)
            step(1, each.name)
    headings, rows = people(run.summary().frame)
    specs = {f"{d.name}-{i}": spec for d in drawn for i, spec in enumerate(d.choices.values())}
    return environment.get_template("page.html").render(
        title=", ".join(source.path.name for source in run.sources),
        judged=judged(run),
        verdict=sentences,
        warnings=run.warnings,
        headings=headings,
        rows=rows,
        charts=drawn,
        glossary=glossary(headings),
        library=javascript_bundle(LIBRARY),
        specs=in_script(specs),
        config=in_script(CONFIG),
        style=text_of("page.css"),
        script=text_of("page.js"),
    )


def text_of(name: str) -> str:
    """Return a file that stands beside this module."""
    return (files("ferc_core.results.report") / name).read_text(encoding="utf-8")


def attempted(run: Run) -> list[str]:
    """Return the verdict, or why there is none."""
    try:
        return verdict(run, RESAMPLES)
    except FercError as error:
        return [f"There is no verdict: {error}."]


def charts_of(run: Run) -> Iterator[Drawn]:
    """Yield the charts that can be drawn of these runs."""
    many = many_trials(run)
    for name, reading, variants in (*CHARTS, *of_plugins()):
        entry, choices = registry().charts[name], {}
        for label, options in variants.items():
            given = dict(options)
            if many and name in ("reliability", "confidence", "confusion", "classes"):
                given["trial"] = many
            try:
                spec = entry(run, **given).to_dict()
            except (DataError, RequestError):
                continue  # scores alone, or no visibility: the others are shown
            except FercError as error:
                run.failures.add(f"chart {name}", error)
                continue
            spec["description"] = f"{entry.title}: {reading}"
            choices[label] = spec
        if choices:
            yield Drawn(name, entry.title or name, reading, choices)


def of_plugins() -> list[tuple[str, str, dict[str, dict[str, Any]]]]:
    """Return the charts of plugins that say how to read them, as they are drawn unasked."""
    own = {name for name, *_ in CHARTS}
    charts = registry().charts.values()
    return [(c.name, c.reading, {"": {}}) for c in charts if c.reading and c.name not in own]


def many_trials(run: Run) -> str:
    """Return the first trial where there are more than can be drawn side by side."""
    from ferc_core.results.charts.data import trials_in

    trials = trials_in(run)
    return trials[0] if len(trials) > FEW else ""


def glossary(headings: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the columns of the table mean."""
    found = []
    for metric in registry().metrics.values():
        title = metric.title or metric.name
        if any(heading.endswith(title) for heading in headings):
            better = "higher" if metric.higher_is_better else "lower"
            found.append((title, f"{metric.summary} The {better}, the better."))
    return [
        *found,
        ("clean", "The images as they are, judged against the annotated class."),
        ("FER-C", "The mean over all corrupted cells, calibration against soft labels."),
        ("temperature", "Temperature scaling, fitted on the validation images."),
        ("none", "The model's probabilities as they are."),
    ]
