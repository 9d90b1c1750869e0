"""The training loop that all methods share.

A method provides a network, which maps images to logits in evaluation mode, and a function that
computes the loss of a batch. State other than parameters belongs in buffers of the network: then
it is saved, and an interrupted training that is resumed ends with the same bytes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import Tensor, nn

from ferc_core.base.parallel import threads
from ferc_core.errors import DataError, RequestError, RunError
from ferc_core.task import Epoch, Examples, Task
from ferc_metrics.classification import accuracy, macro_f1
from ferc_models.images import (
    AUGMENTATIONS,
    DRAWS,
    Images,
    Rows,
    augmented,
    normalise,
    shuffled_batches,
    uploaded,
)
from ferc_models.options import choice
from ferc_models.runtime import choose_device, computing_threads, deterministic, seeded
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
) -> State:
    """Train ``network`` in place and leave it with the weights of its best epoch.

    Adam without a schedule. The best epoch is the one with the highest validation macro-F1, the
    first of equals. The state after every epoch is saved in ``task.directory``; if there is one of
    the same task, the training is resumed from it and ends with the same bytes as without the
    interruption (on one machine and device).

    ``augment`` changes the training images: see `augmented`. ``groups`` are the optimiser's
    parameter groups; by default one for all. ``after_epoch(logits [V, K], targets [V, K])`` is
    called with those of the validation images, in float32, before the state is saved.

    Raises `RequestError` for a task that cannot be trained or whose directory holds the state of
    another one, `DataError` for too few images, and `RunError` if the loss is not finite.
    """
    check_task(task)
    choice("augment", augment, AUGMENTATIONS)
    device = choose_device(task.device)
    network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(
        groups or network.parameters(), lr=task.learning_rate, weight_decay=WEIGHT_DECAY
    )
    task.directory.mkdir(parents=True, exist_ok=True)
    path, description = task.directory / FILE, describe(task, method)
    state = load_state(path, description, network, optimizer)

    def step(batch: Batch) -> float:
        """Learn from one batch and return its loss."""
        optimizer.zero_grad()
        loss = batch_loss(network, batch)
        value = loss.item()
        if math.isfinite(value):
            loss.backward()
            optimizer.step()
        return value

    with deterministic(device), computing_threads(task.threads):
        for epoch in range(state.epoch + 1, task.epochs + 1):
            with seeded(task.seed, epoch):
                work = batches(task, epoch, augment, device)
                loss = train_epoch(task, epoch, network, step, work)
            logits = validation_logits(network, task.validation, device, task.workers)
            after_epoch(torch.tensor(logits), torch.tensor(task.validation.targets).float())
            f1, right = judge(logits, task.validation)
            state.history.append({"epoch": epoch, "loss": loss, "f1": f1, "accuracy": right})
            if f1 > state.best_f1:
                state.best_f1 = f1
                state.best = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            save_state(path, description, state, network, optimizer)
            task.progress(Epoch(epoch, task.epochs, 1.0, loss, f1))
    network.load_state_dict(state.best)
    return state


def train_epoch(
    task: Task,
    epoch: int,
    network: nn.Module,
    step: Callable[[Batch], float],
    batches: Iterator[Batch],
) -> float:
    """Take a step for every batch of an epoch, and return the mean loss of an image."""
    network.train()
    total, seen, reported = 0.0, 0, time.monotonic()
    for number, batch in enumerate(batches, start=1):
        value = step(batch)
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


def batches(task: Task, epoch: int, augment: str, device: torch.device) -> Iterator[Batch]:
    """Yield the batches of an epoch, in an order that depends on seed and epoch alone."""
    rng = np.random.default_rng((task.seed, epoch))
    rows = shuffled_batches(len(task.train), task.batch_size, rng)
    draws = rng.random((len(task.train), DRAWS))

    def read(rows: Rows) -> tuple[Rows, Images, npt.NDArray[np.float64]]:
        images, targets = task.train.images(rows), task.train.targets[rows]
        if task.augmentation is not None:
            images, targets = task.augmentation(epoch, rows, images, targets)
        return rows, augmented(images, augment, draws[rows]), targets

    for batch, images, given in threads(read, rows, task.workers):
        targets = uploaded(given.astype(np.float32), device)
        labels = uploaded(task.train.labels[batch], device)
        yield Batch(epoch, batch, normalise(images, device), targets, labels)


def validation_logits(
    network: nn.Module, examples: Examples, device: torch.device, workers: int
) -> npt.NDArray[np.float32]:
    """Return the logits of the validation images, float32 [V, K]."""
    network.eval()
    rows = [np.arange(i, min(i + BATCH, len(examples))) for i in range(0, len(examples), BATCH)]
    parts = threads(examples.images, rows, workers)
    logits = np.concatenate([network_logits(network, images, device) for images in parts])
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
