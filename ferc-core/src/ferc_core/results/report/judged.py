"""What was judged: the data, the trials, and what made them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ferc_core.base.text import number
from ferc_core.errors import DataError
from ferc_core.experiment.config import Config
from ferc_core.results.reading import Source, calibrators_of, cells_of
from ferc_core.results.side_by_side import plain

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def judged(run: Run) -> list[dict[str, str]]:
    """Return for each run what it is, as names and texts, in the order to be read."""
    return [about(source) for source in run.sources]


def about(source: Source) -> dict[str, str]:
    """Return what is known of one run, or of a file of scores."""
    trials, scores = calibrators_of(source.scores), source.scores
    found = {
        "where": str(source.path),
        "dataset": f"{scores['dataset'][0]}, {number(int(scores['n'].to_numpy().max()), 'face')}",
        "cells": f"{len(cells_of(scores))}: clean, and corruptions at their severities",
        "trials": "; ".join(map(str, trials)),
        "calibrators": ", ".join(dict.fromkeys(n for names in trials.values() for n in names)),
    }
    with suppress(DataError):  # of a file of scores nothing is known
        found |= of_manifest(source.manifest)
    if source.config:
        config = source.config
        found["images"] = f"{config.get('image_size')}x{config.get('image_size')} pixels"
        found["soft labels"] = f"scheme {config.get('label_scheme')}, visibility " + (
            f"{config.get('visibility')} by {config.get('visibility_scope')}"
        )
        if source.out is not None:
            found["to repeat it"] = f"ferc run {shlex.quote(str(source.path / 'config.toml'))}"
        else:
            found["settings"] = settings(config)
    if source.card is not None:
        found["hashes"] = ", ".join(f"{name} {text}" for name, text in source.card.hashes.items())
    return found


def settings(config: Mapping[str, Any]) -> str:
    """Return the settings of a card that are not the usual ones."""
    usual = {name: field.default for name, field in Config.model_fields.items()}
    changed = {
        name: value
        for name, value in config.items()
        if name in usual and value != (list(u) if isinstance(u := usual[name], tuple) else u)
    }
    return ", ".join(f"{name} {plain(value)}" for name, value in changed.items()) or "the usual"


def of_manifest(manifest: dict[str, Any]) -> dict[str, str]:
    """Return what a manifest says of a run."""
    begun, ended = manifest["begun"][:16], (manifest["ended"] or "")[11:16] or "?"
    versions = {**manifest["versions"], **manifest.get("judged_by", {})}
    return {
        "classes": ", ".join(manifest["classes"]),
        "benchmark version": str(manifest["benchmark"]),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "made": f"{begun.replace('T', ' ')} to {ended} UTC on {manifest['processor']}, "
        f"{manifest['device']}",
    }
