"""Fuzz targets: decoders and parsers that are ours, met with bytes that nobody wrote.

    cd tests && python -m campaign.fuzz images --seconds 30

Each target takes bytes and may raise nothing but its own refusal. Coverage-guided by atheris where
that is installed (``nox -s campaign``), else by plain mutation of good examples. A finding is
stored, and repeated with ``python -m campaign.fuzz TARGET --again FILE``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from campaign.cases import Dice
from campaign.damage import damaged

Target = Callable[[bytes], None]

LONGEST = 1 << 16  # bytes of an input
SLOW = 10.0  # seconds that no input may take
FOUND = Path(tempfile.gettempdir())  # where findings are stored
TARGETS: dict[str, Target] = {}
# The modules that each is about, in which coverage is watched.
WATCHED = {
    "images": "ferc_core.images.io",
    "calls": "ferc_core.base.calls",
    "sums": "ferc_core.base.calls",
    "texts": "ferc_core.datasets.texts",
    "scalars": "ferc_core.datasets.scalars",
    "mixtures": "ferc_core.labels.mixture_file",
    "configs": "ferc_core.experiment.config",
    "manifests": "ferc_core.suite.layout",
    "tensors": "ferc_models.saved.tensors",
}


def target(function: Target) -> Target:
    """Make a target of a function."""
    TARGETS[function.__name__] = function
    return function


def file_of(name: str, data: bytes) -> Path:
    """Return a file with this content; the next one of its name takes its place."""
    path = Path(tempfile.gettempdir()) / "fuzzed" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@target
def images(data: bytes) -> None:
    """What is decoded is an image, and what is not is refused by name."""
    import numpy as np

    from ferc_core.errors import BadImageError
    from ferc_core.images.io import decode_image

    with suppress(BadImageError):
        image = decode_image(data, Path("x.png"))
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3


@target
def calls(data: bytes) -> None:
    """A call that is read has one canonical text, which is read as the same call."""
    from ferc_core.base.calls import parse_call
    from ferc_core.errors import RequestError

    text = data.decode(errors="surrogateescape")
    try:
        call = parse_call(text)
    except RequestError:
        return
    again = parse_call(str(call))
    # compared as text, for nan is not nan
    assert (again.name, repr(dict(again.options))) == (call.name, repr(in_order(call.options)))
    assert str(again) == str(call)


def in_order(options: object) -> dict[str, object]:
    """Return options in alphabetic order, as a canonical text has them."""
    return dict(sorted(dict(options).items()))  # type: ignore[call-overload]


@target
def sums(data: bytes) -> None:
    """The terms of a sum, put together again, are the same terms."""
    from ferc_core.base.calls import split_sum
    from ferc_core.errors import RequestError

    with suppress(RequestError):
        terms = split_sum(data.decode(errors="surrogateescape"))
        assert split_sum("+".join(terms)) == terms


@target
def texts(data: bytes) -> None:
    """A table of text is read, or refused by the name of its file."""
    from ferc_core.datasets.texts import read_csv, read_lines
    from ferc_core.errors import DataError

    path = file_of("x.csv", data)
    with suppress(DataError):
        assert all(line == line.strip() for line in read_lines(path))
    for headless in (None, ("a", "b")):
        with suppress(DataError):
            table = read_csv(path, ["a", "b"], headless)
            assert len(table)
            assert table.columns == ["a", "b"]


@target
def scalars(data: bytes) -> None:
    """One value, as text that can be shown."""
    from ferc_core.datasets.scalars import NoScalarError, scalar

    with suppress(NoScalarError):
        assert scalar(data).isprintable()


@target
def mixtures(data: bytes) -> None:
    """A mixture that is read is one: its weights sum to 1 and its numbers are finite."""
    import numpy as np

    from ferc_core.errors import FercError
    from ferc_core.labels.mixture_file import read_gmm

    with suppress(FercError):
        content = read_gmm(file_of("gmm.json", data))
        mixture = content.mixture(content.classes, "x")
        assert np.isfinite(mixture.mu).all()
        assert abs(sum(mixture.pi) - 1) < 1e-5


@target
def configs(data: bytes) -> None:
    """A configuration that is read is written and read as the same."""
    from ferc_core.errors import FercError
    from ferc_core.experiment.config import read_configs

    with suppress(FercError):
        for config in read_configs(file_of("run.toml", data), {}):
            again = read_configs(file_of("again.toml", config.to_toml().encode()), {})
            assert repr(again) == repr((config,))


@target
def manifests(data: bytes) -> None:
    """The manifest of a build gives settings, or is refused."""
    from ferc_core.errors import FercError
    from ferc_core.suite.layout import open_build

    root = file_of("manifest.json", data).parent
    with suppress(FercError):
        build = open_build(root)
        assert isinstance(build.settings, dict)
        build.check_cells([])


@target
def tensors(data: bytes) -> None:
    """Tensors and a header, or a refusal."""
    from ferc_core.errors import FercError
    from ferc_models.saved.tensors import read_tensors

    with suppress(FercError):
        _, header = read_tensors(file_of("x.safetensors", data))
        assert isinstance(header, dict)


def examples(name: str) -> list[bytes]:
    """Return good inputs of a target, from which others are made."""
    made: dict[str, Callable[[], list[bytes]]] = {
        "images": photos,
        "calls": lambda: [b"mbls(margin=8,reduction=sum)", b'onnx(file="a, b.onnx")', b"snow"],
        "sums": lambda: [b"focal(gamma=2) + mbls", b"maxent+mbls", b"a(b='+')+c"],
        "texts": lambda: [b"a,b\n1,2\n3,4\n", b"\xef\xbb\xbfa,b\r\n1,\r\n", b'"a","b"\n"x,y",2\n'],
        "scalars": numbers,
        "mixtures": lambda: [json.dumps(gmm()).encode()],
        "configs": lambda: [b'epochs = 3\nlosses = ["ce"]\n[[data]]\nsplit = "test"\n'],
        "manifests": lambda: [json.dumps(manifest()).encode()],
        "tensors": safe,
    }
    return made[name]()


def photos() -> list[bytes]:
    """Return a small image in every format."""
    import cv2
    import numpy as np

    image = np.arange(48 * 3, dtype=np.uint8).reshape(6, 8, 3)
    kinds = (".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm")
    return [cv2.imencode(kind, image)[1].tobytes() for kind in kinds]


def numbers() -> list[bytes]:
    """Return NumPy files of one value."""
    import numpy as np

    found = []
    for value in (np.float32(0.5), np.int64(3), np.array("text"), np.array(b"x"), np.array([1.0])):
        file = io.BytesIO()
        np.save(file, value)
        found.append(file.getvalue())
    return found


def gmm() -> dict[str, object]:
    """Return a mixture of two classes."""
    source = {
        "dataset": "x", "release": "", "split": "train", "faces": 20, "rows": [10, 10],
        "within_one_deviation": [5, 5], "fingerprint": "0",
    }  # fmt: skip
    sigma = [[[0.1, 0.0], [0.0, 0.1]]] * 2
    return {
        "format": "ferc-gmm", "version": 1, "classes": ["a", "b"], "pi": [0.5, 0.5],
        "mu": [[0.1, 0.2], [-0.1, 0.0]], "sigma": sigma, "source": source,
    }  # fmt: skip


def manifest() -> dict[str, object]:
    """Return what the manifest of a small build is like."""
    from ferc_core.base.seeds import BENCHMARK_VERSION

    making = {"dataset": "toyfaces", "split": "test", "format": "png", "image_size": 32}
    return {
        "benchmark": BENCHMARK_VERSION, "making": making, "split": "test", "classes": ["a", "b"],
        "counts": {"clean/0": {"0": 1}}, "files": {"labels.parquet": "0" * 32}, "data": "0",
        "versions": {}, "gmm": "x",
    }  # fmt: skip


def safe() -> list[bytes]:
    """Return small files of tensors."""
    import torch
    from safetensors.torch import save

    header = {"ferc": json.dumps({"format": 1, "method": "baseline"})}
    return [save({"a": torch.zeros(2)}, metadata=header), save({"a": torch.zeros(1)})]


def mutate(name: str, seconds: float, seed: int) -> int:
    """Meet a target with damaged examples, without guidance; returns how many."""
    good, begun, count = examples(name), time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        dice = Dice(f"{name}/{seed}", count)
        data = dice.choice(good)
        for _ in range(dice.randint(1, 6)):
            data = damaged(data, dice)[:LONGEST]
        tried(name, data)
        count += 1
    return count


def tried(name: str, data: bytes) -> None:
    """Meet a target; what it should not raise is raised, after the input is stored."""
    begun = time.monotonic()
    try:
        TARGETS[name](data)
        assert time.monotonic() - begun < SLOW, f"{name} took over {SLOW:.0f} s"
    except BaseException as error:
        path = FOUND / f"ferc-finding-{name}"
        path.write_bytes(data)
        print(f"fuzz {name}: {type(error).__name__}: {error}\n    stored in {path}", flush=True)
        raise


def guided(name: str, seconds: int, seed: int) -> None:
    """Meet a target with what atheris makes; its engine ends the process."""
    import atheris

    with atheris.instrument_imports(include=[WATCHED[name]]):
        __import__(WATCHED[name])
    corpus = Path(tempfile.mkdtemp())
    for n, data in enumerate(examples(name)):
        (corpus / f"{n}").write_bytes(data)
    options = (
        f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-seed={seed + 1}", "-verbosity=0",
        f"-timeout={SLOW:.0f}", "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/",
        "-print_final_stats=1",
    )  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda data: tried(name, data))
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz a target for some seconds; fails where it raises what it should not."""
    parser = argparse.ArgumentParser("python -m campaign.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="do without atheris")
    parser.add_argument("--again", type=Path, metavar="FILE", help="meet this input alone")
    options = parser.parse_args(arguments)
    if options.again:
        TARGETS[options.target](options.again.read_bytes())
        return 0
    with tempfile.TemporaryDirectory(prefix="ferc-fuzz-") as tempfile.tempdir:
        if not options.plain and find_spec("atheris"):
            return ended(lambda: guided(options.target, options.seconds, options.seed))
        count = mutate(options.target, options.seconds, options.seed)
    print(f"fuzz {options.target}: {count} inputs, nothing found")
    return 0


def ended(work: Callable[[], None]) -> int:
    """Do some work that ends its process, and return the exit code."""
    process = os.fork()
    if not process:
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
