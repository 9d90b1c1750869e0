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
        "Cross-entropy that cares less for what is already right.",
        "Lin et al. 2017, arXiv:1708.02002; FER-C uses gamma = 1",
    ),
    (
        "maxent",
        "maxent:maxent",
        "Focal loss with a constraint on the expected class index.",
        "FER-C, eq. 12; Neo et al., MaxEnt Loss",
    ),
    (
        "maxent+mbls",
        "maxent:maxent_mbls",
        "FER-C's calibrated objective: maxent with mbls(margin=10,weight=1,reduction=sum).",
        "FER-C, eq. 14",
    ),
)
# the same; they look at the logits alone
PENALTIES = (
    (
        "mbls",
        "margin:mbls",
        "Margin-based label smoothing: logits far below the largest are pulled up.",
        "Liu et al. 2022, arXiv:2111.15430; FER-C, eq. 13",
    ),
)
CALIBRATORS = (
    (
        "temperature",
        "temperature:fit_temperature",
        "Divides all logits by one number.",
        "Guo et al. 2017, arXiv:1706.04599",
    ),
)
# name, summary, source, what it trains with where nothing else is asked for (SPEC 1.10)
METHODS: tuple[tuple[str, str, str, dict[str, object]], ...] = (
    (
        "baseline",
        "A timm backbone (ResNet-18 by default) with a linear classifier.",
        "FER-C, section 5; He et al. 2016, arXiv:1512.03385",
        {},
    ),
)


@hookimpl
def register_losses(register: Callable[[Loss], None]) -> None:
    """Training objectives; `--loss a+b` adds them."""
    for rows, penalty in ((LOSSES, False), (PENALTIES, True)):
        for name, place, summary, source in rows:
            function = f"ferc_models.losses.{place}"
            register(Loss(name, function, penalty=penalty, summary=summary, source=source))


@hookimpl
def register_calibrators(register: Callable[[Calibrator], None]) -> None:
    """Post-hoc calibrators, fitted on the validation split."""
    for name, place, summary, source in CALIBRATORS:
        function = f"ferc_models.calibrators.{place}"
        register(Calibrator(name, function, summary=summary, source=source))


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
                defaults=defaults,
                summary=summary,
                source=source,
            )
        )
