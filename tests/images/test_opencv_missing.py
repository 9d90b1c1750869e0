"""Where OpenCV cannot be loaded: what works without it, and the sentence for the rest."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.commands import one_sentence
from helpers.stored import make_run

from ferc_core.images.png import encode

CAUSE = "libGL.so.1: cannot open shared object file"


@pytest.fixture
def broken(tmp_path):
    """A path with a cv2 that fails as it does where the system has no libGL."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "cv2.py").write_text(f"raise ImportError({CAUSE!r})\n")
    return str(tmp_path / "broken")


def test_results_of_predictions_need_no_opencv(ferc_process, tmp_path, broken):
    make_run(tmp_path / "run")
    shown = ferc_process("results", "run", PYTHONPATH=broken)
    assert shown.returncode == 0, shown.stderr
    assert "soft ECE" in shown.stdout.replace("\n", " ")
    assert "OpenCV" not in shown.stderr


def test_a_command_that_needs_opencv_names_both_cures(ferc_process, tmp_path, broken):
    (tmp_path / "face.png").write_bytes(encode(np.zeros((40, 40, 3), np.uint8)))
    message = one_sentence(ferc_process("corrupt", "face.png", "out", PYTHONPATH=broken), 2)
    assert CAUSE in message
    assert "apt-get install libgl1" in message
    assert "opencv-python-headless" in message


def test_a_lazy_entry_that_needs_opencv_names_both_cures(ferc_process, broken):
    message = one_sentence(ferc_process("run", PYTHONPATH=broken), 2)
    assert "OpenCV cannot be loaded (libGL.so.1" in message
    assert "opencv-python-headless" in message
