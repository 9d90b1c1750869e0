"""FER-C: how trustworthy is a facial-expression-recognition model?

    import ferc_core as ferc

    faces = ferc.open_dataset("toyfaces")
    run = ferc.evaluate(model, faces, name="mine", out="r")
    run.summary()

The verbs are in `ferc_core.api`; what a plugin registers is in `ferc_core.spec`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # of typing, which takes longer to import than all the rest
if TYPE_CHECKING:
    from ferc_core.api import corrupt, evaluate, open_dataset, open_run, run, score
    from ferc_core.errors import FercError
    from ferc_core.faces import About, Face, FaceSet, FaceSplit
    from ferc_core.plugins.hooks import hookimpl
    from ferc_core.plugins.host import registry
    from ferc_core.spec import (
        Calibrator,
        Chart,
        Command,
        Corruption,
        DatasetSource,
        Executor,
        LabelScheme,
        Loss,
        Method,
        Metric,
        Predictor,
        Reporter,
        Visibility,
    )
    from ferc_core.task import Epoch, Examples, Task

__version__ = "0.2.0"

__all__ = [
    "About",
    "Calibrator",
    "Chart",
    "Command",
    "Corruption",
    "DatasetSource",
    "Epoch",
    "Examples",
    "Executor",
    "Face",
    "FaceSet",
    "FaceSplit",
    "FercError",
    "LabelScheme",
    "Loss",
    "Method",
    "Metric",
    "Predictor",
    "Reporter",
    "Task",
    "Visibility",
    "corrupt",
    "evaluate",
    "hookimpl",
    "open_dataset",
    "open_run",
    "registry",
    "run",
    "score",
]

# Imported when they are first used, so that the import of this package stays light, and that of
# the command line is done before anybody presses Ctrl-C.
# fmt: off
_LATER = {
    "api": ("corrupt", "evaluate", "open_dataset", "open_run", "run", "score"),
    "errors": ("FercError",),
    "faces": ("About", "Face", "FaceSet", "FaceSplit"),
    "plugins.hooks": ("hookimpl",),
    "plugins.host": ("registry",),
    "spec": (
        "Calibrator", "Chart", "Command", "Corruption", "DatasetSource", "Executor", "LabelScheme",
        "Loss", "Method", "Metric", "Predictor", "Reporter", "Visibility",
    ),
    "task": ("Epoch", "Examples", "Task"),
}
# fmt: on


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"ferc_core.{module}"), name)
    raise AttributeError(f"module 'ferc_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, "__doc__", "__version__"})
