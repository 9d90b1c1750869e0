"""``ferc plugins``: who brings what, and what is wrong with any."""

from __future__ import annotations

import json

import typer

from ferc_core.cli import options as o
from ferc_core.plugins.host import host, use_plugin_files

app = o.new_app()


@app.command()
def plugins(as_json: o.AsJson = False, plugin: o.PluginFiles = None) -> None:
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
        o.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for p in found.plugins:
            hooks = ", ".join(hook.removeprefix("register_") for hook in p.hooks) or "no hooks"
            o.echo(f"{p.owner}: {hooks}")
        for fault in found.faults:
            o.echo(f"FAULT {fault}")
    if any(fault.fatal for fault in found.faults):
        raise typer.Exit(1)
