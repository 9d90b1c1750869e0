"""Write the table of all settings into docs/configuration.md.

    python docs/make_settings.py

The table is made from `ferc_core.experiment.config`, as the options of the command line are.
"""

from __future__ import annotations

from pathlib import Path

import tomli_w
import typer

from ferc_core.cli.run import app
from ferc_core.experiment.config import SETTINGS, Config

PAGE = Path(__file__).parent / "configuration.md"
BEGIN, END = "<!-- generated -->", "<!-- end of generated -->"
OPTIONS = {parameter.name: parameter for parameter in typer.main.get_command(app).params}
HEADINGS = ("setting", "option", "default", "role", "what it is")


def filled(page: str, text: str) -> str:
    """Return a page with ``text`` between its two markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def table() -> str:
    """Return the settings as Markdown: a table for each heading of ``ferc run --help``."""
    lines: list[str] = []
    for panel in dict.fromkeys(setting.panel for setting in SETTINGS.values()):
        lines += [f"### {panel}", "", row(*HEADINGS), row(*("-" * len(HEADINGS)))]
        lines += [
            row(f"`{name}`", option(name), default(name), setting.role, setting.help)
            for name, setting in SETTINGS.items()
            if setting.panel == panel
        ]
        lines.append("")
    return "\n".join(lines[:-1])


def row(*cells: str) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def option(name: str) -> str:
    """Return the option of ``ferc run`` with its placeholder; a setting may have none."""
    if name not in OPTIONS:
        return "-"
    declared = "/".join([*OPTIONS[name].opts, *OPTIONS[name].secondary_opts])
    several = "..." if isinstance(Config.model_fields[name].default, tuple) else ""
    return f"`{declared} {SETTINGS[name].value}".rstrip() + f"{several}`"


def default(name: str) -> str:
    """Return the default of a setting as TOML writes it."""
    value = Config.model_fields[name].default
    items = [item(each) for each in value] if isinstance(value, tuple) else [item(value)]
    return f"`[{', '.join(items)}]`" if isinstance(value, tuple) else f"`{items[0]}`"


def item(value: object) -> str:
    """Return one value as TOML writes it."""
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
    print(f"wrote {PAGE}")
