"""Networks compiled by torch.compile for the time of a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn

from ferc_core.base.text import shortened
from ferc_core.errors import RunError

COMPILERS = ("torch._dynamo", "torch._inductor", "torch._functorch", "triton")
VERSIONS = 128  # of one function
DETERMINISTIC = "deterministic"  # an option of newer versions of torch: nothing is chosen by timing


@contextmanager
def compiled(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Run a block with modules compiled in place, and leave them as they were.

    Each shape of inputs is compiled on its own, so that the arithmetic does not depend on what came
    before. Raises `RunError` where torch.compile cannot be used.
    """
    if not parts:
        yield
        return
    try:
        for part in parts:
            try:
                part.compile(dynamic=False, options=options())
            except Exception as error:  # of a platform or a Python that it does not support
                raise unusable(error) from error
        try:
            with many_versions():
                yield
        except Exception as error:
            if not is_of_compiler(error):
                raise
            raise unusable(error) from error
    finally:
        for part in parts:
            part._compiled_call_impl = None


def forget_compiled(parts: Sequence[nn.Module]) -> None:
    """Forget what was compiled for other networks, if any are to be compiled."""
    if parts:
        torch.compiler.reset()


def many_versions() -> AbstractContextManager[Any]:
    """Return the context in which torch compiles a function for as many shapes and modules as come.

    Past a limit of 8 it would stop to, without a word.
    """
    from torch._dynamo import config

    name = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    context: AbstractContextManager[Any] = config.patch(name, VERSIONS)
    return context


def options() -> dict[str, Any]:
    """Return the options for torch.compile."""
    import torch._inductor  # seconds, for a training that asks for it alone

    return {DETERMINISTIC: True} if DETERMINISTIC in torch._inductor.list_options() else {}


def is_of_compiler(error: BaseException) -> bool:
    """Say whether an error comes from torch.compile and not from what it compiled."""
    return any(kind.__module__.startswith(COMPILERS) for kind in type(error).__mro__)


def unusable(error: Exception) -> RunError:
    """Return the error for torch.compile where it fails."""
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    reason = shortened(" ".join(first.split())).rstrip(".")
    return RunError(f"torch.compile cannot be used here: {reason}; leave out --compile")
