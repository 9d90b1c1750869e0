"""The page of ``ferc report``: its sections, its charts, and the one file that it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ferc_core.base.files import read_json, write_text
from ferc_core.base.progress import track
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.drawing.files import LIBRARY, in_script
from ferc_core.drawing.theme import CONFIG
from ferc_core.errors import DataError, FercError
from ferc_core.experiment.directory import RunDirectory
from ferc_core.plugins.host import registry
from ferc_core.results.cards import SUFFIX, read_card, write_card
from ferc_core.results.formats import people
from ferc_core.results.reading import SCORES, run_directories
from ferc_core.results.report.drawn import RESAMPLES, charts_of, readings
from ferc_core.results.report.faces import failed
from ferc_core.results.report.judged import judged
from ferc_core.results.report.leaderboard import leaderboard
from ferc_core.results.report.verdict import METRICS, verdict

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def write_report(
    run: Run, path: Path, with_images: bool = False, others: Sequence[Run] = ()
) -> None:
    """Write the page of some runs, ``with_images`` of faces that may not be passed on. The
    ``others`` are of other versions of the benchmark, and shown apart.

    Raises `FercError` where nothing of the runs can be read, or images that are asked for cannot.
    """
    write_text(path, page(run, with_images, others))


def page(run: Run, with_images: bool = False, others: Sequence[Run] = ()) -> str:
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
        board=leaderboard(run, RESAMPLES),
        others=[(version_of(other), *people(other.summary().frame)) for other in others],
        judged=[about for each in (run, *others) for about in judged(each)],
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
    """Return the verdict and those of cards, or why there is none."""
    cards = [source for source in run.sources if source.card is not None]
    several = len(run.sources) > 1
    said = [
        f"{source.path.stem}: {text}" if several else text
        for source in cards
        for text in (source.card.verdict if source.card else ())
    ]
    if len(cards) == len(run.sources):
        return said
    try:
        return [*verdict(run, RESAMPLES), *said]
    except FercError as error:
        return [f"There is no verdict: {error}.", *said]


def write_result_card(run: Run, path: Path) -> None:
    """Write the card of a run with its verdict; raises `FercError` where it has none."""
    run.drawn(METRICS, RESAMPLES)
    write_card(run, path, attempted(run))


def by_version(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Return run directories, cards and files of scores by the version of the benchmark that made
    them, this one first; what does not say it counts as this one.
    """
    found: dict[str, list[Path]] = {BENCHMARK_VERSION: []}
    for path in paths:
        alone = path.suffix in SCORES and not path.is_dir()
        for each in [path] if alone else [out.path for out in run_directories(path)]:
            found.setdefault(version_at(each), []).append(each)
    return {version: there for version, there in found.items() if there}


def version_at(path: Path) -> str:
    """Return the version of the benchmark that made a run directory or a card."""
    if path.is_dir():
        with suppress(DataError, KeyError, TypeError):
            return str(read_json(RunDirectory(path).manifest)["benchmark"])
    elif path.suffix == SUFFIX:
        return read_card(path)[0].run.benchmark
    return BENCHMARK_VERSION


def version_of(run: Run) -> str:
    """Return the version of the benchmark that made a run."""
    return version_at(run.sources[0].path)


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
