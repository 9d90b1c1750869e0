"""A run directory: where everything that an experiment makes lies, and what it belongs to.

config.toml            the resolved configuration
manifest.json          benchmark and package versions, what the data was, what was made how
checkpoints/RUN.safetensors
predictions/RUN/CORRUPTION-SEVERITY.parquet   logits of every sample
predictions/RUN/validation.parquet            logits on the clean validation split
predictions/RUN/validation-CORRUPTION-SEVERITY.parquet   for calibrators fitted on all forms
visibility/FUNCTION-SCOPE.parquet             degradation and visibility of every form
labels.parquet         hard and soft label of every sample in every cell
results.parquet        tidy scores: a row for each run, calibrator, cell and metric
pooled.parquet         the same over all corrupted images thrown together
checked.json, skipped.txt   with ``--on-bad-image skip``: images that cannot be used
cache/                 with ``--cache``: resized images; may be deleted
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

from ferc_core.base.calls import parse_call
from ferc_core.base.files import claim, read_json, write_json, write_text
from ferc_core.base.seeds import BENCHMARK_VERSION, key, slug
from ferc_core.errors import RequestError
from ferc_core.experiment.benchmark import Plan, Run
from ferc_core.experiment.config import Config
from ferc_core.plugins.host import normalise, registry
from ferc_core.suite.corrupt import CLEAN, Cell

# Packages whose version may change what training and corruptions make.
MAKERS = (
    "ferc-core",
    "ferc-corruptions",
    "ferc-models",
    "numpy",
    "opencv-python",
    "torch",
    "timm",
)


class RunDirectory:
    """Paths and identity of one run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.manifest = path / "manifest.json"
        self.labels = path / "labels.parquet"
        self.results = path / "results.parquet"
        self.pooled = path / "pooled.parquet"
        self.skipped = path / "skipped.txt"
        self.checked = path / "checked.json"
        self.cache = path / "cache"

    def checkpoint(self, run: Run) -> Path:
        """The trained model of a run."""
        return self.path / "checkpoints" / f"{run.name}.safetensors"

    def training(self, run: Run) -> Path:
        """The state of a training that has not ended."""
        return self.path / "checkpoints" / f"{run.name}.training"

    def predictions(self, run: Run, cell: Cell) -> Path:
        """The logits of a run in a cell."""
        name = f"{slug(cell.corruption)}-{cell.severity}.parquet"
        return self.path / "predictions" / run.name / name

    def validation(self, run: Run, cell: Cell = CLEAN) -> Path:
        """The logits of a run on the validation split, clean or in another form."""
        form = "" if cell == CLEAN else f"-{slug(cell.corruption)}-{cell.severity}"
        return self.path / "predictions" / run.name / f"validation{form}.parquet"

    def visibility(self, config: Config) -> Path:
        """The visibilities of every form by the configured function and scope."""
        name = f"{slug(config.visibility)}-{config.visibility_scope}.parquet"
        return self.path / "visibility" / name

    @property
    def has_work(self) -> bool:
        """Whether anything is there that took work to make."""
        made = ("checkpoints/*/*", "checkpoints/*.safetensors", "predictions/*/*")
        return any(next(self.path.glob(pattern), None) for pattern in made)

    @contextmanager
    def claimed(self, plan: Plan) -> Iterator[dict[str, str]]:
        """Hold the directory for one process; yields the record to write into every table.

        Raises `RequestError` when another process holds it, or when it was made by other
        versions, with other settings or from other data.
        """
        with claim(self.path):
            identity = identify(plan)
            if self.manifest.exists() and self.has_work:
                old = read_json(self.manifest)
                refuse_other(self.path, old, identity)
                identity["versions"] = {**old["versions"], **identity["versions"]}
            write_json(self.manifest, identity)
            write_text(self.config, plan.config.to_toml())
            yield record(identity)


def default_path(plan: Plan) -> Path:
    """Return ``ferc-runs/DATASET-KEY``, the same for the same making and data."""
    making = {**plan.config.making(), "data": plan.faces.fingerprint}
    del making["threads"]  # the number of cores is no reason for another directory
    return Path("ferc-runs") / f"{plan.faces.name}-{key(json.dumps(making), size=4).hex()}"


def identify(plan: Plan) -> dict[str, Any]:
    """Return what everything in the directory is made from, and whose mixture softens labels."""
    note = plan.mixture_note
    return {
        "benchmark": BENCHMARK_VERSION,
        "versions": versions(plan),
        "making": json.loads(json.dumps(plan.config.making())),
        "data": plan.faces.fingerprint,
        "classes": list(plan.classes),
        **({"gmm": note} if note else {}),
    }


def versions(plan: Plan) -> dict[str, str]:
    """Return the versions of all packages and plugin files that take part in the making."""
    config, known = plan.config, registry()
    owners = [known.datasets.owner(parse_call(config.dataset).name)]
    owners += [known.methods.owner(parse_call(run.method).name) for run in plan.runs]
    owners += [known.corruptions.owner(parse_call(c).name) for c in config.corruptions]
    found = {owner.name: owner.version for owner in owners if owner.file is None}
    for owner in owners:
        if owner.file is not None:
            found[owner.name] = blake2b(owner.file.read_bytes(), digest_size=8).hexdigest()
    for name in MAKERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted((normalise(k) if not k.endswith(".py") else k, v) for k, v in found.items()))


def refuse_other(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raise `RequestError` naming the first difference between two identities."""
    for part in ("benchmark", "versions", "making", "data", "classes"):
        was, now = old.get(part), new[part]
        if isinstance(was, dict) and isinstance(now, dict):
            # A plugin that only one side uses makes no difference to what both share.
            pairs = [(name, was[name], now[name]) for name in sorted({*was} & {*now})]
        else:
            pairs = [(part, was, now)]
        for name, before, after in pairs:
            if before != after:
                raise RequestError(
                    f"{path} was made with {name} {before!r}, not {after!r}; give another "
                    "directory with --out, or delete this one"
                )


def record(identity: dict[str, Any]) -> dict[str, str]:
    """Return what the metadata of every table says about its making."""
    # Whose mixture it was is no part of the key: like all that judges, it may change.
    made_from = {name: value for name, value in identity.items() if name != "gmm"}
    return {
        "ferc.benchmark": identity["benchmark"],
        "ferc.versions": json.dumps(identity["versions"]),
        "ferc.key": key(json.dumps(made_from)).hex(),
    }
