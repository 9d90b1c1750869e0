"""``ferc list``: what is registered."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ferc_core.base.text import in_cell
from ferc_core.cli import options as o
from ferc_core.errors import UnknownNameError
from ferc_core.plugins.host import registry
from ferc_core.plugins.registry import KINDS, Registry

NAMES = [kind.replace("_", "-") for kind in KINDS]

app = o.new_app()


@app.command()
def list_kind(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=", ".join(NAMES),
            autocompletion=lambda incomplete: [n for n in NAMES if n.startswith(incomplete)],
        ),
    ],
    as_json: o.AsJson = False,
    plugin: o.PluginFiles = None,
) -> None:
    """List what is registered of one kind: corruptions, losses, metrics, ..."""
    o.begin(plugin)
    name = kind.replace("-", "_")
    if name not in KINDS:
        raise UnknownNameError("kind", kind, NAMES)
    entries: Registry[Any] = getattr(registry(), name)
    rows = [
        {**public(entry), "plugin": str(entries.owner(entry.name))} for entry in entries.values()
    ]
    if as_json:
        o.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    name_column = Column("name", no_wrap=True)
    others = ("what it is", "source", "plugin")
    table = Table(name_column, *others, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        # as text: rich would read [onnx] as a style
        table.add_row(*(Text(in_cell(row[k])) for k in ("name", "summary", "source", "plugin")))
    console = Console()
    with console.capture() as captured:
        console.print(table)
    print(captured.get(), end="")


def public(entry: Any) -> dict[str, Any]:
    """Return the fields of an entry but its functions."""
    private = ("function", "load", "loaded", "prepare", "check", "resampled")
    return {k: v for k, v in vars(entry).items() if k not in private}
