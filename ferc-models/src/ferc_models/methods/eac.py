"""The method ``eac``: erasing attention consistency.

Parts of the training images are erased, and the attention maps of an image and its mirror image
must agree, so that a network cannot memorise a wrong label by one small part of a face.

Source: Zhang et al. 2022, arXiv:2207.10299, as the method's authors train it. FER-C's own script
weights the consistency by 0.1, mixes up channels and positions of the maps, and also erases test
images.
"""

from __future__ import annotations

from torch import Tensor, nn

from ferc_core.task import Task
from ferc_models.losses import Objective
from ferc_models.methods.attention import AttentionNetwork, look_twice
from ferc_models.options import number
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch


class EacLearner(Learner):
    """Objective of the unmirrored images + weight * mean inconsistency of the attention.

    weight: lambda of the paper, at least 0; 5 is the authors', 0.1 FER-C's.
    """

    network: AttentionNetwork

    def __init__(
        self, task: Task, network: AttentionNetwork, objective: Objective, *, weight: float = 5.0
    ) -> None:
        super().__init__(task, network, objective)
        self.weight = number("weight", weight)

    def compiled_parts(self) -> list[nn.Module]:
        """Return the backbone, which `look_twice` calls."""
        return [self.network.backbone]

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""
        logits, inconsistency = look_twice(self.network, batch.images)
        return self.objective(logits, batch.targets) + self.weight * inconsistency.mean()


RECIPE = Recipe("eac", AttentionNetwork, EacLearner, augment="erase")
fit, load = RECIPE.fit, RECIPE.load
