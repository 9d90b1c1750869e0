"""The manifest of a run directory, as it is read back: a file that anybody may have edited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ferc_core.errors import DataError


class TrialRecord(BaseModel):
    """A trial, the key of what it was made from, and what it was trained with."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    method: str
    loss: str
    noise: float
    seed: int
    key: str


class RunManifest(BaseModel):
    """What a manifest says; `ferc_core.experiment.records` writes it."""

    model_config = ConfigDict(strict=True, extra="forbid")

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
        RunManifest.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its content"
        raise DataError(
            f"{path} is not the manifest of a run ({where}: {first['msg']}); choose another "
            "directory, or restore the file"
        ) from error
    manifest: dict[str, Any] = found
    return manifest
