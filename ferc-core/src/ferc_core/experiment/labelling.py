"""The labels of an experiment: hard and soft, for every sample in every cell."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.calls import parse_call
from ferc_core.base.files import read_parquet, write_parquet
from ferc_core.base.progress import Watcher
from ferc_core.experiment.benchmark import Plan, make_plan
from ferc_core.experiment.config import JUDGING, Config
from ferc_core.labels import visibility
from ferc_core.labels.schemes import base_targets
from ferc_core.plugins.host import registry
from ferc_core.suite.corrupt import CLEAN, Cell
from ferc_core.suite.layout import LABELS, VISIBILITY, open_build


def labels_for(config: Config, predictions: pl.DataFrame, watcher: Watcher) -> pl.DataFrame:
    """Return the labels of the cells that a table of predictions has.

    They are those of the build that ``config.dataset`` names, unless the configuration asks for
    other ones; or they are made from the dataset.
    """
    if config.names_build(registry()) and not config.model_fields_set & {*JUDGING}:
        return read_parquet(open_build(Path(config.dataset)).root / LABELS)
    forms = set(predictions.select("corruption", "severity").iter_rows()) - {("clean", 0)}
    config = config.model_copy(update={"corruptions": tuple(sorted({c for c, _ in forms}))})
    plan = make_plan(config.resolved(registry(), training=False), training=False)
    with TemporaryDirectory() as folder:
        paths = Path(folder) / LABELS, Path(folder) / VISIBILITY
        return make_labels(plan, *paths, {}, watcher)


def make_labels(
    plan: Plan, path: Path, visibility_path: Path, record: dict[str, str], watcher: Watcher
) -> pl.DataFrame:
    """Store and return hard label, visibility and soft label of every sample in every cell."""
    config, faces = plan.config, plan.splits.scored
    call = parse_call(config.label_scheme)
    scheme = registry().label_schemes[call.name]
    borrowed = None
    if plan.borrowed is not None:
        borrowed = plan.borrowed.mixture(plan.classes, plan.faces.name)
    base, origin = base_targets(
        scheme.base, faces, plan.splits.train, len(plan.classes), config.fusion, borrowed
    )
    whose = f"{origin} {plan.mixture_note}".rstrip()
    watcher.say(f"soft labels by scheme {config.label_scheme}, from: {whose}")
    if config.gmm and plan.borrowed is None:
        watcher.say(f"  the mixture {config.gmm} is not used: this scheme takes none")
    visible = cell_visibilities(plan, visibility_path, record, watcher)
    tables = []
    for cell in plan.forms:
        v = np.array(np.broadcast_to(visible[cell], len(faces)))
        columns = {
            "sample": faces.ids,
            "corruption": [cell.corruption] * len(faces),
            "severity": [cell.severity] * len(faces),
            "label": faces.labels,
            "visibility": v,
            "target": scheme(base, v, **call.options).tolist(),
        }
        if faces.valence_arousal is not None:
            columns["valence"], columns["arousal"] = faces.valence_arousal.T
        tables.append(pl.DataFrame(columns))
    table = pl.concat(tables)
    write_parquet(path, table, record | plan.mixture_record)
    return table


def cell_visibilities(
    plan: Plan, path: Path, record: dict[str, str], watcher: Watcher
) -> dict[Cell, npt.NDArray[np.float64]]:
    """Return v of every cell, [1] or [N], measuring it unless ``path`` has it; 1 for clean."""
    forms = plan.forms[1:]
    if not (path.exists() and covers(read_parquet(path), forms)):
        write_parquet(path, measured(plan, watcher), record)
    table = read_parquet(path).partition_by(["corruption", "severity"], as_dict=True)
    average = plan.config.visibility_scope == "average"
    visible = {CLEAN: np.ones(1)}
    for cell in forms:
        v = table[cell.corruption, cell.severity]["visibility"].to_numpy()
        visible[cell] = v[:1] if average else v
    return visible


def covers(table: pl.DataFrame, forms: tuple[Cell, ...]) -> bool:
    """Say whether a table of visibilities has all these forms."""
    known = set(table.select("corruption", "severity").unique().iter_rows())
    return all((cell.corruption, cell.severity) in known for cell in forms)


def measured(plan: Plan, watcher: Watcher) -> pl.DataFrame:
    """Return degradation and visibility of every form of the measured samples, as a table."""
    config, suite, forms = plan.config, plan.suite, plan.benchmark_forms
    call, scope = parse_call(config.visibility), config.visibility_scope
    entry = registry().visibilities[call.name]
    sample = suite.take(visibility.sample_rows(suite, scope))
    ids = sample.ids
    with watcher.track(f"visibility {config.visibility}", len(ids) * len(forms)) as step:
        degradation = visibility.measure(
            sample, forms, lambda clean: entry.against(clean, **call.options), step
        )
    visible = visibility.normalise(degradation, visibility.yardstick(forms), scope)
    visible = np.broadcast_to(visible, degradation.shape)
    return pl.concat(
        pl.DataFrame(
            {
                "sample": ids,
                "corruption": [cell.corruption] * len(ids),
                "severity": [cell.severity] * len(ids),
                "degradation": degradation[:, j],
                "visibility": visible[:, j],
            }
        )
        for j, cell in enumerate(forms)
    )
