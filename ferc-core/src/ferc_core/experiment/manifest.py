"""The manifest of a run directory, as it is read back: a file that anybody may have edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferc_core.base.schemas import Checked, validated
from ferc_core.errors import DataError


class TrialRecord(Checked):
    """A trial, the key of what its files were made from, and what it was trained with."""

    method: str
    loss: str
    noise: float
    seed: int
    key: str
    call: str = ""
    backbone: str = ""
    batch_size: int = 0
    learning_rate: float = 0.0
    objective: str = ""


class RunManifest(Checked):
    """What a manifest says; `ferc_core.experiment.records` writes it."""

    benchmark: str
    versions: dict[str, str]
    making: dict[str, Any]
    data: str
    classes: list[str]
    gmm: str = ""
    python: str
    platform: str
    processor: str
    device: str
    judged_by: dict[str, str]
    trials: dict[str, TrialRecord]
    begun: str
    ended: str | None


def checked_manifest(found: Any, path: Path) -> dict[str, Any]:
    """Return the content of a manifest; raises `DataError` unless it is one of a run."""
    try:
        validated(found, RunManifest)
    except ValueError as error:
        raise DataError(
            f"{path} is not the manifest of a run by this version of FER-C ({error}); "
            "choose another directory, or restore the file"
        ) from error
    manifest: dict[str, Any] = found
    return manifest
