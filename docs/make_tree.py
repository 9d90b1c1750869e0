"""Write the tree of the packages into docs/architecture.md.

    python docs/make_tree.py

A line for each module and each folder of modules, from the first sentence of its docstring. The
rooms of the core come in the order of their layers, which pyproject.toml has.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

from make_settings import filled

DOCS = Path(__file__).parent
TOOLS = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
CONTRACTS = TOOLS["importlinter"]["contracts"]
CORE = next(each for each in CONTRACTS if each.get("containers") == ["ferc_core"])
LAYERS = " | ".join(CORE["layers"]).split(" | ")
PAGE = DOCS / "architecture.md"
PACKAGES = ("core", "corruptions", "metrics", "models")
WIDTH, INDENT, COLUMN = 100, 2, 24  # characters: of a line, for each level, where sentences begin


def tree() -> str:
    """Return the listing of all packages, each in a block of its own."""
    roots = [DOCS.parent / f"ferc-{part}" / "src" / f"ferc_{part}" for part in PACKAGES]
    return "\n\n".join("\n".join(["```text", *listing(root), "```"]) for root in roots)


def listing(folder: Path, level: int = 0) -> Iterator[str]:
    """Yield the lines of a folder; of one within a room of the core only the name is listed."""
    yield from line(f"{folder.name}/", folder / "__init__.py", level)
    if level == 2 or (level == 1 and folder.name not in LAYERS):
        return
    modules = [path for path in folder.glob("*.py") if not path.name.startswith("__")]
    folders = [path.parent for path in folder.glob("*/__init__.py")]
    for path in sorted([*modules, *folders], key=place):
        if path.is_dir():
            yield from listing(path, level + 1)
        else:
            yield from line(path.name, path, level + 1)


def place(path: Path) -> tuple[int, bool, str]:
    """Return where a module is listed: by its layer in the core, else before all folders."""
    layer = LAYERS.index(path.stem) if path.parent.name == "ferc_core" else -1
    return layer, path.is_dir(), path.name


def line(name: str, path: Path, level: int) -> list[str]:
    """Return the name of a module and the first sentence of its docstring, wrapped."""
    first, *others = textwrap.wrap(sentence(path), WIDTH - COLUMN, break_on_hyphens=False)
    start = " " * INDENT * level + name
    return [f"{start:{COLUMN - 1}} {first}", *(" " * COLUMN + other for other in others)]


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without marks of code."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "-"
    first = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.?])\s+(?=[A-Z])", first)[0].replace("`", "")


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tree()), encoding="utf-8")
    print(f"wrote {PAGE}")
