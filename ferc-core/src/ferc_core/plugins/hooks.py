"""The hooks of FER-C, one for each kind of thing that a plugin may bring.

A hook is given ``register`` and calls it once for each entry; the host checks every entry as it
comes. A plugin is any module or object with functions of these names marked
``@ferc_core.hookimpl``, offered under the entry-point group ``ferc``.
"""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from ferc_core.spec import (
    Calibrator,
    Corruption,
    DatasetSource,
    Executor,
    LabelScheme,
    Loss,
    Method,
    Metric,
    Reporter,
    Visibility,
)

hookspec = pluggy.HookspecMarker("ferc")
hookimpl = pluggy.HookimplMarker("ferc")


@hookspec
def register_corruptions(register: Callable[[Corruption], None]) -> None:
    """Offer corruptions: ``register(Corruption("rain", rain))``."""


@hookspec
def register_visibilities(register: Callable[[Visibility], None]) -> None:
    """Offer visibility functions: ``register(Visibility("lpips", "my_pkg.lpips:distance"))``."""


@hookspec
def register_label_schemes(register: Callable[[LabelScheme], None]) -> None:
    """Offer label schemes: ``register(LabelScheme("mine", mine, base="fused"))``."""


@hookspec
def register_datasets(register: Callable[[DatasetSource], None]) -> None:
    """Offer datasets: ``register(DatasetSource("mine", open_mine))``."""


@hookspec
def register_methods(register: Callable[[Method], None]) -> None:
    """Offer FER methods: ``register(Method("mine", "my_pkg:fit", load="my_pkg:load"))``."""


@hookspec
def register_losses(register: Callable[[Loss], None]) -> None:
    """Offer training losses: ``register(Loss("mine", "my_pkg:build"))``."""


@hookspec
def register_calibrators(register: Callable[[Calibrator], None]) -> None:
    """Offer post-hoc calibrators: ``register(Calibrator("mine", "my_pkg:fit"))``."""


@hookspec
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Offer metrics: ``register(Metric("mine", mine, target="soft"))``."""


@hookspec
def register_executors(register: Callable[[Executor], None]) -> None:
    """Offer executors, which spread independent work: ``register(Executor("mine", mine))``."""


@hookspec
def register_reporters(register: Callable[[Reporter], None]) -> None:
    """Offer reporters, the formats of ``ferc results``: ``register(Reporter("html", render))``."""
