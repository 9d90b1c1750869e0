"""The oddities that a stand-in can have: names with what they do, for each release of a set."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ferc_core.errors import UnknownNameError


def check_quirks(
    release: str, quirks: Collection[str], known: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise `UnknownNameError` for a release or a quirk of it that is not ``known``."""
    if release not in known:
        raise UnknownNameError("release", release, known)
    for quirk in quirks:
        if quirk not in known[release]:
            raise UnknownNameError(f"quirk of {release}", quirk, known[release])
