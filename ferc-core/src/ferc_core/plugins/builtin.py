"""What the core itself registers: datasets, label schemes, executors and reporters."""

from __future__ import annotations

from collections.abc import Callable

from ferc_core.plugins.hooks import hookimpl
from ferc_core.spec import DatasetSource, Executor, LabelScheme, Reporter


@hookimpl
def register_datasets(register: Callable[[DatasetSource], None]) -> None:
    """Toy faces, the user's own folder or table, and the known sets as their owners ship them."""
    register(
        DatasetSource(
            "toyfaces",
            "ferc_core.datasets.toyfaces.loader:open_toyfaces",
            summary="Drawn faces with eight expressions; needs no data and no download.",
            source="FER-C",
            needs_root=False,
        )
    )
    register(
        DatasetSource(
            "folder",
            "ferc_core.datasets.folder.loader:open_folder",
            summary="Your own images: one folder per class, or a CSV or parquet table.",
            source="FER-C",
        )
    )
    for name, summary, source in (
        (
            "affectnet",
            "AffectNet, manual CSV release or the later 8-class release.",
            "Mollahosseini et al. 2017, arXiv:1708.03985",
        ),
        (
            "affwild",
            "Aff-Wild2, or Aff-Wild with the expressions of Aff-Wild2.",
            "Kollias and Zafeiriou 2018, arXiv:1811.07770",
        ),
        (
            "rafdb",
            "RAF-DB basic, compound, RAF-ML, or the paper's mixture of six classes.",
            "Li, Deng and Du 2017, CVPR",
        ),
        (
            "ferplus",
            "FER2013 with ten FER+ votes for each face.",
            "Barsoum et al. 2016, arXiv:1608.01041",
        ),
    ):
        function = f"ferc_core.datasets.{name}:open_{name}"
        register(DatasetSource(name, function, summary=summary, source=source))


@hookimpl
def register_label_schemes(register: Callable[[LabelScheme], None]) -> None:
    """The paper's labels (eqs 5-11) and the usual ones."""
    for name, function, base, summary, source in (
        ("one-hot", "unchanged", "one-hot", "The annotated class alone.", "-"),
        (
            "label-smoothing",
            "label_smoothing",
            "one-hot",
            "The annotated class, with epsilon spread evenly over all classes.",
            "Szegedy et al. 2016, arXiv:1512.00567",
        ),
        ("gmm", "unchanged", "gmm", "The valence-arousal mixture.", "FER-C, eqs 5-6"),
        ("fused", "unchanged", "fused", "Annotated class and mixture, fused.", "FER-C, eq. 7"),
        (
            "ferc",
            "soften",
            "fused",
            "The fused label, softened by how visible the face still is.",
            "FER-C, eqs 8-11",
        ),
        ("dataset", "unchanged", "dataset", "The dataset's own label distributions.", "-"),
    ):
        register(
            LabelScheme(
                name,
                f"ferc_core.labels.schemes:{function}",
                base=base,  # type: ignore[arg-type]
                summary=summary,
                source=source,
            )
        )


@hookimpl
def register_executors(register: Callable[[Executor], None]) -> None:
    """Where independent work runs."""
    for name, summary in (
        ("serial", "One item after the other, in this process."),
        ("threads", "Threads of this process; OpenCV and NumPy release the interpreter lock."),
        ("processes", "Processes of this machine."),
    ):
        register(
            Executor(name, f"ferc_core.base.parallel:{name}", summary=summary, source="Python")
        )


@hookimpl
def register_reporters(register: Callable[[Reporter], None]) -> None:
    """The formats of ``ferc results``."""
    for name, summary in (
        ("table", "A table for the terminal."),
        ("json", "A list of objects."),
        ("csv", "Comma-separated values."),
        ("markdown", "A table for GitHub and the like."),
        ("latex", "A booktabs table for a paper."),
    ):
        function = f"ferc_core.results.formats:{'json_' if name == 'json' else name}"
        register(Reporter(name, function, summary=summary, source="FER-C"))
