"""What the core itself registers: datasets, label schemes, executors, charts, commands, ..."""

from __future__ import annotations

from collections.abc import Callable

from ferc_core.plugins.hooks import hookimpl
from ferc_core.spec import Chart, Command, DatasetSource, Executor, LabelScheme, Reporter


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
            # small enough for a laptop's CPU; test_resnet is timm's smallest ResNet
            defaults={
                "backbone": "test_resnet",
                "image_size": 64,
                "epochs": 8,
                "batch_size": 64,
                "learning_rate": 2e-3,
            },
            note="this is the built-in demonstration: drawn faces, with a smaller backbone and "
            "smaller images than the paper's (resnet18 at 224x224)",
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
                uses_visibility=function == "soften",
                summary=summary,
                source=source,
            )
        )


@hookimpl
def register_executors(register: Callable[[Executor], None]) -> None:
    """Worker backends for independent work."""
    for name, summary in (
        ("serial", "One item after the other, in this process."),
        ("threads", "Threads of this process; OpenCV and NumPy release the interpreter lock."),
        ("processes", "Processes of this machine."),
    ):
        register(
            Executor(name, f"ferc_core.base.parallel:{name}", summary=summary, source="Python")
        )
    register(
        Executor(
            "dask",
            "ferc_core.base.cluster:dask",
            everywhere="ferc_core.base.cluster:everywhere",
            leave="ferc_core.base.cluster:leave",
            summary="A Dask cluster: on this machine, or that of scheduler=tcp://HOST:PORT.",
            source="Dask",
        )
    )


@hookimpl
def register_reporters(register: Callable[[Reporter], None]) -> None:
    """The formats of ``ferc results``."""
    for name, summary, suffix in (
        ("table", "A table for the terminal.", ".txt"),
        ("json", "A list of objects.", ".json"),
        ("csv", "Comma-separated values.", ".csv"),
        ("markdown", "A table for GitHub and the like.", ".md"),
        ("latex", "A booktabs table for a paper.", ".tex"),
    ):
        module = "latex" if name == "latex" else "formats"
        function = f"ferc_core.results.{module}:{'json_' if name == 'json' else name}"
        register(Reporter(name, function, summary=summary, source="FER-C", suffixes=(suffix,)))


@hookimpl
def register_charts(register: Callable[[Chart], None]) -> None:
    """The charts of ``ferc plot`` and ``run.chart``."""
    for name, function, title, summary, source in (
        ("severity", "severity:severity", "Scores against severity",
         "Scores against severity, with their intervals.", "FER-C"),
        ("heatmap", "heatmap:heatmap", "Every cell",
         "Scores of every corruption and severity, or differences between two trials.", "FER-C"),
        ("reliability", "reliability:reliability", "Reliability",
         "Accuracy against confidence, binned or isotonic.",
         "Guo et al. 2017, arXiv:1706.04599; Dimitriadis et al. 2021, arXiv:2008.03033"),
        ("confidence", "confidence:confidence", "Confidence",
         "Histograms of the confidence, right and wrong.", "-"),
        ("confusion", "confusion:confusion", "Confusion",
         "Which class is taken for which: clean, corrupted, and the change.", "-"),
        ("tradeoff", "trials:tradeoff", "F1 against KSE",
         "F1 against KSE of every trial, clean and corrupted.", "FER-C, figure 5"),
        ("nll", "trials:nll", "NLL", "NLL of every trial, clean and corrupted.", "FER-C, figure 6"),
        ("risk-coverage", "risk:risk_coverage", "Risk against coverage",
         "The error among the most confident images.", "Geifman 2019, arXiv:1805.08206"),
        ("classes", "classes:classes", "Classes",
         "F1 and overconfidence of each class, clean and corrupted.", "-"),
        ("visibility", "visibility:visibility", "Visibility",
         "Visibility of every cell, and how far it softens labels.", "FER-C, figure 4"),
        ("labels", "faces:labels", "Soft labels",
         "A face in several cells with its soft label.", "FER-C, figures 1, 3, 7 and 8"),
        ("corruptions", "faces:corruptions", "Corruptions",
         "A face under every corruption.", "FER-C, figure 2"),
        ("valence-arousal", "plane:valence_arousal", "Valence and arousal",
         "Training faces in the plane, and the mixture.", "FER-C, eqs 5-6"),
    ):  # fmt: skip
        register(
            Chart(
                name,
                f"ferc_core.results.charts.{function}",
                title=title,
                summary=summary,
                source=source,
            )
        )


@hookimpl
def register_commands(register: Callable[[Command], None]) -> None:
    """The commands of ``ferc``, in the order of its help."""
    for name, summary in (
        ("run", "Run the whole benchmark: train, predict every cell, calibrate, score."),
        ("build", "Write FER-C to disk: every corrupted image, soft labels, a manifest."),
        ("verify", "Check a build: every file and count against its manifest."),
        ("score", "Score predictions that some other program made."),
        ("results", "Show the scores of a run directory, alone or beside the paper's."),
        ("intervals", "Show the scores of a run directory with their intervals."),
        ("report", "Write one page on runs, for people who did not run them."),
        ("plot", "Draw a chart of runs: SVG, PNG, PDF, HTML or JSON."),
        ("corrupt", "Make all variants of one image, with a contact sheet."),
        ("data", "Look at a dataset before anything is run on it."),
        ("gmm", "The valence-arousal mixture of a dataset, for other datasets to use."),
        ("list", "List what is registered of one kind: corruptions, losses, metrics, ..."),
        ("plugins", "List the plugins in use, their versions and hooks, and their faults."),
    ):
        register(Command(name, f"ferc_core.cli.{name}:app", summary=summary, source="FER-C"))
