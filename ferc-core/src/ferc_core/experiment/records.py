"""What a run or a build is made from, as its manifest and the metadata of its tables say it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

from ferc_core.base.seeds import BENCHMARK_VERSION, key
from ferc_core.errors import RequestError
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.plugins import objective
from ferc_core.plugins.host import normalise, registry

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
# Packages that judge: a directory takes another version, and the manifest names it.
JUDGES = ("ferc-metrics", "scipy")


def identity(bench: Benchmark) -> dict[str, Any]:
    """Return what everything in a directory is made from, and whose mixture softens labels."""
    note = bench.mixture_note
    return {
        "benchmark": BENCHMARK_VERSION,
        "versions": versions(bench),
        "making": json.loads(json.dumps(bench.config.making())),
        "data": bench.faces.fingerprint,
        "classes": list(bench.classes),
        **({"gmm": note} if note else {}),
    }


def circumstances(bench: Benchmark, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else a manifest says: where and when, and what each trial trains with.

    ``known`` are the trials of earlier calls, which stay as they are.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": bench.config.device,
        "judged_by": installed(JUDGES),
        "trials": {
            **known,
            **{t.name: training_record(bench, t) for t in bench.trials if t.name not in known},
        },
        "begun": now(),
        "ended": None,
    }


def training_record(bench: Benchmark, trial: Trial) -> dict[str, Any]:
    """Return a trial with what it trains with and towards which objective."""
    if not trial.trains:
        return vars(trial)
    how = bench.entries.settings(bench.config, trial.method)
    return {**vars(trial), **how, "objective": objective.described(trial.loss)}


def now() -> str:
    """Return the date and time with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def versions(bench: Benchmark) -> dict[str, str]:
    """Return the versions of all packages and plugin files that take part in the making."""
    known, entries = registry(), bench.entries
    owners = [known.datasets.owner(entries.dataset.name)]
    owners += [known.methods.owner(method.name) for method in entries.methods.values()]
    owners += [
        known.corruptions.owner(entries.corruptions[text].name) for text in bench.config.corruptions
    ]
    found = {owner.name: owner.version for owner in owners if owner.file is None}
    for owner in owners:
        if owner.file is not None:
            found[owner.name] = blake2b(owner.file.read_bytes(), digest_size=8).hexdigest()
    found |= installed(MAKERS)
    return dict(sorted((normalise(k) if not k.endswith(".py") else k, v) for k, v in found.items()))


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def refuse_other(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Raise `RequestError` naming the first difference between two identities."""
    for part in ("benchmark", "versions", "making", "data", "classes"):
        was, now = old.get(part), new[part]
        if isinstance(was, dict) and isinstance(now, dict):
            # A plugin that only one of them uses makes no difference to the other.
            pairs = [(name, was[name], now[name]) for name in sorted({*was} & {*now})]
        else:
            pairs = [(part, was, now)]
        for name, before, after in pairs:
            if before != after:
                raise RequestError(
                    f"{path} was made with {name} {before!r}, not {after!r}; choose another "
                    "directory with --out, or delete this one"
                )


def of_tables(identity: Mapping[str, Any]) -> dict[str, str]:
    """Return what the metadata of every table says about its making."""
    # The mixture is not part of the key: like everything that judges, it may change.
    made_from = {name: value for name, value in identity.items() if name != "gmm"}
    return {
        "ferc.benchmark": identity["benchmark"],
        "ferc.versions": json.dumps(identity["versions"]),
        "ferc.key": key(json.dumps(made_from)).hex(),
    }


def mixture(bench: Benchmark) -> dict[str, str]:
    """Return what the metadata of tables with soft labels say of their mixture."""
    return {"ferc.gmm": bench.mixture_note} if bench.mixture_note else {}
