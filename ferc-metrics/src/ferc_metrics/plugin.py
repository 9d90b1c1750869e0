"""What this package registers: every metric by its name. Light; NumPy comes with the first call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from ferc_core import hookimpl
from ferc_core.spec import Metric, Need

GUO = "Guo et al. 2017, arXiv:1706.04599"
MUKHOTI = "Mukhoti et al. 2020, arXiv:2002.09437, sec. 3"
KULL = "Kull et al. 2019, arXiv:1910.12656"
GUPTA = "Gupta et al. 2021, arXiv:2006.12800"
BRIER = "Brier 1950, Monthly Weather Review 78"
CODE = "FER-C code"
BROECKER = "Broecker 2012; Kumar et al. 2019, arXiv:1909.10155"
SMITH = "Broecker and Smith 2007, Weather and Forecasting 22"
ROELOFS = "Roelofs et al. 2022, arXiv:2012.08668"
BLASIOK = "Blasiok and Nakkiran 2023, arXiv:2309.12236"
GENG = "Geng 2016, IEEE TKDE 28, table 1"
WIDMANN = "Widmann et al. 2019, arXiv:1910.11385"
CORP = "Dimitriadis et al. 2021, arXiv:2008.03033, eq. 4"
SADINLE = "Sadinle et al. 2019, arXiv:1609.00451"
HENDRYCKS = "Hendrycks and Gimpel 2017, arXiv:1610.02136"
HOULSBY = "Houlsby et al. 2011, arXiv:1112.5745, eq. 2"
BAAN = "Baan et al. 2022, arXiv:2210.16133"

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
        (
            "soft_ece",
            "soft ECE",
            "ECE against what the soft label gives the predicted class.",
            "FER-C, eq. 3",
        ),
        (
            "soft_mce",
            "soft MCE",
            "MCE against what the soft label gives the predicted class.",
            f"{GUO}, eq. 5",
        ),
        (
            "soft_ada_ece",
            "soft ada ECE",
            "ada ECE against what the soft label gives the predicted class.",
            MUKHOTI,
        ),
        ("soft_classwise_ece", "soft classwise ECE", "classwise_ece against each y_k.", KULL),
        (
            "soft_kse",
            "soft KSE",
            "KSE against what the soft label gives the predicted class.",
            GUPTA,
        ),
        ("soft_ece_ferc", "soft ECE ferc", "soft_ece as the authors compute it.", CODE),
        ("soft_ada_ece_ferc", "soft ada ECE ferc", "soft_ada_ece as the authors do.", CODE),
        ("soft_kse_ferc", "soft KSE ferc", "soft_kse as the authors compute it.", CODE),
    ),
    "estimators": (
        (
            "debiased_ece",
            "debiased ECE",
            "Root mean squared gap, less what chance makes.",
            BROECKER,
        ),
        ("ece_sweep", "ECE sweep", "ECE with as many bins as are monotone.", ROELOFS),
        ("smooth_ece", "smooth ECE", "Gap after smoothing, at its own width.", BLASIOK),
    ),
    "chance": (
        ("ece_p", "p of ECE", "Probability that a calibrated model has an ECE as large.", SMITH),
    ),
    "kernel": (
        ("skce", "SKCE", "Squared kernel error of the whole distributions, unbiased.", WIDMANN),
        ("skce_p", "p of SKCE", "Probability of as large a SKCE if calibrated.", WIDMANN),
    ),
    "decomposition": (
        ("brier_calibration", "brier MCB", "What recalibration would mend of (s - a)^2.", CORP),
        ("brier_refinement", "brier refinement", "What it would leave of (s - a)^2.", CORP),
        ("nll_calibration", "NLL MCB", "What recalibration would mend of the binary NLL.", CORP),
        ("nll_refinement", "NLL refinement", "What it would leave of the binary NLL.", CORP),
    ),
    "conformal": (
        ("conformal_coverage", "coverage", "Samples whose label is in their set.", SADINLE),
        ("conformal_size", "set size", "Mean number of classes in the sets.", SADINLE),
    ),
    "confidence": (
        ("mean_confidence", "confidence", "Mean of the largest probabilities.", "-"),
        ("clean_auroc", "clean AUROC", "AUROC of confidence, clean to corrupted.", HENDRYCKS),
        (
            "visibility_correlation",
            "visibility correlation",
            "Rank correlation of confidence with visibility.",
            "Spearman 1904",
        ),
    ),
    "ensembles": (
        ("disagreement", "disagreement", "Mutual information of label and model.", HOULSBY),
        (
            "disagreement_correlation",
            "disagreement correlation",
            "Its rank correlation with the entropy of the annotators' labels.",
            "Spearman 1904",
        ),
    ),
    "selective": (
        ("aurc", "AURC", "Area under the risk-coverage curve.", "Geifman 2019, arXiv:1805.08206"),
        ("excess_aurc", "excess AURC", "aurc less that of the best order.", "as aurc"),
        ("augrc", "AUGRC", "Area under the generalised curve.", "Traub 2024, arXiv:2407.01032"),
        ("accuracy_at_coverage", "accuracy at coverage", "Of the 80 % most confident.", "-"),
    ),
    "distributions": (
        ("kl", "KL", "KL divergence of the prediction from the label, in nats.", GENG),
        ("js", "JS", "Jensen-Shannon divergence in nats.", "Lin 1991"),
        ("chebyshev", "Chebyshev", "Largest difference of any class.", GENG),
        ("clark", "Clark", "Root of the summed squared relative differences.", GENG),
        ("canberra", "Canberra", "Sum of the relative differences.", GENG),
        ("cosine", "cosine", "Cosine of the angle between both.", GENG),
        ("intersection", "intersection", "Sum of the smaller of both.", GENG),
        ("dist_ce", "DistCE", "Total variation distance to the votes.", BAAN),
        ("ent_ce", "EntCE", "Difference of entropies to the votes, in nats.", BAAN),
        ("rank_cs", "RankCS", "Fraction whose classes stand in the order of the votes.", BAAN),
    ),
}
NATS = (
    "nll",
    "soft_nll",
    "kl",
    "js",
    "ent_ce",
    "nll_calibration",
    "nll_refinement",
    "disagreement",
)
PLAIN = (
    "clark",
    "canberra",
    "ece_p",
    "skce",
    "skce_p",
    "conformal_size",
    "visibility_correlation",
    "disagreement_correlation",
)
ON_REQUEST = ("ece_p", "skce", "skce_p")  # for they take long
NEEDS: Mapping[str, tuple[Need, ...]] = {
    "conformal_coverage": ("validation",),
    "conformal_size": ("validation",),
    "clean_auroc": ("clean",),
    "visibility_correlation": ("visibility",),
    "disagreement": ("members",),
    "disagreement_correlation": ("members", "distribution"),
}
HIGHER = (
    "ece_p",
    "skce_p",
    "conformal_coverage",
    "clean_auroc",
    "visibility_correlation",
    "disagreement_correlation",
    "accuracy",
    "macro_f1",
    "accuracy_at_coverage",
    "cosine",
    "intersection",
    "rank_cs",
)
SOFT = ("distributions", "soft_calibration")  # modules whose metrics take label distributions
RESAMPLED = (
    *("accuracy", "macro_f1", "nll", "ece", "kse"),
    *("soft_nll", "soft_ece", "soft_kse", "mean_confidence"),
)
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
                    target="soft" if module in SOFT or name.startswith("soft_") else "hard",
                    higher_is_better=name in HIGHER,
                    title=title,
                    unit="nats" if name in NATS else "plain" if name in PLAIN else "fraction",
                    views=VIEWS.get(name, ()),
                    on_request=name in ON_REQUEST,
                    needs=NEEDS.get(name, ()),
                    resampled=fast if name in RESAMPLED else None,
                )
            )
