"""What this package registers. Light: nothing here imports torch, timm or NumPy."""

from __future__ import annotations

from collections.abc import Callable

from ferc_core import Calibrator, Loss, Method, hookimpl

# name, module and function, summary, source
LOSSES = (
    ("ce", "classification:cross_entropy", "Cross-entropy, for hard and soft targets.", "-"),
    (
        "focal",
        "classification:focal",
        "Cross-entropy that down-weights well-classified samples.",
        "Lin et al. 2017, arXiv:1708.02002; FER-C uses gamma = 1",
    ),
    (
        "focal-adaptive",
        "classification:focal_adaptive",
        "Focal loss with an exponent for each sample (FLSD-53); hard targets only.",
        "Mukhoti et al. 2020, arXiv:2002.09437",
    ),
    (
        "inv-focal",
        "classification:inv_focal",
        "Cross-entropy that up-weights well-classified samples and so sharpens predictions.",
        "Wang et al. 2021, Rethinking Calibration of Deep Neural Networks; gamma = 1 as in FER-C",
    ),
    (
        "poly",
        "classification:poly",
        "Poly-1: cross-entropy plus epsilon (1 - probability of the target).",
        "Leng et al. 2022, arXiv:2204.12511",
    ),
    (
        "label-smoothing",
        "classification:label_smoothing",
        "Cross-entropy with targets that are mixed with the uniform distribution.",
        "Szegedy et al. 2016, arXiv:1512.00567",
    ),
    (
        "avuc",
        "uncertainty:avuc",
        "Cross-entropy plus accuracy versus uncertainty: certain if right, uncertain if wrong.",
        "Krishnan and Tickoo 2020, arXiv:2012.07923; FER-C uses beta = 3",
    ),
    (
        "soft-avuc",
        "uncertainty:soft_avuc",
        "Accuracy versus uncertainty with a smooth step between certain and uncertain.",
        "Karandikar et al. 2021, arXiv:2108.00106, eq. 15",
    ),
    (
        "cpc",
        "pairwise:cpc",
        "Cross-entropy with constraints on pairs of classes; hard targets, at least 3 classes.",
        "Cheng and Vasconcelos 2022, Calibrating Deep Neural Networks by Pairwise Constraints",
    ),
    (
        "maxent",
        "maxent:maxent",
        "Focal loss with constraints on the moments of the class index.",
        "FER-C, eq. 12; Neo et al. 2024, arXiv:2310.17159",
    ),
)
# the same; they depend on the logits alone
PENALTIES = (
    (
        "mbls",
        "margin:mbls",
        "Margin-based label smoothing: penalises logits far below the largest.",
        "Liu et al. 2022, arXiv:2111.15430; FER-C, eq. 13",
    ),
    (
        "cals-alm",
        "adaptive:cals_alm",
        "Class-adaptive margin: a multiplier for each class adapts during training.",
        "Liu et al. 2023, arXiv:2211.15088",
    ),
)
CALIBRATORS = (
    (
        "temperature",
        "temperature:fit_temperature",
        "Divides all logits by one number.",
        "Guo et al. 2017, arXiv:1706.04599",
    ),
    (
        "vector",
        "vector:fit_vector",
        "Scales and shifts the logits of each class; the prediction may change.",
        "Guo et al. 2017, arXiv:1706.04599",
    ),
    (
        "matrix",
        "matrix:fit_matrix",
        "A regularised affine map of the logits; the prediction may change.",
        "Guo et al. 2017, arXiv:1706.04599; Kull et al. 2019, arXiv:1910.12656",
    ),
    (
        "dirichlet",
        "dirichlet:fit_dirichlet",
        "An affine map of the log-probabilities; the prediction may change.",
        "Kull et al. 2019, arXiv:1910.12656",
    ),
    (
        "isotonic",
        "isotonic:fit_isotonic",
        "Isotonic regression of each class, which may change the prediction, or of confidence.",
        "Zadrozny and Elkan 2002, Transforming classifier scores into probability estimates",
    ),
    (
        "histogram",
        "histogram:fit_histogram",
        "Histogram binning of each class, which may change the prediction, or of confidence.",
        "Zadrozny and Elkan 2001, Obtaining calibrated probability estimates",
    ),
    (
        "spline",
        "spline:fit_spline",
        "Corrects the confidence by a spline of the cumulative calibration error.",
        "Gupta et al. 2021, arXiv:2006.12800",
    ),
    (
        "ada-ts",
        "ada_ts:fit_ada_ts",
        "A temperature for each image, from a class-conditional VAE of its logits.",
        "Joy et al. 2023, arXiv:2207.06211",
    ),
)
# the penultimate features of a model are theirs where predictions keep them
WITH_FEATURES = ("ada-ts", "multi-domain-ts")
# the largest logit keeps the largest probability; so it does with top_label=true in the others
KEEPING = ("temperature", "spline", *WITH_FEATURES)
# the same; they are fitted on the validation images in all cells, and given the cell of each
DOMAIN_CALIBRATORS = (
    (
        "multi-domain-ts",
        "multi_domain:fit_multi_domain",
        "A temperature for each image, predicted from the temperatures of all cells.",
        "Yu et al. 2022, arXiv:2206.02757",
    ),
)
# name, summary, source, defaults of the training settings (the authors' values)
METHODS: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    (
        "baseline",
        "A timm backbone (ResNet-18 by default) with a linear classifier.",
        "FER-C, section 5; He et al. 2016, arXiv:1512.03385",
        {},
    ),
    (
        "scn",
        "Self-Cure Network: weights images by label certainty and corrects labels.",
        "Wang et al. 2020, arXiv:2002.10392",
        {},
    ),
    (
        "dmue",
        "Auxiliary branches mine soft labels and estimate label uncertainty.",
        "She et al. 2021, arXiv:2104.00232; FER-C, section 5",
        {"batch_size": 128},
    ),
    (
        "rul",
        "Learns the uncertainty of an image by mixing its features with another's.",
        "Zhang et al. 2021, Relative Uncertainty Learning, NeurIPS",
        {"learning_rate": 2e-4},
    ),
    (
        "swinv2_t",
        "A Swin Transformer V2 (tiny; size=mini for small images) with a linear classifier.",
        "Liu et al. 2022, arXiv:2111.09883; FER-C, section 5",
        {"backbone": "swinv2_tiny_window8_256", "batch_size": 32, "learning_rate": 5e-5},
    ),
    (
        "eac",
        "Erasing attention consistency: attention maps that are invariant to mirroring.",
        "Zhang et al. 2022, arXiv:2207.10299",
        {},
    ),
    (
        "mek",
        "Smooths labels towards rare classes, and weights attention consistency by rarity.",
        "Zhang et al. 2023, Leave No Stone Unturned (Mine Extra Knowledge)",
        {},
    ),
)


