"""A loss of your own: Brier's score as a training objective.

    ferc run --plugin examples/my_loss.py --loss ce --loss brier --loss "brier(weight=2)+mbls"

``build`` is called once for each training. torch is imported inside it, so that listing plugins
stays fast.
"""

from ferc_core import Loss, hookimpl


def build(num_classes, class_prior, *, weight: float = 1.0):
    """Return f(logits [B, K], targets [B, K]) -> scalar."""

    def brier(logits, targets):
        return weight * (logits.softmax(dim=1) - targets).square().sum(dim=1).mean()

    return brier


@hookimpl
def register_losses(register):
    register(
        Loss("brier", build, summary="Squared distance of probabilities.", source="Brier 1950")
    )
