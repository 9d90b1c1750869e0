"""Training objectives as they are written: ``focal(gamma=2)+mbls``, a sum of losses.

A sum has one canonical text, whatever the order of its terms. A preset stands for the sum that is
its name: ``maxent+mbls``, and so ``mbls+maxent`` and each larger sum with both terms bare, is
FER-C's objective with the weights of eq. 14, not the sum of the two losses' own defaults.
"""

from __future__ import annotations

import inspect

from ferc_core.base.calls import Call, parse_call, split_sum
from ferc_core.plugins.host import registry
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Loss

BESIDE_A_PENALTY = "ce"  # what a penalty alone is added to


def canonical(expression: str) -> str:
    """Return the one text of all spellings of an objective.

    Raises `UnknownNameError` for a loss or an option that does not exist, `RequestError` for what
    is not a sum of losses.
    """
    return "+".join(sorted(map(str, parsed(expression))))


def terms(expression: str) -> list[Chosen[Loss]]:
    """Return the losses to add up, presets written out, in an order that spelling does not change.

    Where every one is a penalty, cross-entropy is added.
    """
    losses, found = registry().losses, []
    for call in sorted(parsed(expression), key=str):
        written_out = losses[call.name].terms or [str(call)]
        found += [losses.choose(text) for text in written_out]
    if all(term.entry.penalty for term in found):
        found.insert(0, losses.choose(BESIDE_A_PENALTY))
    return found


def described(expression: str) -> str:
    """Return an objective with all options of its terms, defaults included; imports the losses."""
    return " + ".join(with_defaults(term) for term in terms(expression))


def parsed(expression: str) -> list[Call]:
    """Return the calls of a sum, the terms of a preset replaced by its name."""
    losses = registry().losses
    alias = {name: loss.name for loss in losses.values() for name in loss.aliases}
    if expression.strip() in losses:  # a preset may have a plus sign in its name
        return [Call(expression.strip())]
    calls = [parse_call(alias.get(term, term)) for term in split_sum(expression)]
    for preset in losses.values():
        bare = [call.name for call in calls if not call.options]
        members = split_sum(preset.name)
        if preset.terms and all(member in bare for member in members):
            for member in members:
                calls.remove(Call(member))
            calls.append(Call(preset.name))
    for call in calls:
        losses[call.name].check_options(call.options)
    return calls


def with_defaults(term: Chosen[Loss]) -> str:
    """Return a term with the value of each of its options."""
    parameters = inspect.signature(term.entry.loaded).parameters.values()
    usual = {p.name: p.default for p in parameters if p.default is not p.empty}
    shown = {k: v for k, v in usual.items() if isinstance(v, bool | int | float | str)}
    return str(Call(term.name, {**shown, **term.call.options}))