@hookimpl
def register_losses(register: Callable[[Loss], None]) -> None:
    """Training objectives; ``--loss a+b`` adds them."""
    for rows, penalty in ((LOSSES, False), (PENALTIES, True)):
        for name, place, summary, source in rows:
            function = f"ferc_models.losses.{place}"
            register(Loss(name, function, penalty=penalty, summary=summary, source=source))
    register(
        Loss(
            "maxent+mbls",
            "ferc_models.losses.objective:maxent_mbls",
            terms=("maxent", "mbls(margin=10,reduction=sum,weight=1)"),
            aliases=("ferc",),
            summary="FER-C's calibrated objective: maxent plus the summed mbls of weight 1.",
            source="FER-C, eq. 14",
        )
    )


@hookimpl
def register_calibrators(register: Callable[[Calibrator], None]) -> None:
    """Post-hoc calibrators, fitted on the validation split."""
    for rows, domains in ((CALIBRATORS, False), (DOMAIN_CALIBRATORS, True)):
        for name, place, summary, source in rows:
            function = f"ferc_models.calibrators.{place}"
            register(
                Calibrator(
                    name,
                    function,
                    domains=domains,
                    features=name in WITH_FEATURES,
                    keeps_prediction=name in KEEPING,
                    summary=summary,
                    source=source,
                )
            )


@hookimpl
def register_methods(register: Callable[[Method], None]) -> None:
    """FER methods."""
    for name, summary, source, defaults in METHODS:
        module = f"ferc_models.methods.{name}"
        register(
            Method(
                name,
                f"{module}:fit",
                load=f"{module}:load",
                check=f"{module}:RECIPE.check",
                defaults=defaults,
                summary=summary,
                source=source,
            )
        )
    register(
        Method(
            "onnx",
            "ferc_models.methods.onnx:fit",
            load="ferc_models.methods.onnx:load",
            check="ferc_models.methods.onnx:check",
            trains=False,
            summary="A ready-made model in an ONNX file; needs the extra [onnx].",
            source="ONNX, https://onnx.ai",
        )
    )
