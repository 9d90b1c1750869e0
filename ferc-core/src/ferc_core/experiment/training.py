"""One training: what a method is given to learn from, and where its model goes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ferc_core.base.files import digest_of, replacing
from ferc_core.base.progress import say, track
from ferc_core.base.shares import share
from ferc_core.data.noise import flip_labels
from ferc_core.errors import FercError, RequestError
from ferc_core.experiment.augment import soft_augmentation
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.sites import Images, Site
from ferc_core.images.store import keep
from ferc_core.labels.schemes import one_hot
from ferc_core.plugins import objective
from ferc_core.suite.cells import Cell
from ferc_core.task import Epoch, Examples, Task


@dataclass(frozen=True)
class Training:
    """Trains trials, wherever it is called; ``visible`` is what soft augmentation softens by."""

    site: Site
    out: RunDirectory
    visible: Mapping[Cell, float]

    def __call__(self, trial: Trial) -> FercError | bool:
        """Train a trial, or resume it; return False where another process is about it, and the
        error where it fails.
        """
        try:
            bench, images = self.site.open()
            with self.out.claim(f"{trial.name}.training") as mine:
                if mine and (not trial.trains or not self.out.has_checkpoint(trial)):
                    train(bench, images, self.out, trial, self.visible)
                return mine
        except BaseException as error:  # a method may raise anything; the others continue
            return self.site.failure(error)


def to_train(bench: Benchmark, out: RunDirectory) -> list[Trial]:
    """Return the trials of this part that have no checkpoint; a ready-made model is opened each
    time, in every part.
    """
    pending = [trial for trial in bench.trials if not trial.trains and trial not in bench.models]
    for trial in share(bench.config.part).of([t for t in bench.trials if t.trains]):
        if out.has_checkpoint(trial):
            # a kill may have come between the checkpoint and the end of the state
            shutil.rmtree(out.training(trial), ignore_errors=True)
        else:
            pending.append(trial)
    return [trial for trial in bench.trials if trial in pending]


def check_trials(
    bench: Benchmark, images: Images, out: RunDirectory, pending: Sequence[Trial]
) -> None:
    """Let the methods refuse what they cannot train, before anything long begins."""
    checked = set()
    for trial in pending:
        kind = trial.method, trial.loss
        method = bench.entries.methods[trial.method].entry
        if method.check is not None and kind not in checked:
            checked.add(kind)
            method.check_task(task_of(bench, images, out, trial, {}))


def train(
    bench: Benchmark,
    images: Images,
    out: RunDirectory,
    trial: Trial,
    visible: Mapping[Cell, float],
) -> None:
    """Train one trial, or resume it, and store its model.

    ``visible`` are the visibilities that soft augmentation softens by.
    """
    parts = ("train", "validation") if trial.trains else ("validation",)
    keep([images[part] for part in parts])
    epochs = bench.config.epochs
    with track(f"train {trial}" if trial.trains else f"open {trial}", epochs, epochs) as step:
        reached = 0.0

        def progress(epoch: Epoch) -> None:
            nonlocal reached
            f1 = "" if epoch.validation_f1 is None else f", F1 {epoch.validation_f1:.3f}"
            now = epoch.number - 1 + epoch.done
            step(now - reached, f"loss {epoch.loss:.3f}{f1}")
            reached = now

        task = task_of(bench, images, out, trial, visible, progress)
        predictor = bench.entries.methods[trial.method].entry.fit(task)
    checkpoint = out.checkpoint(trial)
    with replacing(checkpoint) as temporary:
        predictor.save(temporary)
        # a ready-made model is opened again when it is there already
        known = "" if trial.trains else out.model(trial)
        if known not in ("", digest_of(temporary)):
            raise RequestError(
                f"{trial.method} is no longer the model whose predictions {out.path} has; choose "
                "another directory with --out"
            )
        out.add_checkpoint(trial, temporary)
    shutil.rmtree(out.training(trial), ignore_errors=True)


def task_of(
    bench: Benchmark,
    images: Images,
    out: RunDirectory,
    trial: Trial,
    visible: Mapping[Cell, float],
    progress: Callable[[Epoch], None] = lambda _: None,
) -> Task:
    """Return what a method is given to learn from."""
    config = bench.config
    augmentation = None
    if trial.trains and config.soft_augmentation and visible:
        augmentation = soft_augmentation(bench, images["train"].ids, trial.seed, visible)
    return Task(
        classes=bench.classes,
        merged=bench.faces.merged,
        train=examples(bench, images, "train", trial),
        validation=examples(bench, images, "validation", trial),
        loss=trial.loss,
        epochs=config.epochs,
        image_size=config.image_size,
        seed=trial.seed,
        directory=out.training(trial),
        weights=Path(config.weights) if config.weights else None,
        pretrained=config.pretrained,
        device=config.device,
        threads=config.threads,
        workers=config.workers,
        precision=config.precision,
        compile=config.compile,
        augmentation=augmentation,
        progress=progress,
        say=partial(tell, trial),
        options=bench.entries.methods[trial.method].call.options,
        **bench.entries.settings(config, trial.method),
    )


def tell(trial: Trial, text: str) -> None:
    """Show what a method has to say of a trial."""
    say(f"  {trial}: {text}")


def examples(bench: Benchmark, images: Images, part: str, trial: Trial) -> Examples:
    """Return the training or validation images as a method sees them."""
    store = images[part]
    labels = store.faces.labels
    if part == "train" and trial.noise:
        scheme = bench.config.noise_scheme
        labels = flip_labels(labels, trial.noise, len(bench.classes), trial.seed, scheme)
    return Examples(store.ids, store, labels, one_hot(labels, len(bench.classes)))


def describe(bench: Benchmark, pending: Sequence[Trial]) -> list[str]:
    """Say what is to be trained, how, and towards which objective."""
    config, lines = bench.config, []
    ready = [trial for trial in bench.trials if not trial.trains]
    if ready:
        lines.append(f"ready-made models: {', '.join(map(str, ready))}")
    trained = [trial for trial in bench.trials if trial.trains]
    if not trained:
        return lines
    to_do = sum(trial.trains for trial in pending)
    lines.append(
        f"trainings: {len(trained)}, of which {to_do} to do; {config.epochs} epochs on "
        f"{config.image_size}x{config.image_size} pixels, {initial_weights(config)}"
    )
    for method in dict.fromkeys(trial.method for trial in trained):
        how = bench.entries.settings(config, method)
        lines.append(
            f"  {method}: {how['backbone']}, batch size {how['batch_size']}, learning rate "
            f"{how['learning_rate']:g}"
        )
    for loss in dict.fromkeys(trial.loss for trial in pending if trial.trains):
        lines.append(f"  objective {loss} = {objective.described(loss)}")
    return lines


def initial_weights(config: Config) -> str:
    """Say what weights a training starts from."""
    if config.weights:
        return f"starting from {config.weights}"
    if config.pretrained:
        return "starting from timm's pretrained weights"
    return "from random weights (nothing is downloaded; --weights FILE starts from a local file)"
