"""The documentation is true: its commands parse, and its lists are complete."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
import shlex

import pytest
import typer
from helpers.commands import REPOSITORY

from ferc_core import registry
from ferc_core.cli.app import app

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
USAGE_ERROR = typer.BadParameter.__base__  # of the click that typer uses
COMMAND_LINE = re.compile(r"^    (ferc (?:.*\\\n)*.*)$", re.MULTILINE)


def documented_commands() -> list[tuple[str, str]]:
    """Return page and command of every indented line that begins with ``ferc``.

    A backslash continues a line; two spaces end the command, and what follows explains it.
    """
    return [
        (page.name, re.split(r"\s{2,}", re.sub(r"\\\n\s*", "", line).strip())[0])
        for page in PAGES
        for line in COMMAND_LINE.findall(page.read_text(encoding="utf-8"))
    ]


def parse(command: str) -> None:
    """Parse a command line as ``ferc`` does, running nothing; raises what the user would see."""
    part, (name, *arguments) = typer.main.get_command(app), shlex.split(command)
    with contextlib.suppress(typer.Exit):  # --help shows the help and stops
        context = part.make_context(name, arguments.copy())
        while hasattr(part, "commands"):
            rest = list(itertools.dropwhile(lambda a: a.startswith("-"), arguments))
            name, part, arguments = part.resolve_command(context, rest)
            context = part.make_context(name, arguments.copy(), parent=context)


def test_every_command_in_the_documentation_parses():
    wrong = []
    for page, command in documented_commands():
        try:
            parse(command)
        except USAGE_ERROR as error:
            wrong.append((page, command, error.format_message()))
    assert not wrong


def test_the_commands_of_the_documentation_are_found():
    found = documented_commands()
    assert ("README.md", "ferc results my-run --format latex") in found
    assert ("README.md", "ferc list corruptions") in found  # its explanation is cut off
    assert len(found) > 60
    assert len({page for page, _ in found}) > 10


@pytest.mark.parametrize(
    "command",
    [
        "ferc rnu",
        "ferc run --no-such-option",
        "ferc run --limit many",
        "ferc corrupt face.png",
        "ferc gmm fti",
        "ferc gmm fit --dataset toyfaces",
    ],
)
def test_a_command_that_is_wrong_does_not_parse(command):
    with pytest.raises(USAGE_ERROR):
        parse(command)


def test_every_corruption_is_in_its_page_with_its_summary():
    text = (REPOSITORY / "docs" / "corruptions.md").read_text(encoding="utf-8")
    for name, entry in registry().corruptions.items():
        assert f"`{name}`" in text
        if entry.in_benchmark:
            assert f"| `{name}` | {entry.summary} |" in text


def test_the_documentation_has_every_metric_and_every_chart_with_its_options():
    metrics, charts = ((REPOSITORY / "docs" / name).read_text(encoding="utf-8")
                       for name in ("metrics.md", "charts.md"))  # fmt: skip
    assert [name for name in registry().metrics if f"`{name}`" not in metrics] == []
    for name, entry in registry().charts.items():
        options = list(inspect.signature(entry.loaded).parameters)[1:]
        assert f"| `{name}` | {', '.join(f'`{option}`' for option in options)} |".replace(
            "|  |", "| |"
        ) in charts, name  # fmt: skip


def options_table() -> list[tuple[str, list[str]]]:
    """Return the names and options of the rows of losses and calibrators in docs/training.md."""
    page = (REPOSITORY / "docs/training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]*`) \|((?:\\\||[^|])*)\|", page, re.MULTILINE)
    return [
        (name, re.findall(r"`([a-z_]+)[=`]", options))
        for names, options in rows
        for name in re.findall(r"`([^`]+)`", names)
    ]


def test_the_options_of_losses_and_calibrators_are_those_of_the_documentation():
    known = {**registry().losses, **registry().calibrators}
    documented = [(name, options) for name, options in options_table() if name in known]
    for name, options in documented:
        assert set(options) <= inspect.signature(known[name].loaded).parameters.keys(), name
    assert {name for name, _ in documented} == set(known) - {"brier"}
    assert ("spline", ["knots"]) in documented


def test_the_documentation_has_every_method():
    documented = {name for name, _ in options_table()}
    assert documented >= set(registry().methods)
