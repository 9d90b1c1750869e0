"""GPUs without torch: a process that sees one alone cannot get in the way of others."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ferc_core.base.files import names_in

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")
NVIDIA = re.compile("nvidia[0-9]+")


def visible() -> list[str]:
    """Return the GPUs that this process may use, by what CUDA calls them."""
    chosen = os.environ.get(VISIBLE)
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return [str(i) for i, _ in enumerate(filter(NVIDIA.fullmatch, names_in(DEVICES)))]


def see_one(number: int) -> None:
    """Let this process, the ``number``-th of its like, see one GPU alone: each in turn.

    It must come before torch first asks for GPUs.
    """
    there = visible()
    if len(there) > 1:
        os.environ[VISIBLE] = there[number % len(there)]
