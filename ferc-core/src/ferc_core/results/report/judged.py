"""What was judged: the data, the trials, and what made them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ferc_core.base.files import read_json
from ferc_core.base.text import number
from ferc_core.experiment.manifest import checked_manifest
from ferc_core.results.reading import Source, calibrators_of, cells_of

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
    if source.out is not None and source.out.manifest.exists():
        path = source.out.manifest
        found |= of_manifest(checked_manifest(read_json(path), path))
    if source.config:
        config = source.config
        found["images"] = f"{config.get('image_size')}x{config.get('image_size')} pixels"
        found["soft labels"] = f"scheme {config.get('label_scheme')}, visibility " + (
            f"{config.get('visibility')} by {config.get('visibility_scope')}"
        )
        found["to repeat it"] = f"ferc run {shlex.quote(str(source.path / 'config.toml'))}"
    return found


def of_manifest(manifest: dict[str, Any]) -> dict[str, str]:
    """Return what a manifest says of a run."""
    versions = {**manifest["versions"], **manifest.get("judged_by", {})}
    return {
        "classes": ", ".join(manifest["classes"]),
        "benchmark version": str(manifest["benchmark"]),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "made": f"{manifest['begun'][:16]} to {manifest['ended'][11:16]} UTC on "
        f"{manifest['processor']}, {manifest['device']}".replace("T", " "),
    }
