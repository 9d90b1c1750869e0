"""Charts as files, drawn offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ferc_core.base.files import check_output, write_bytes
from ferc_core.errors import UnknownNameError

SUFFIXES = (".svg", ".png", ".pdf", ".html", ".json")
SCALE = 2  # of a PNG: sharp in print
LIBRARY = "window.vegaEmbed = vegaEmbed;"
PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>FER-C</title>
<div id="chart"></div>
<script type="module">{library}</script>
<script type="module">window.vegaEmbed("#chart", {spec}, {{actions: false}});</script>
</html>
"""


def check_suffix(path: Path) -> None:
    """Raise `UnknownNameError` for a suffix that cannot be drawn, `FercError` for a file that
    cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UnknownNameError("kind of file", path.suffix or str(path), SUFFIXES)
    check_output(path)


def save(chart: Any, path: Path) -> None:
    """Write a chart; nothing is downloaded."""
    write_bytes(path, content(chart.to_dict(), path.suffix.lower()))


def content(spec: dict[str, Any], suffix: str) -> bytes:
    """Return a chart as the bytes of a file."""
    import vl_convert

    if suffix == ".json":
        return json.dumps(spec, ensure_ascii=False, indent=1).encode()
    if suffix == ".png":
        found: bytes = vl_convert.vegalite_to_png(spec, scale=SCALE)
        return found
    if suffix == ".pdf":
        found = vl_convert.vegalite_to_pdf(spec)
        return found
    if suffix == ".svg":
        text: str = vl_convert.vegalite_to_svg(spec)
        return text.encode()
    return PAGE.format(library=vl_convert.javascript_bundle(LIBRARY), spec=in_script(spec)).encode()


def in_script(spec: Any) -> str:
    """Return JSON to stand in a script of a page: no text in it, a name for example, ends it."""
    return json.dumps(spec, ensure_ascii=False).replace("<", "\\u003c")
