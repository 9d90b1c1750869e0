"""What this package registers. Light: nothing here imports torch, timm or NumPy."""

from __future__ import annotations

from collections.abc import Callable

from ferc_core import Calibrator, Loss, Method, hookimpl


@hookimpl
def register_losses(register: Callable[[Loss], None]) -> None:
    """Training objectives; `--loss a+b` adds them."""
    for name, function, penalty, summary, source in (
        ("ce", "cross_entropy", False, "Cross-entropy, for hard and soft targets.", "-"),
        (
            "focal",
            "focal",
            False,
            "Cross-entropy that cares less for what is already right.",
            "Lin et al. 2017, arXiv:1708.02002; FER-C uses gamma = 1",
        ),
        (
            "maxent",
            "maxent",
            False,
            "Focal loss with a constraint on the expected class index.",
            "FER-C, eq. 12; Neo et al., MaxEnt Loss",
        ),
        (
            "mbls",
            "mbls",
            True,
            "Margin-based label smoothing: logits far below the largest are pulled up.",
            "Liu et al. 2022, arXiv:2111.15430; FER-C, eq. 13",
        ),
        (
            "maxent+mbls",
            "maxent_mbls",
            False,
            "FER-C's calibrated objective: maxent with mbls(margin=10,weight=1,reduction=sum).",
            "FER-C, eq. 14",
        ),
    ):
        register(
            Loss(
                name,
                f"ferc_models.losses:{function}",
                penalty=penalty,
                summary=summary,
                source=source,
            )
        )


@hookimpl
def register_calibrators(register: Callable[[Calibrator], None]) -> None:
    """Post-hoc calibrators."""
    register(
        Calibrator(
            "temperature",
            "ferc_models.calibrators:fit_temperature",
            summary="Divides all logits by one number, fitted on the validation split.",
            source="Guo et al. 2017, arXiv:1706.04599",
        )
    )


@hookimpl
def register_methods(register: Callable[[Method], None]) -> None:
    """FER methods."""
    register(
        Method(
            "baseline",
            "ferc_models.baseline:fit",
            load="ferc_models.baseline:load",
            summary="A timm backbone (ResNet-18 by default) with a linear classifier.",
            source="FER-C, section 5; He et al. 2016, arXiv:1512.03385",
        )
    )
