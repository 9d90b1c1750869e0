"""The metrics as the registry knows them."""

from __future__ import annotations

import subprocess
import sys

from helpers.metric_samples import DISTRIBUTIONS, EVERY, IN_CONTEXT, REGISTERED, SOFT, metric

from ferc_core import registry


def entries():
    """Return the entries of ferc-metrics by name."""
    metrics = registry().metrics
    return {name: m for name, m in metrics.items() if metrics.owner(name).name == "ferc-metrics"}


def test_every_metric_is_registered_with_its_target_and_direction():
    found = entries()
    assert sorted(found) == sorted(REGISTERED)
    assert {n for n, m in found.items() if m.target == "soft"} == {*SOFT, *DISTRIBUTIONS}
    higher = {"accuracy", "macro_f1", "ece_p", "skce_p", "accuracy_at_coverage", "cosine",
              "intersection", "rank_cs", "conformal_coverage", "clean_auroc",
              "visibility_correlation", "disagreement_correlation"}  # fmt: skip
    assert {n for n, m in found.items() if m.higher_is_better} == higher
    assert all(m.summary and m.source for m in found.values())


def test_metrics_state_how_tables_show_them():
    found = entries()
    titles = ("accuracy", "F1", "NLL", "ECE", "KSE", "soft NLL", "soft ECE", "soft KSE")
    names = ("accuracy", "macro_f1", "nll", "ece", "kse", "soft_nll", "soft_ece", "soft_kse")
    assert tuple(found[name].title for name in names) == titles
    assert len({m.title for m in found.values()}) == len(REGISTERED)
    nats = {"nll", "soft_nll", "kl", "js", "ent_ce", "nll_calibration", "nll_refinement",
            "disagreement"}  # fmt: skip
    plain = {"clark", "canberra", "ece_p", "skce", "skce_p", "conformal_size",
             "visibility_correlation", "disagreement_correlation"}  # fmt: skip
    assert {n for n, m in found.items() if m.unit == "nats"} == nats
    assert {n for n, m in found.items() if m.unit == "plain"} == plain

    def shown(view):
        return {n for n, m in found.items() if view in m.views}

    assert shown("clean") == {"accuracy", "macro_f1", "ece", "kse", "nll"}
    assert shown("corrupted") == {"accuracy", "macro_f1", "soft_ece", "soft_kse", "soft_nll"}
    assert shown("by") == shown("corrupted")


def test_a_metric_returns_a_plain_float():
    for name in EVERY:
        assert type(metric(name, [[0.7, 0.3], [0.4, 0.6]], [0, 1])) is float, name


def test_metrics_in_context_say_what_they_need():
    found = entries()
    assert {name for name, entry in found.items() if entry.needs} == set(IN_CONTEXT)
    unasked = {n for n, m in found.items() if not m.in_every_run}
    assert unasked == {*IN_CONTEXT, "ece_p", "skce", "skce_p"}


def test_listing_the_metrics_does_not_import_their_modules():
    code = (
        "import sys, ferc_metrics.plugin as plugin\n"
        "found = []\n"
        "plugin.register_metrics(found.append)\n"
        "loaded = {name for name in sys.modules if name.startswith('ferc_metrics')}\n"
        "assert len(found) == 50 and loaded == {'ferc_metrics', 'ferc_metrics.plugin'}, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
