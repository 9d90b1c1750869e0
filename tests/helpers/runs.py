"""Small runs and builds that several tests make, and what they leave behind."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferc_core.experiment import pipeline
from ferc_core.experiment.config import Config, configured
from helpers.commands import EXAMPLES

# Options of a run with a method that needs no torch.
METHOD = (
    "--plugin", EXAMPLES / "my_method.py", "--method", "softmax_regression", "--loss", "ce",
    "--image-size", 32,
)  # fmt: skip
SMALL = (*METHOD, "--dataset", "toyfaces(train=160,valid=80,test=40)")
TWO = ("--corruption", "snow", "--corruption", "contrast", "--severity", 1, "--severity", 5)
# The same on the images of `folder_of_faces`.
OWN = (*METHOD, "--dataset", "folder", "--data-root", "faces", "--corruption", "contrast",
       "--severity", 3)  # fmt: skip
TRIAL = "softmax_regression-ce-noise0-seed0"  # what files of these runs are named after

BUILD = ("build", "--dataset", "toyfaces(train=24,valid=16,test=70)", "--image-size", 32, *TWO)

TINY = "toyfaces(train=24,valid=16,test=8,size=40)"

# A plugin file that kills its process, or fills the disk, right before a file would get its name,
# that is, in the middle of a write.
SABOTAGE = """
import errno, os, signal
replace, wanted = os.replace, os.environ["DIE_AT"]

def sabotaged(source, target):
    if str(target).endswith(wanted):
        if os.environ["DIE_OF"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device")
    replace(source, target)

os.replace = sabotaged
"""


def tiny(out: Path, **changes: Any) -> Config:
    """Return the configuration of a run of a few seconds."""
    usual = {
        "dataset": TINY,
        "image_size": 32,
        "epochs": 1,
        "batch_size": 8,
        "losses": ("ce",),
        "corruptions": ("contrast",),
        "severities": (1, 5),
        "threads": 1,
        "workers": 0,
        "out": out,
    }
    return configured({**usual, **changes})


def run_tiny(out: Path, **changes: Any) -> pipeline.Outcome:
    """Carry out `tiny`."""
    return pipeline.run(*pipeline.opened(tiny(out, **changes)))


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file of a run directory, but for where and when it was made."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "config.toml")
    }
    if "manifest.json" in found:
        manifest = json.loads(found["manifest.json"])
        for date in ("begun", "ended"):
            manifest.pop(date, None)  # a build has no dates
        found["manifest.json"] = json.dumps(manifest).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def folder_of_faces(root: Path, n: int = 6) -> Path:
    """Write a folder of two classes, light above or below, which any method tells apart."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for k, name in enumerate(("calm", "angry")):
            for i in range(n):
                path = root / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                image = rng.integers(0, 60, (50, 44, 3), dtype=np.uint8)
                image[25 * k : 25 * (k + 1)] += 150
                cv2.imwrite(str(path), image)
    return root
