"""Good material for inputs: images, data folders, runs, builds, made once and copied often."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.commands import EXAMPLES

FOLDER = Path()  # where it is kept; the worker says so

TINY = "toyfaces(train=24,valid=16,test=8,size=40)"
CELLS = ("--corruption", "contrast", "--severity", 1)
# A method that needs no torch, and a run of a second.
QUICK = ("--plugin", EXAMPLES / "my_method.py", "--method", "softmax_regression", "--loss", "ce")
SMALL = ("--dataset", TINY, "--image-size", 32, "--epochs", 1, *CELLS)
TORCH = (*SMALL, "--loss", "ce", "--batch-size", 8, "--threads", 1)
NOISES = ("--noise", 0, "--noise", 0.5)
TRIAL = "softmax_regression-ce-noise0-seed0"
TORCH_TRIAL = "baseline-ce-noise0-seed0"

MAKERS: dict[str, Callable[[Path], object]] = {}


def maker(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Register what makes a thing in stock, at a path that does not exist yet."""
    MAKERS[make.__name__] = make
    return make


def get(name: str) -> Path:
    """Return a thing in stock, made now if it is the first time; it must not be changed."""
    path = FOLDER / name
    if not path.exists():
        with locked(FOLDER / f"{name}.lock"):
            if not path.exists():
                beside = FOLDER / f"{name}.part"
                shutil.rmtree(beside, ignore_errors=True)
                MAKERS[name](beside)
                beside.rename(path)
    return path


def copy(name: str, to: Path) -> Path:
    """Copy a thing in stock to a path, and return it."""
    source = get(name)
    if source.is_dir():
        shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, to)
    return to


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other workers away."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ferc(*arguments: object) -> None:
    """Run a command that must succeed, in this process."""
    from ferc_core.cli import main

    before, sys.argv = sys.argv, ["ferc", *map(str, arguments)]
    shown = io.StringIO()
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            main()
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"ferc {arguments}: {shown.getvalue()}") from None
    finally:
        sys.argv = before


@maker
def run(path: Path) -> None:
    """A run directory of a method without torch."""
    ferc("run", *QUICK, *SMALL, "--workers", 0, "--quiet", "--out", path)


@maker
def cached_run(path: Path) -> None:
    """The same with the images kept in files."""
    ferc("run", *QUICK, *SMALL, "--workers", 0, "--quiet", "--cache", "--out", path)


@maker
def torch_run(path: Path) -> None:
    """A run directory of a network."""
    ferc("run", *TORCH, "--workers", 0, "--quiet", "--out", path)


@maker
def other_run(path: Path) -> None:
    """A run directory of the same network, trained in another way."""
    ferc("run", *TORCH, "--learning-rate", 0.05, "--workers", 0, "--quiet", "--out", path)


@maker
def two_trials(path: Path) -> None:
    """A run directory of two trials, without and with label noise."""
    ferc("run", *QUICK, *SMALL, *NOISES, "--workers", 0, "--quiet", "--out", path)


@maker
def begun_run(path: Path) -> None:
    """A run directory whose network is trained half."""
    from ferc_models import training

    class Enough(Exception):
        pass

    saved = training.save_state

    def once(*values: object) -> None:
        saved(*values)
        raise Enough

    training.save_state = once
    # the fault of a training is a failed part, and the command ends with it
    with contextlib.suppress(RuntimeError, Enough):
        ferc("run", *TORCH, "--epochs", 3, "--workers", 0, "--quiet", "--out", path)
    training.save_state = saved


@maker
def build(path: Path) -> None:
    """A build of PNG files."""
    ferc("build", *SMALL_BUILD, "--quiet", "--out", path)


@maker
def shards(path: Path) -> None:
    """A build of parquet shards."""
    ferc("build", *SMALL_BUILD, "--quiet", "--format", "parquet", "--out", path)


SMALL_BUILD = (
    "--dataset", "toyfaces(train=8,valid=8,test=8,size=40)", "--image-size", 32,
    *CELLS, "--workers", 0, "--executor", "serial",
)  # fmt: skip


@maker
def faces(path: Path) -> None:
    """A folder for each of two classes, in splits."""
    from helpers.runs import folder_of_faces

    folder_of_faces(path, 4)


