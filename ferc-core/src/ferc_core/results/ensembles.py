"""Ensembles: the trainings of a method and loss with several seeds, as one model.

What an ensemble predicts is the mean of its members' probabilities, after calibration where they
are calibrated; it is made from stored logits alone. In tables it is a method of its own,
``ensemble(baseline)`` for example. Source: Lakshminarayanan et al. 2017, arXiv:1612.01474.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ferc_core.errors import RequestError
from ferc_core.experiment.benchmark import Trial

NAME = re.compile(r"ensemble\((.*)\)")


def ensemble_of(trial: Trial) -> Trial:
    """Return the ensemble that a trial is a member of; its seed says nothing."""
    return replace(trial, method=f"ensemble({trial.method})", seed=0)


def member_method(method: str) -> str:
    """Return the method of the members of an ensemble, "" for another method.

    >>> member_method("ensemble(scn)"), member_method("scn")
    ('scn', '')
    """
    found = NAME.fullmatch(method)
    return found[1] if found else ""


def members_of(ensemble: Trial, trials: Collection[Trial]) -> list[Trial]:
    """Return those of some trials that are members of an ensemble, none for another trial."""
    return [trial for trial in trials if trial.trains and ensemble_of(trial) == ensemble]


def ensembles_in(calibrators: Mapping[Trial, Sequence[str]], where: str) -> dict[Trial, list[str]]:
    """Return the ensembles of trials with several seeds, each with the calibrators that all its
    members have; raises `RequestError` where every trial has one seed.
    """
    found: dict[Trial, list[str]] = {}
    for trial in calibrators:
        members = members_of(ensemble_of(trial), calibrators)
        if len(members) > 1:
            shared = [n for n in calibrators[members[0]]
                      if all(n in calibrators[member] for member in members)]  # fmt: skip
            found[ensemble_of(trial)] = shared
    if not found:
        raise RequestError(
            f"an ensemble takes several seeds, and {where} has one of each trial; rerun the ferc "
            "run with --seed 0 --seed 1 --seed 2"
        )
    return found
