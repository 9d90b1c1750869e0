"""The page of ``ferc report``: its sections, its charts, and the one file that it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ferc_core.base.files import write_text
from ferc_core.base.progress import track
from ferc_core.drawing.files import LIBRARY, in_script
from ferc_core.drawing.theme import CONFIG
from ferc_core.errors import FercError
from ferc_core.plugins.host import registry
from ferc_core.results.formats import people
from ferc_core.results.report.drawn import RESAMPLES, charts_of, readings
from ferc_core.results.report.faces import failed
from ferc_core.results.report.judged import judged
from ferc_core.results.report.verdict import METRICS, verdict

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def write_report(run: Run, path: Path, with_images: bool = False) -> None:
    """Write the page of some runs, ``with_images`` of faces that may not be passed on.

    Raises `FercError` where nothing of the runs can be read, or images that are asked for cannot.
    """
    write_text(path, page(run, with_images))


def page(run: Run, with_images: bool = False) -> str:
    """Return the page."""
    from jinja2 import Environment, PackageLoader
    from vl_convert import javascript_bundle

    environment = Environment(
        loader=PackageLoader("ferc_core.results.report", "."), autoescape=True, trim_blocks=True
    )
    with ThreadPoolExecutor(1) as aside, track("report", len(readings()) + 3) as step:
        library = aside.submit(javascript_bundle, LIBRARY)  # two seconds, meanwhile
        run.drawn(METRICS, RESAMPLES)
        step(1, "intervals")
        sentences = attempted(run)
        step(1, "verdict")
        fails = failed(run, with_images)
        step(1, "faces")
        drawn = []
        for each in charts_of(run):
            drawn.append(each)
            step(1, each.name)
    headings, rows = people(run.summary().frame)
    specs = {f"{d.name}-{key}": spec for d in drawn for key, spec in d.specs.items()}
    return environment.get_template("page.html").render(
        title=", ".join(source.path.name for source in run.sources),
        judged=judged(run),
        verdict=sentences,
        warnings=run.warnings,
        headings=headings,
        rows=rows,
        charts=drawn,
        failed=fails,
        faces=[name for name in dict.fromkeys(each.images for each in fails) if name],
        licensed=with_images,
        glossary=glossary(headings),
        library=library.result(),
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
