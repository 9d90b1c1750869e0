"""The hooks of FER-C: ``register_KIND(register)`` for each kind, made from `KINDS`.

A hook is given ``register`` and calls it once for each entry; the host checks every entry as it
comes. A plugin is any module or object with functions of these names marked
``@ferc_core.hookimpl``, offered under the entry-point group ``ferc``:

    @hookimpl
    def register_corruptions(register):
        register(Corruption("rain", rain))
"""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from ferc_core.plugins.registry import KINDS
from ferc_core.spec import Entry

hookspec = pluggy.HookspecMarker("ferc")
hookimpl = pluggy.HookimplMarker("ferc")


def specification(kind: str, entry: type[Entry]) -> Callable[..., None]:
    """Return the specification of the hook of one kind."""

    def hook(register: Callable[[Entry], None]) -> None:
        pass

    hook.__name__ = hook.__qualname__ = hook_name(kind)
    hook.__doc__ = f"Offer {kind.replace('_', ' ')}: ``register({entry.__name__}(...))``."
    return hookspec(hook)


def hook_name(kind: str) -> str:
    """Return what the hook of a kind is called."""
    return f"register_{kind}"


SPECIFICATIONS = type(
    "Specifications",
    (),
    {hook_name(kind): staticmethod(specification(kind, entry)) for kind, entry in KINDS.items()},
)
