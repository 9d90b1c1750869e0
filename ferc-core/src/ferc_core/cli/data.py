"""``ferc data check`` and ``ferc data preview``: a dataset before anything is run on it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferc_core.base.text import shortened
from ferc_core.cli import options as o
from ferc_core.plugins.host import registry

if TYPE_CHECKING:
    from ferc_core.data.checks import Report
    from ferc_core.data.findings import Finding

SHOWN = 10  # names of a kind on the terminal

app = o.new_app(
    help="Look at a dataset before anything is run on it.",
    no_args_is_help=True,
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Dataset, with options as in 'affectnet(classes=7)'.",
        autocompletion=lambda incomplete: o.completions("datasets", incomplete),
    ),
]


@app.command()
@o.takes("data_root", "split", "max_pixels")
def check(
    settings: dict[str, Any],
    name: Name,
    limit: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, max=10**9, help="Read at most N images of each split. 0: all."
        ),
    ] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=1024, help="Threads that read images. Default: the cores."
        ),
    ] = None,
    as_json: o.AsJson = False,
    quiet: o.Quiet = False,
    plugin: o.PluginFiles = None,
) -> None:
    """Check a dataset: what it is, what it holds beside what was published, what may harm a run.

    Reads every image once. The last line says "sound" or "not sound"; exit code 1 when a run
    would fail or its result would mislead.
    """
    o.begin(plugin)
    from ferc_core.data import checks
    from ferc_core.data.opening import open_dataset
    from ferc_core.experiment.config import read_config
    from ferc_core.images.io import limit_pixels

    limit_pixels(read_config(None, settings).max_pixels)
    dataset, root = registry().datasets.choose(name), settings.get("data_root", "")
    with o.showing(quiet):
        faces = open_dataset(dataset, root)
        threads = (os.cpu_count() or 1) if workers is None else workers
        report = checks.check(faces, settings.get("split", ""), limit, threads)
    if as_json:
        about = {"dataset": str(dataset), "data_root": root or None}
        found = {**about, **checks.as_json(report)}
        o.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        where = f", in {root}" if root else ""
        what = faces.about.release or dataset.entry.summary.rstrip(".")
        o.echo(f"{dataset}: {what}{where}")
        o.echo(text(report))
    if report.problems:
        raise typer.Exit(1)


@app.command()
@o.takes("data_root", "gmm", "max_pixels")
def preview(
    settings: dict[str, Any],
    name: Name,
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Split whose faces are shown. Default: train."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another number, other faces.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file: .png (default: NAME-preview.png), .svg, .pdf, .html."
        ),
    ] = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Draw some faces of each class with their labels, and what is known beside the labels.

    Where valence and arousal are known, the training faces are drawn in their plane with the
    mixture that soft labels are made from (--gmm takes another dataset's); where distributions
    are known, their means.
    """
    o.begin(plugin)
    dataset = registry().datasets.choose(name)
    path = out or Path(f"{dataset.name}-preview.png")
    from ferc_core.data import preview as drawing
    from ferc_core.data.opening import open_dataset
    from ferc_core.drawing.files import check_suffix
    from ferc_core.experiment.config import read_config
    from ferc_core.images.io import limit_pixels
    from ferc_core.labels.mixture_file import read_gmm

    check_suffix(path)
    limit_pixels(read_config(None, settings).max_pixels)
    with o.showing():
        faces = open_dataset(dataset, settings.get("data_root", ""))
        external = None
        if "gmm" in settings:
            external = read_gmm(Path(settings["gmm"])).mixture(faces.classes, faces.name)
        drawing.draw(faces, path, split or "", seed, external)
    o.echo(f"wrote {path}")


def text(report: Report) -> str:
    """Return a report for the terminal, below what was recognised."""
    faces, division = report.faces, report.division
    lines = [table(report), known(report), *(f"note: {note}" for note in faces.notes)]
    if division is not None:
        lines.append(
            f"a run trains on {len(division.train):,} faces, validates on "
            f"{len(division.validation):,} and scores {len(division.scored):,} of "
            f"'{division.scored_name}'"
        )
        lines += [f"note: {note}" for note in division.notes]
    for finding in report.findings:
        lines += ["", *described(finding)]
    return "\n".join([*lines, "", verdict(report)])


def table(report: Report) -> str:
    """Return the counts of each split and class, beside the published ones where there are any."""
    from ferc_core.results.formats import drawn

    headings = ["class"]
    rows = [[name] for name in (*report.faces.classes, "all")]
    for split in report.splits:
        compared = split in report.faces.about.published
        headings += (split, "published", "difference") if compared else (split,)
        total, of_class = report.counts(split)
        for row, count in zip(rows, (*of_class, total), strict=True):
            row.append(f"{count.faces:,}")
            if compared:
                row.append("" if count.published is None else f"{count.published:,}")
                row.append("" if count.difference is None else f"{count.difference:+,}")
    return drawn(headings, rows, sections=[len(rows) - 2])


def known(report: Report) -> str:
    """Say what is known of the faces beside their labels, and how large their images are."""
    splits = report.faces.splits.values()
    total = sum(map(len, splits))
    annotations = {
        "valence and arousal": "valence_arousal",
        "a label distribution": "distributions",
        "the subject": "identities",
    }
    of_how_many = {
        what: sum(len(split) for split in splits if getattr(split, column) is not None)
        for what, column in annotations.items()
    }
    beside = ", ".join(f"{what} of {n:,}" for what, n in of_how_many.items() if n) or "nothing"
    sizes = report.images.select("width", "height").drop_nulls()
    line = f"{len(sizes):,} of {total:,} images read"
    if len(sizes):
        low, high = ("x".join(map(str, side.row(0))) for side in (sizes.min(), sizes.max()))
        line += f", {low} pixels" if low == high else f", from {low} to {high} pixels"
    return f"known beside the labels: {beside}\n{line}"


def described(finding: Finding) -> list[str]:
    """Return the lines about a finding, with its first names."""
    kind = "problem" if finding.problem else "warning"
    names = [name if isinstance(name, str) else " = ".join(name) for name in finding.names]
    lines = [f"{kind}: {'; '.join(filter(None, (finding.text, finding.advice)))}"]
    for name in names[:SHOWN]:
        lines.append(f"    {shortened(name)}")
    if len(names) > SHOWN:
        lines.append(f"    ... and {len(names) - SHOWN:,} more: --json names all")
    return lines


def verdict(report: Report) -> str:
    """Return the last line: whether the data are fit for a run, and why not."""
    if report.problems:
        return "not sound: " + "; ".join(finding.text for finding in report.problems)
    warnings = len(report.findings)
    note = f", {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    return f"sound: no problem in {len(report.images):,} images{note}"
