"""``ferc list`` and ``ferc plugins``: what is installed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from ferc_core.cli.options import PluginFiles
from ferc_core.errors import UnknownNameError
from ferc_core.plugins.host import KINDS, Registry, host, registry, use_plugin_files

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def list_kind(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help=", ".join(kind.replace("_", "-") for kind in KINDS)),
    ],
    as_json: AsJson = False,
    plugin: PluginFiles = None,
) -> None:
    """List what is registered of one kind: corruptions, losses, metrics, ..."""
    use_plugin_files(plugin or [])
    warn()
    name = kind.replace("-", "_")
    if name not in KINDS:
        raise UnknownNameError("kind", kind, [known.replace("_", "-") for known in KINDS])
    entries: Registry[Any] = getattr(registry(), name)
    rows = [
        {**public(entry), "plugin": str(entries.owner(entry.name))} for entry in entries.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("name", "what it is", "source", "plugin", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        # as text: rich would read [onnx] as a style
        table.add_row(*(Text(row[k]) for k in ("name", "summary", "source", "plugin")))
    Console().print(table)


def public(entry: Any) -> dict[str, Any]:
    """Return the fields of an entry but its functions."""
    return {k: v for k, v in vars(entry).items() if k not in ("function", "load", "loaded")}


def plugins(as_json: AsJson = False, plugin: PluginFiles = None) -> None:
    """List the plugins in use, their versions and hooks, and what is wrong with any.

    The environment variable FERC_PLUGINS=a,b allows only those distributions (name FER-C's own
    packages, too, if you want them); FERC_DISABLE_PLUGINS=a leaves some out. Exit code 1 when two
    plugins register one name, which stops every other command.
    """
    use_plugin_files(plugin or [])
    found = host()
    if as_json:
        report = {
            "plugins": [
                {"name": p.owner.name, "version": p.owner.version, "hooks": list(p.hooks)}
                for p in found.plugins
            ],
            "faults": [
                {
                    "name": f.owner.name,
                    "version": f.owner.version,
                    "cause": f.cause,
                    "fatal": f.fatal,
                }
                for f in found.faults
            ],
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for p in found.plugins:
            hooks = ", ".join(hook.removeprefix("register_") for hook in p.hooks) or "no hooks"
            typer.echo(f"{p.owner}: {hooks}")
        for fault in found.faults:
            typer.echo(f"FAULT {fault}")
    if any(fault.fatal for fault in found.faults):
        raise typer.Exit(1)


def warn() -> None:
    """Print the faults that leave the rest working."""
    for fault in host().faults:
        if not fault.fatal:
            typer.echo(f"ferc: warning: {fault}", err=True)
