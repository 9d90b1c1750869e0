"""What ``ferc run --dry-run`` times."""

from __future__ import annotations

from helpers.commands import own_plugins
from helpers.runs import tiny

from ferc_core.experiment import pipeline
from ferc_core.experiment.forecast import forecast
from ferc_core.plugins.host import use_plugin_files

METHOD = """
import numpy as np
from ferc_core import Method, hookimpl

class Flat:
    def logits(self, images):
        return np.zeros((len(images), 8), np.float32)

def fit(task):
    assert not any(task.directory.iterdir()), "a training that is over would be timed"
    (task.directory / "state").touch()
    return Flat()

@hookimpl
def register_methods(register):
    register(Method("stateful", fit, load=fit))
"""


def test_every_training_that_is_timed_begins_anew(tmp_path):
    (tmp_path / "stateful.py").write_text(METHOD)
    with own_plugins():
        use_plugin_files([tmp_path / "stateful.py"])
        text = forecast(*pipeline.opened(tiny(tmp_path / "run", methods=("stateful",))))
    assert "to train: 1 of 1 trials" in text
    assert not (tmp_path / "run").exists()
