"""The quirks of stand-ins: names with their effects, by release; and text files with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ferc_core.errors import UnknownNameError


def check_quirks(
    release: str, quirks: Collection[str], known: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise `UnknownNameError` for an unknown release or quirk of it."""
    if release not in known:
        raise UnknownNameError("release", release, known)
    for quirk in quirks:
        if quirk not in known[release]:
            raise UnknownNameError(f"quirk of {release}", quirk, known[release])


def write_lines(
    path: Path, lines: Iterable[str], *, windows: bool = False, encoding: str = "utf-8"
) -> None:
    """Write a text file, with Windows line endings if asked for."""
    end = "\r\n" if windows else "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
