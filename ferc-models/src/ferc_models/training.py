"""The training loop that all methods share.

A method provides a network, which maps images to logits in evaluation mode, and a function that
computes the loss of a batch. State other than parameters belongs in buffers of the network: then
it is saved, and an interrupted training that is resumed ends with the same bytes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import Tensor, nn

from ferc_core.base.parallel import threads
from ferc_core.errors import DataError, RequestError, RunError
from ferc_core.task import PRECISIONS, Epoch, Examples, Task
from ferc_metrics.classification import accuracy, macro_f1
from ferc_models.compiling import compiled, forget_compiled
from ferc_models.images import (
    AUGMENTATIONS,
    DRAWS,
    Rows,
    Uploads,
    augmented,
    normalised,
    shuffled_batches,
)
from ferc_models.options import choice
from ferc_models.precision import check_precision, computing_in, scaler_for
from ferc_models.runtime import choose_device, computing_threads, deterministic, seeded, using
from ferc_models.saved.predictor import BATCH, network_logits
from ferc_models.saved.state import FILE, State, describe, load_state, save_state

WEIGHT_DECAY = 1e-5  # of Adam, an L2 term in the gradient; the authors' value
SECONDS_BETWEEN_REPORTS = 0.3


@dataclass(frozen=True)
class Batch:
    """A batch of epoch ``epoch`` (from 1): its rows of `Task.train`, images, targets and labels.

    ``images`` are normalised float32 [B, 3, S, S], ``targets`` float32 [B, K] and ``labels``, the
    annotated classes, int64 [B], all on one device.
    """

    epoch: int
    rows: Rows
    images: Tensor
    targets: Tensor
    labels: Tensor


BatchLoss = Callable[[nn.Module, Batch], Tensor]


def train(
    task: Task,
    network: nn.Module,
    batch_loss: BatchLoss,
    *,
    method: str,
    augment: str = "none",
    groups: list[dict[str, Any]] | None = None,
    after_epoch: Callable[[Tensor, Tensor], None] = lambda logits, targets: None,
    parts: Sequence[nn.Module] = (),
) -> State:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Adam without a schedule. The best epoch is the one with the highest validation macro-F1, the
    first of equals. The state after every epoch is saved in ``task.directory``; if there is one of
    the same task, the training is resumed from it and ends with the same bytes as without the
    interruption (on one machine and device).

    ``augment`` changes the training images: see `augmented`. ``groups`` are the optimiser's
    parameter groups; by default one for all. ``after_epoch(logits [V, K], targets [V, K])`` is
    called with those of the validation images, in float32, before the state is saved. ``parts`` are
    the modules that ``task.compile`` compiles for the training, by default the network; what they
    are called with should depend on the size of a batch alone.

    Raises `RequestError` for a task that cannot be trained or whose directory holds the state of
    another one, `DataError` for too few images, and `RunError` if the loss is not finite or
    torch.compile cannot be used.
    """
    check_task(task)
    choice("augment", augment, AUGMENTATIONS)
    device = choose_device(task.device)
    check_precision(task.precision, device)
    network.to(device, memory_format=torch.channels_last)
    scaler = scaler_for(task.precision, device)
    optimizer = torch.optim.Adam(
        groups or network.parameters(),
        lr=task.learning_rate,
        weight_decay=WEIGHT_DECAY,
        fused=True if scaler else None,  # so that the scaler need not ask the GPU for infinities
    )
    task.directory.mkdir(parents=True, exist_ok=True)
    path, description = task.directory / FILE, describe(task, method)
    state = load_state(path, description, network, optimizer, scaler)
    fast = (list(parts) or [network]) if task.compile else []
    forget_compiled(fast)

    def step(batch: Batch) -> Tensor:
        """Learn from one batch and return its loss, for which a GPU is not waited."""
        optimizer.zero_grad()
        with computing_in(task.precision, device):
            loss = batch_loss(network, batch)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return loss.detach()

    with using(device), deterministic(device), computing_threads(task.threads):
        for epoch in range(state.epoch + 1, task.epochs + 1):
            with seeded(task.seed, epoch), compiled(fast):
                work = Batches(task, epoch, augment, device)
                loss = train_epoch(task, epoch, network, step, work)
            logits = validation_logits(
                network, task.validation, device, task.workers, task.precision
            )
            after_epoch(torch.tensor(logits), torch.tensor(task.validation.targets).float())
            f1, right = judge(logits, task.validation)
            state.history.append({"epoch": epoch, "loss": loss, "f1": f1, "accuracy": right})
            if f1 > state.best_f1:
                state.best_f1 = f1
                state.best = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            save_state(path, description, state, network, optimizer, scaler)
            task.progress(Epoch(epoch, task.epochs, 1.0, loss, f1))
    network.load_state_dict(state.best)
    return state


