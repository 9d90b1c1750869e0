"""What calibrators of a run are fitted on, and what is kept of them."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.runs import METHOD
from helpers.stored import FACES, LABELS, K, make_run, random_logits

from ferc_core import registry
from ferc_core.base.failures import Failures
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.calibration import Validation, at_bounds, fit
from ferc_core.experiment.cases import fitted
from ferc_core.experiment.directory import RunDirectory
from ferc_core.suite.cells import CLEAN, Cell
from ferc_models.calibrators.temperature import fit_temperature

TRIAL = Trial("baseline", "ce")
SNOW, FOG = Cell("snow", 5), Cell("fog", 3)


def chosen(*texts):
    return [registry().calibrators.choose(text) for text in texts]


def fit_in(folder, calibrators, cells=(CLEAN,)):
    """Calibrators fitted on what a run directory keeps, by name."""
    failures = Failures()
    found = fitted(RunDirectory(folder), TRIAL, calibrators, list(cells), failures)
    failures.raise_any()
    return found


def test_multi_domain_is_fitted_on_the_cells_that_are_asked_for(tmp_path):
    run = RunDirectory(make_run(tmp_path / "run", losses=["ce"]))
    for i, cell in enumerate((SNOW, FOG)):
        logits = random_logits(Trial("baseline", "ce", seed=i + 1), cell) * (i + 2)
        run.add_logits(TRIAL, "validation", cell, FACES.ids, Answers(logits), FACES)
    (multi,) = chosen("multi-domain-ts")
    two = fit_in(run.path, [multi], [CLEAN, SNOW])["multi-domain-ts"]
    (run.path / "predictions" / TRIAL.name / "validation-fog-3.parquet").unlink()
    without = fit_in(run.path, [multi], [CLEAN, SNOW])["multi-domain-ts"]
    assert two.parameters() == without.parameters()
    assert {"domain_temperatures.0", "domain_temperatures.1"} <= two.parameters().keys()
    assert "domain_temperatures.2" not in two.parameters()


def test_soft_targets_are_the_label_distributions_of_the_dataset(tmp_path):
    votes = 0.6 * np.eye(K)[LABELS] + 0.4 * np.eye(K)[(LABELS + 1) % K]
    run = RunDirectory(make_run(tmp_path / "run", losses=["ce"]))
    faces = type(FACES)(FACES.ids, LABELS, FACES.read, None, votes)
    logits = random_logits(TRIAL, SNOW)
    run.add_logits(TRIAL, "validation", CLEAN, faces.ids, Answers(logits), faces)
    found = fit_in(run.path, chosen("temperature(targets=soft)", "temperature"))
    stored = logits.astype(np.float32)
    expected = {
        "temperature(targets=soft)": fit_temperature(stored, votes).temperature,
        "temperature": fit_temperature(stored, LABELS).temperature,
    }
    for name, temperature in expected.items():
        assert found[name].parameters() == {"temperature": pytest.approx(temperature)}
    assert expected["temperature"] < expected["temperature(targets=soft)"]


@pytest.mark.parametrize("name", ["multi-domain-ts", "ada-ts"])
def test_features_are_used_where_they_are_kept(name):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, K)), rng.integers(K, size=200)
    features = rng.normal(size=(200, 5)).astype(np.float16)
    domains = np.arange(200) % 2
    (calibrator,) = chosen(f"{name}(epochs=1)" if name == "ada-ts" else name)
    plain = fit(calibrator, Validation(logits, labels, domains))
    using = fit(calibrator, Validation(logits, labels, domains, features=features))
    assert not plain.features
    assert using.features
    with_features = using(Answers(logits, features=features))
    other = using(Answers(logits, features=features[::-1]))
    assert (plain(Answers(logits, features=features)) == plain(Answers(logits))).all()
    assert (with_features != other).any()
    assert (with_features.argmax(axis=1) == logits.argmax(axis=1)).all()
    with pytest.raises(Exception, match="which these predictions do not keep"):
        using(Answers(logits))


def run_of(tmp_path, ferc, *more):
    words = ("--dataset", "toyfaces(train=48,valid=24,test=16,size=40)", "--corruption", "contrast",
             "--severity", 3, "--out", tmp_path / "run")  # fmt: skip
    return ferc("run", *more, *words)


def test_what_was_fitted_is_kept(ferc, tmp_path):
    calibrators = ("--calibrator", "temperature", "--calibrator", "vector")
    done = run_of(tmp_path, ferc, *METHOD, *calibrators)
    assert done.returncode == 0, done.stderr
    found = pl.read_parquet(tmp_path / "run" / "calibrators.parquet")
    one = found.filter(calibrator="temperature")
    assert one["parameter"].to_list() == ["temperature"]
    assert 0.05 <= one["value"][0] <= 20
    assert len(found.filter(calibrator="vector")) == 16
    shown = ferc("results", tmp_path / "run", "--fitted", "--format", "json")
    assert json.loads(shown.stdout) == found.to_dicts()


def test_a_temperature_at_the_end_of_its_range_is_noticed():
    head = {"dataset": "d", "method": "m", "loss": "ce", "noise": 0.1, "seed": 2}
    rows = [
        {**head, "calibrator": name, "parameter": parameter, "value": value}
        for name, parameter, value in (
            ("temperature", "temperature", 20.0),
            ("temperature(targets=soft)", "temperature", 19.0),
            ("vector", "bias[0]", 20.0),
        )
    ]
    (text,) = at_bounds(pl.DataFrame(rows))
    assert text.startswith("m ce, noise 0.1, seed 2: calibrator temperature has the temperature 20")


@pytest.mark.parametrize(
    ("calibrator", "message"),
    [
        ("temperature(targets=soft)", "needs label distributions, which toyfaces does not have"),
        ("temperature(targets=votes)", "option 'targets' of 'temperature' must be hard or soft"),
        ("temperature(target=soft)", "unknown option of 'temperature' 'target'"),
        ("ada-ts(features=3)", "unknown option of 'ada-ts' 'features'"),
    ],
)
def test_what_cannot_be_fitted_is_refused_at_once(ferc, tmp_path, calibrator, message):
    done = run_of(tmp_path, ferc, *METHOD, "--calibrator", calibrator)
    assert message in one_sentence(done, 2)
    assert not (tmp_path / "run").exists()


def test_a_model_without_features_is_named_and_calibrated_by_its_logits(ferc, tmp_path):
    more = ("--keep-features", "--calibrator", "multi-domain-ts")
    done = run_of(tmp_path, ferc, *METHOD, *more)
    assert done.returncode == 0, done.stderr
    assert "the model has no features to keep; calibrators take its logits" in done.stderr
    again = run_of(tmp_path, ferc, *METHOD, *more)
    assert "predict" not in again.stderr


def test_features_are_kept_and_come_in_later(ferc, tmp_path):
    pytest.importorskip("torch")
    words = ("--method", "baseline", "--backbone", "test_resnet", "--loss", "ce", "--epochs", 1,
             "--image-size", 32, "--threads", 1)  # fmt: skip
    assert run_of(tmp_path, ferc, *words, "--calibrator", "none").returncode == 0
    file = tmp_path / "run" / "predictions" / "baseline-ce-noise0-seed0" / "contrast-3.parquet"
    before = pl.read_parquet(file)
    done = run_of(tmp_path, ferc, *words, "--calibrator", "multi-domain-ts", "--keep-features")
    assert done.returncode == 0, done.stderr
    after = pl.read_parquet(file)
    assert after.drop("features").equals(before)
    features = np.stack([np.frombuffer(row, np.float16) for row in after["features"]])
    assert features.shape[0] == len(before)
    assert features.shape[1] > 8
    from ferc_models.methods import baseline

    model = baseline.load(tmp_path / "run" / "checkpoints" / "baseline-ce-noise0-seed0.safetensors")
    head = model.network.get_classifier()
    logits = features.astype(float) @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    np.testing.assert_allclose(logits, np.array(before["logits"].to_list()), atol=0.02)
    again = run_of(tmp_path, ferc, *words, "--calibrator", "multi-domain-ts")
    assert "train baseline" not in again.stderr
    assert "predict" not in again.stderr
