"""What this package registers: every metric by its name. Light; NumPy comes with the first call."""

from __future__ import annotations

from collections.abc import Callable

from ferc_core.plugins.hooks import hookimpl
from ferc_core.spec import Metric

GUO = "Guo et al. 2017, arXiv:1706.04599"
MUKHOTI = "Mukhoti et al. 2020, arXiv:2002.09437, sec. 3"
KULL = "Kull et al. 2019, arXiv:1910.12656"
GUPTA = "Gupta et al. 2021, arXiv:2006.12800"
BRIER = "Brier 1950, Monthly Weather Review 78"

# module, name, summary, source; a name that starts with "soft_" takes soft targets
METRICS = (
    ("classification", "accuracy", "Share of samples whose class is predicted.", "-"),
    ("classification", "macro_f1", "Mean of the classes' F1 scores.", "FER-C, eq. 1"),
    ("proper", "nll", "Negative log-likelihood in nats.", "FER-C, eq. 2"),
    ("proper", "brier", "Squared error, summed over classes.", BRIER),
    ("calibration", "ece", "Expected calibration error, 15 equal bins.", f"FER-C, eq. 3; {GUO}"),
    ("calibration", "mce", "Largest calibration error of a bin.", f"{GUO}, eq. 5"),
    ("calibration", "ada_ece", "Calibration error over bins of equal mass.", MUKHOTI),
    ("calibration", "classwise_ece", "Calibration error of each class, averaged.", KULL),
    ("calibration", "kse", "Kolmogorov-Smirnov calibration error.", f"FER-C, eq. 4; {GUPTA}"),
    ("proper", "soft_nll", "Cross-entropy to the soft label in nats.", "FER-C, eq. 2"),
    ("proper", "soft_brier", "Squared error to the soft label.", BRIER),
    ("soft_calibration", "soft_ece", "ece; right to the share y[predicted].", "FER-C, eq. 3"),
    ("soft_calibration", "soft_mce", "mce; right to the share y[predicted].", f"{GUO}, eq. 5"),
    ("soft_calibration", "soft_ada_ece", "ada_ece; right to the share y[predicted].", MUKHOTI),
    ("soft_calibration", "soft_classwise_ece", "classwise_ece against each y_k.", KULL),
    ("soft_calibration", "soft_kse", "kse; right to the share y[predicted].", GUPTA),
    ("soft_calibration", "soft_ece_ferc", "soft_ece as the authors compute it.", "FER-C code"),
    ("soft_calibration", "soft_ada_ece_ferc", "soft_ada_ece as the authors do.", "FER-C code"),
    ("soft_calibration", "soft_kse_ferc", "soft_kse as the authors compute it.", "FER-C code"),
)


@hookimpl
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Classification and calibration metrics, for hard and for soft labels."""
    for module, name, summary, source in METRICS:
        register(
            Metric(
                name,
                f"ferc_metrics.{module}:{name}",
                summary=summary,
                source=source,
                target="soft" if name.startswith("soft_") else "hard",
                higher_is_better=module == "classification",
            )
        )
