"""What a run or a build is made from, as its manifest and the metadata of its tables say it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

from ferc_core.base.files import digest_of
from ferc_core.base.seeds import BENCHMARK_VERSION, key, other_version
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import LATER
from ferc_core.plugins import objective
from ferc_core.plugins.host import normalise, registry
from ferc_core.plugins.registry import Owner

WARNINGS = "ferc.warnings"  # in the metadata of the results
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
    return {**made_from(bench), "versions": versions(bench), **({"gmm": note} if note else {})}


def made_from(bench: Benchmark) -> dict[str, Any]:
    """Return what everything in a directory is made from, but for the versions."""
    return {
        "benchmark": BENCHMARK_VERSION,
        "making": json.loads(json.dumps(bench.config.making())),
        "data": bench.faces.fingerprint,
        "classes": list(bench.classes),
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
    """Return a trial with what it trains with, towards which objective, and the key of it all."""
    known = {**vars(trial), **call_of(bench, trial), "key": trial_key(bench, trial)}
    if not trial.trains:
        return known
    how = bench.entries.settings(bench.config, trial.method)
    return {**known, **how, "objective": objective.described(trial.loss)}


def keys_of(bench: Benchmark) -> dict[Trial, str]:
    """Return the key of each trial of a benchmark."""
    return {trial: trial_key(bench, trial) for trial in bench.trials}


def trial_key(bench: Benchmark, trial: Trial) -> str:
    """Return the key of what a model and its predictions are made from, but for the versions."""
    how = bench.entries.settings(bench.config, trial.method) if trial.trains else {}
    made = made_from(bench) | vars(trial) | call_of(bench, trial) | how
    weights = Path(bench.config.weights)
    return key(json.dumps(made), digest_of(weights) if bench.config.weights else "").hex()


def call_of(bench: Benchmark, trial: Trial) -> dict[str, str]:
    """Return the method of a trial with its options, where it goes by another name."""
    method = bench.entries.methods.get(trial.method)
    return {} if method is None or str(method) == trial.method else {"call": str(method)}


def visibility_record(bench: Benchmark, record: Mapping[str, str]) -> dict[str, str]:
    """Return what the metadata of a table of visibilities say about its making."""
    config = bench.config
    owner = owner_state(registry().visibilities.owner(bench.entries.visibility.name))
    made = record["ferc.key"], config.visibility, config.visibility_scope, owner
    return {**record, "ferc.key": key(*made).hex()}


def difference(stored: Any, wanted: Mapping[str, str]) -> str:
    """Say in what a stored file was made from something else than is wanted; "" for nothing."""
    try:
        versions = [json.loads(each.get("ferc.versions", "{}")) for each in (stored, wanted)]
        if stored["ferc.key"] != wanted["ferc.key"]:
            return "it was made from something else"
        for name in sorted({*versions[0]} & {*versions[1]}):
            was, now = (each[name] for each in versions)
            if was != now:
                return f"it was made with {name} {was!r}, not {now!r}"
    except (AttributeError, KeyError, TypeError, ValueError):
        return "nothing says what it was made from"
    return ""


def now() -> str:
    """Return the date and time with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def versions(bench: Benchmark) -> dict[str, str]:
    """Return the versions of all packages and plugin files that take part in the making."""
    known, entries = registry(), bench.entries
    owners = [known.datasets.owner(entries.dataset.name)]
    owners += [known.methods.owner(method.name) for method in entries.methods.values()]
    if entries.methods:
        owners += [
            known.losses.owner(call.name)
            for loss in bench.config.losses
            for call in objective.parsed(loss)
        ]
    owners += [
        known.corruptions.owner(entries.corruptions[text].name) for text in bench.config.corruptions
    ]
    found = {name_of(owner): owner_state(owner) for owner in owners} | installed(MAKERS)
    return dict(sorted(found.items()))


def name_of(owner: Owner) -> str:
    """Return the name of a distribution in its normal form, or that of a plugin file."""
    return owner.name if owner.file is not None else normalise(owner.name)


def owner_state(owner: Owner) -> str:
    """Return the version of a distribution, or the hash of a plugin file."""
    if owner.file is None:
        return owner.version
    return blake2b(owner.file.read_bytes(), digest_size=8).hexdigest()


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
    if old.get("benchmark") != new["benchmark"]:
        what = other_version(path, old.get("benchmark"))
        raise RequestError(f"{what}; choose another directory with --out, or delete this one")
    for part in ("versions", "making", "data", "classes"):
        was, now = old.get(part), new[part]
        if part == "making" and isinstance(was, dict):
            was, now = ({**LATER, **each} for each in (was, now))
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


def refuse_unlike(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raise `RequestError` where a process that is to help found another benchmark than is wanted:
    other data, or other versions.
    """
    refuse_packages({"ferc benchmark": wanted["benchmark"]}, {"ferc benchmark": found["benchmark"]})
    refuse_packages(wanted["versions"], found["versions"])
    for part in ("classes", "data"):
        if wanted[part] != found[part]:
            raise RequestError("it finds other images or annotations where its dataset should be")


def refuse_packages(wanted: Mapping[str, str], found: Mapping[str, str] | None = None) -> None:
    """Raise `RequestError` where versions, by default the installed ones, are not those wanted."""
    there = installed(tuple(wanted)) if found is None else found
    for name, version in wanted.items():
        if there.get(name) != version:
            has = f"has {name} {there[name]}" if name in there else f"lacks {name}"
            raise RequestError(f"it {has}, not {version}; install the same version there")


def of_tables(identity: Mapping[str, Any]) -> dict[str, str]:
    """Return what the metadata of every table says about its making.

    Versions are no part of the key, since a plugin may come in later; nor is the mixture, which
    may change like everything that judges.
    """
    made = {name: value for name, value in identity.items() if name not in ("versions", "gmm")}
    return {
        "ferc.benchmark": identity["benchmark"],
        "ferc.versions": json.dumps(identity["versions"]),
        "ferc.key": key(json.dumps(made)).hex(),
    }


def mixture(bench: Benchmark) -> dict[str, str]:
    """Return what the metadata of tables with soft labels say of their mixture."""
    return {"ferc.gmm": bench.mixture_note} if bench.mixture_note else {}


def of_warnings(warnings: Sequence[str]) -> dict[str, str]:
    """Return what the metadata of scores say of what seems to be wrong with them."""
    return {WARNINGS: json.dumps(warnings)} if warnings else {}


def warnings_in(record: Mapping[str, str], path: Path) -> tuple[str, ...]:
    """Return what `of_warnings` wrote into the metadata of a file; raises `DataError`."""
    try:
        return tuple(map(str, json.loads(record.get(WARNINGS, "[]"))))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: its metadata {WARNINGS} is damaged") from error


def default_path(bench: Benchmark) -> Path:
    """Return ``ferc-runs/DATASET-KEY``, the same for the same making and data."""
    making = {**bench.config.making(), "data": bench.faces.fingerprint}
    del making["threads"]  # the number of cores does not ask for another directory
    return Path("ferc-runs") / f"{bench.faces.name}-{key(json.dumps(making), size=4).hex()}"