def train_epoch(
    task: Task,
    epoch: int,
    network: nn.Module,
    step: Callable[[Batch], Tensor],
    batches: Batches,
) -> float:
    """Take a step for every batch of an epoch, and return the mean loss of an image."""
    network.train()
    total, seen, reported = 0.0, 0, time.monotonic()
    for number, batch in enumerate(batches, start=1):
        loss = step(batch)
        batches.look_ahead()
        value = loss.item()  # a GPU is waited for here
        if not math.isfinite(value):
            raise RunError(
                f"loss {task.loss!r} became {value} in epoch {epoch}, batch {number}; "
                f"try a learning rate below {task.learning_rate:g}"
            )
        total, seen = total + value * len(batch.rows), seen + len(batch.rows)
        if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
            reported = time.monotonic()
            task.progress(Epoch(epoch, task.epochs, seen / len(task.train), total / seen))
    return total / seen


class Batches:
    """The batches of an epoch, in an order that depends on seed and epoch alone.

    Images are read in ``task.workers`` threads, and copied to a GPU while it computes: see
    `Uploads`.
    """

    def __init__(self, task: Task, epoch: int, augment: str, device: torch.device) -> None:
        self.task, self.epoch, self.augment = task, epoch, augment
        rng = np.random.default_rng((task.seed, epoch))
        self.rows = shuffled_batches(len(task.train), task.batch_size, rng)
        self.draws = rng.random((len(task.train), DRAWS))
        self.uploads = Uploads(threads(self.read, self.rows, task.workers), device)

    def read(self, rows: Rows) -> tuple[npt.NDArray[Any], ...]:
        """Return images, targets and labels of some rows, on the CPU."""
        task = self.task
        images, targets = task.train.images(rows), task.train.targets[rows]
        if task.augmentation is not None:
            images, targets = task.augmentation(self.epoch, rows, images, targets)
        images = augmented(images, self.augment, self.draws[rows])
        return images, targets.astype(np.float32), task.train.labels[rows]

    def __iter__(self) -> Iterator[Batch]:
        for rows, (images, targets, labels) in zip(self.rows, self.uploads, strict=True):
            yield Batch(self.epoch, rows, normalised(images), targets, labels)

    def look_ahead(self) -> None:
        """Read the next batch and begin to copy it, where a GPU is computing."""
        self.uploads.look_ahead()


def validation_logits(
    network: nn.Module,
    examples: Examples,
    device: torch.device,
    workers: int,
    precision: str = PRECISIONS[0],
) -> npt.NDArray[np.float32]:
    """Return the logits of the validation images, float32 [V, K]."""
    network.eval()
    rows = [np.arange(i, min(i + BATCH, len(examples))) for i in range(0, len(examples), BATCH)]
    parts = threads(examples.images, rows, workers)
    logits = np.concatenate(
        [network_logits(network, images, device, precision) for images in parts]
    )
    if not np.isfinite(logits).all():
        raise RunError("the network's logits became infinite or NaN; try a lower learning rate")
    return logits


def judge(logits: npt.NDArray[np.float32], examples: Examples) -> tuple[float, float]:
    """Return macro-F1 and accuracy on the validation images, in [0, 1]; higher is better."""
    probs = softmax(logits.astype(np.float64), axis=1)
    return macro_f1(probs, examples.labels), accuracy(probs, examples.labels)


def largest_class(targets: Tensor, labels: Tensor) -> Tensor:
    """Return the class [N] with the largest value of each target [N, K].

    Of several, it is the annotated one of ``labels`` [N] if that is among them, else the first.
    """
    annotated = targets.gather(1, labels[:, None]).squeeze(1)
    return torch.where(annotated == targets.amax(dim=1), labels, targets.argmax(dim=1))


def check_task(task: Task) -> None:
    """Raise `RequestError` or `DataError` unless the task can be trained at all."""
    if task.epochs < 1:
        raise RequestError(f"a training needs at least 1 epoch, not {task.epochs}")
    if task.batch_size < 2:
        raise RequestError(
            f"a batch size of {task.batch_size} is too small: batch normalisation needs at least "
            "2 images"
        )
    if len(task.train) < 2:
        raise DataError(f"a training needs at least 2 training images, not {len(task.train)}")
    if len(task.validation) < 1:
        raise DataError("a training needs at least 1 validation image to choose the best epoch")
