"""Losses on pairs of logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, check_hard, full_precision
from ferc_models.losses.classification import cross_entropy
from ferc_models.options import number


def cpc(
    num_classes: int,
    class_prior: Prior,
    lambda_bdc: float = 1.0,
    lambda_bec: float = 1.0,
    class_weights: str = "none",
) -> Loss:
    """Calibration by pairwise constraints: CE + lambda_bdc BDC + lambda_bec BEC, on logits l.

    BDC, binary discrimination: the mean of -log sigmoid(l_y - l_j) over the K - 1 other classes j.
    BEC, binary exclusion: -0.5 log sigmoid(l_i - l_j), summed over all pairs (i, j) of these, i = j
    included (a constant), over (K - 1)(K - 2). Both are means over the batch.

    Hard targets only, else `SoftTargetsError`; K >= 3, else `RequestError`. ``class_weights``, as
    in `cross_entropy`, apply to the CE. Source: Cheng and Vasconcelos 2022, CVPR, "Calibrating Deep
    Neural Networks by Pairwise Constraints". Both weights are 1 in FER-C, whose code passes
    probabilities instead of logits and ignores the class weights; the code of Liu et al. (CALS)
    trains with lambda_bdc = 0.1 and adds 1e-7 to the differences in BEC.
    """
    if num_classes < 3:
        raise RequestError(f"loss 'cpc' needs at least 3 classes, not {num_classes}")
    lambda_bdc, lambda_bec = number("lambda_bdc", lambda_bdc), number("lambda_bec", lambda_bec)
    classification = cross_entropy(num_classes, class_prior, class_weights)
    others = num_classes - 1

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        check_hard("cpc", targets)
        logits = full_precision(logits)
        target, other = targets.to(logits), 1 - targets.to(logits)
        above = (target * logits).sum(dim=1, keepdim=True) - logits
        bdc = -(other * F.logsigmoid(above)).sum(dim=1) / others
        pairs = F.logsigmoid(logits[:, :, None] - logits[:, None, :])
        both_other = other[:, :, None] * other[:, None, :]
        bec = -0.5 * (both_other * pairs).sum(dim=(1, 2)) / (others * (others - 1))
        constraints = lambda_bdc * bdc.mean() + lambda_bec * bec.mean()
        return classification(logits, targets) + constraints

    return loss
