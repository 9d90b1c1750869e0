"""What this package registers: every metric by its name. Light; NumPy comes with the first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from ferc_core import hookimpl
from ferc_core.spec import Metric

GUO = "Guo et al. 2017, arXiv:1706.04599"
MUKHOTI = "Mukhoti et al. 2020, arXiv:2002.09437, sec. 3"
KULL = "Kull et al. 2019, arXiv:1910.12656"
GUPTA = "Gupta et al. 2021, arXiv:2006.12800"
BRIER = "Brier 1950, Monthly Weather Review 78"
CODE = "FER-C code"

# name, title, summary, source, by module; a name that starts with "soft_" takes soft targets
METRICS = {
    "classification": (
        ("accuracy", "accuracy", "Fraction of samples whose class is predicted.", "-"),
        ("macro_f1", "F1", "Mean of the classes' F1 scores.", "FER-C, eq. 1"),
    ),
    "proper": (
        ("nll", "NLL", "Negative log-likelihood in nats.", "FER-C, eq. 2"),
        ("brier", "brier", "Squared error, summed over classes.", BRIER),
        ("soft_nll", "soft NLL", "Cross-entropy to the soft label in nats.", "FER-C, eq. 2"),
        ("soft_brier", "soft brier", "Squared error to the soft label.", BRIER),
    ),
    "calibration": (
        ("ece", "ECE", "Expected calibration error, 15 equal bins.", f"FER-C, eq. 3; {GUO}"),
        ("mce", "MCE", "Largest calibration error of a bin.", f"{GUO}, eq. 5"),
        ("ada_ece", "ada ECE", "Calibration error over bins of equal mass.", MUKHOTI),
        ("classwise_ece", "classwise ECE", "Calibration error of each class, averaged.", KULL),
        ("kse", "KSE", "Kolmogorov-Smirnov calibration error.", f"FER-C, eq. 4; {GUPTA}"),
    ),
    "soft_calibration": (
        ("soft_ece", "soft ECE", "ece with y[predicted] as the accuracy.", "FER-C, eq. 3"),
        ("soft_mce", "soft MCE", "mce with y[predicted] as the accuracy.", f"{GUO}, eq. 5"),
        ("soft_ada_ece", "soft ada ECE", "ada_ece with y[predicted] as the accuracy.", MUKHOTI),
        ("soft_classwise_ece", "soft classwise ECE", "classwise_ece against each y_k.", KULL),
        ("soft_kse", "soft KSE", "kse with y[predicted] as the accuracy.", GUPTA),
        ("soft_ece_ferc", "soft ECE ferc", "soft_ece as the authors compute it.", CODE),
        ("soft_ada_ece_ferc", "soft ada ECE ferc", "soft_ada_ece as the authors do.", CODE),
        ("soft_kse_ferc", "soft KSE ferc", "soft_kse as the authors compute it.", CODE),
    ),
}
NATS = ("nll", "soft_nll")
RESAMPLED = ("accuracy", "macro_f1", "nll", "ece", "kse", "soft_nll", "soft_ece", "soft_kse")
VIEWS: Mapping[str, tuple[Literal["clean", "corrupted", "by"], ...]] = {
    "accuracy": ("clean", "corrupted", "by"),
    "macro_f1": ("clean", "corrupted", "by"),
    **dict.fromkeys(("ece", "kse", "nll"), ("clean",)),
    **dict.fromkeys(("soft_ece", "soft_kse", "soft_nll"), ("corrupted", "by")),
}


@hookimpl
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Classification and calibration metrics, for hard and for soft labels."""
    for module, rows in METRICS.items():
        for name, title, summary, source in rows:
            fast = f"ferc_metrics.resampled:{name.removeprefix('soft_')}"
            register(
                Metric(
                    name,
                    f"ferc_metrics.{module}:{name}",
                    summary=summary,
                    source=source,
                    target="soft" if name.startswith("soft_") else "hard",
                    higher_is_better=module == "classification",
                    title=title,
                    unit="nats" if name in NATS else "fraction",
                    views=VIEWS.get(name, ()),
                    resampled=fast if name in RESAMPLED else None,
                )
            )
