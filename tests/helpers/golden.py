"""Small oracles in tests/golden, computed outside this project.

golden.json           the FER-C authors' metric, loss and mixture functions on small fixed inputs
severity_tables.json  the corruption constants of ImageNet-C and TinyImageNet-C, from their sources
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden"


def golden(part: str) -> Any:
    """Return one part of golden.json: "metrics", "losses", "alm" or "gmm"."""
    return json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))[part]


def severity_tables() -> Any:
    """Return the constants by table and corruption."""
    return json.loads((FOLDER / "severity_tables.json").read_text(encoding="utf-8"))