@maker
def table(path: Path) -> None:
    """Images and a table of them with everything that it may say."""
    from helpers.runs import folder_of_faces

    folder_of_faces(path, 3)
    lines = ["path,label,valence,arousal,distribution,identity,split,id"]
    for n, image in enumerate(sorted(path.rglob("*.png"))):
        name, label = image.relative_to(path).as_posix(), image.parent.name
        soft = "0.8;0.2" if label == "angry" else "0.1;0.9"
        split = name.partition("/")[0]
        lines.append(
            f"{name},{label},{n / 30 - 0.3:.2f},{0.2 - n / 40:.2f},{soft},p{n},{split},i{n}"
        )
    (path / "labels.csv").write_text("\n".join(lines) + "\n")


@maker
def affectnet(path: Path) -> None:
    """AffectNet with tables."""
    from ferc_core.testing.standins import write_affectnet

    write_affectnet(path, train=24, valid=8, side=32)


@maker
def affectnet8(path: Path) -> None:
    """AffectNet with a file for each annotation."""
    from ferc_core.testing.standins import write_affectnet

    write_affectnet(path, release="8-class", train=24, valid=8, side=32)


@maker
def affwild2(path: Path) -> None:
    """Aff-Wild2."""
    from ferc_core.testing.standins import write_affwild

    write_affwild(path, identities=5, frames=14, side=32, distinct=1)


@maker
def affwild1(path: Path) -> None:
    """Aff-Wild with its videos."""
    from ferc_core.testing.standins import write_affwild

    write_affwild(path, release="v1", identities=5, frames=14)


@maker
def ferplus(path: Path) -> None:
    """FER+ as tables."""
    from ferc_core.testing.standins import write_ferplus

    write_ferplus(path)


@maker
def ferplus_folders(path: Path) -> None:
    """FER+ as folders."""
    from ferc_core.testing.standins import write_ferplus

    write_ferplus(path, release="folders")


@maker
def rafdb(path: Path) -> None:
    """RAF-DB with all its parts."""
    from ferc_core.testing.standins import write_rafdb

    write_rafdb(path, side=32, distinct=1)


@maker
def photos(path: Path) -> None:
    """One face in every format."""
    import cv2

    from ferc_core.testing.standins.images import toy_image

    path.mkdir()
    image = toy_image(3, 48)[..., ::-1].copy()
    for suffix in ("png", "jpg", "bmp", "webp", "tif", "ppm"):
        assert cv2.imwrite(str(path / f"face.{suffix}"), image)
    assert cv2.imwrite(str(path / "grey.png"), cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    assert cv2.imwrite(str(path / "deep.png"), image.astype("uint16") * 257)
    assert cv2.imwrite(str(path / "grey.pgm"), image[..., 0])
    alpha = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    assert cv2.imwrite(str(path / "alpha.png"), alpha)


@maker
def mixture(path: Path) -> None:
    """A valence-arousal mixture."""
    target = path.with_suffix(".json")
    ferc("gmm", "fit", "--dataset", TINY, "--out", target)
    target.rename(path)


@maker
def network(path: Path) -> None:
    """An ONNX file for images of 32 pixels and eight classes."""
    import numpy as np
    from helpers.networks import SIDE, linear_onnx

    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.02, (3 * SIDE**2, 8)).astype(np.float32)
    linear_onnx(path, weights, np.zeros(8, np.float32))


@maker
def weights(path: Path) -> None:
    """The tensors of the toy faces' backbone, as torch saves them."""
    import timm
    import torch

    torch.save(timm.create_model("test_resnet", num_classes=8).state_dict(), path)


@maker
def safe_weights(path: Path) -> None:
    """The same in a safetensors file."""
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("test_resnet", num_classes=8).state_dict(), path)


@maker
def answers(path: Path) -> None:
    """Predictions for the build, as a table."""
    import numpy as np
    import polars as pl

    labels = pl.read_parquet(get("build") / "labels.parquet")
    logits = np.random.default_rng(0).normal(size=(len(labels), 8)).round(3)
    frame = labels.select("sample", "corruption", "severity")
    frame.with_columns(logits=pl.Series(logits.tolist())).write_parquet(path)


@maker
def index(path: Path) -> None:
    """What a cache holds after a dataset was read; its root is `CACHED`."""
    os.environ["FERC_CACHE"] = str(path)
    path.mkdir()
    ferc("gmm", "fit", "--dataset", "affectnet", "--data-root", get("affectnet"),
         "--out", path.with_name("index-gmm.json"))  # fmt: skip
    path.with_name("index-gmm.json").unlink()
