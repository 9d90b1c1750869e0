"""Manifests of builds, whole and spoilt in every way that comes to mind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ferc_core.base.seeds import BENCHMARK_VERSION

MAKING = {
    "dataset": "toyfaces",
    "split": "test",
    "limit": 0,
    "on_bad_image": "fail",
    "image_size": 32,
    "corruptions": ["snow"],
    "severities": [5],
    "severity_table": "imagenet-c",
    "suite_seed": 0,
    "visibility": "l2",
    "visibility_scope": "average",
    "label_scheme": "ferc",
    "fusion": 0.5,
    "format": "png",
}


def manifest_of(**changes: Any) -> dict[str, Any]:
    """Return a manifest as `ferc build` writes it."""
    return {
        "benchmark": BENCHMARK_VERSION,
        "versions": {"ferc-core": "0.1.0"},
        "making": MAKING,
        "data": "0" * 32,
        "classes": ["calm", "angry"],
        "split": "test",
        "counts": {"clean/0": {"0": 1, "1": 1}, "snow/5": {"0": 1, "1": 1}},
        "files": {"labels.parquet": "0" * 32, "images/clean/0/a.png": "f" * 32},
        **changes,
    }


# Values that no field of a manifest takes; texts are for those that are no text.
WRONG: tuple[Any, ...] = (None, True, -1, 1.5, 10**30, [], {}, [[]], {"a": {}}, "x" * 9)


def spoilt() -> Iterator[tuple[str, bytes]]:
    """Yield the content of manifests that are none, each with a name."""
    whole = manifest_of()
    for name in whole:
        left = {key: value for key, value in whole.items() if key != name}
        yield f"without {name}", json.dumps(left).encode()
        wrong = [value for value in WRONG if type(value) is not type(whole[name])]
        for i, value in enumerate(wrong):
            yield f"{name} of kind {i}", json.dumps({**whole, name: value}).encode()
    for name, value in MAKING.items():
        left = {key: other for key, other in MAKING.items() if key != name}
        yield f"making without {name}", json.dumps(manifest_of(making=left)).encode()
        for i, other in enumerate(WRONG):
            fits = type(other) is type(value) or (type(value) is float and other == 10**30)
            if not fits or other == -1 or other == 10**30:
                changed = manifest_of(making={**MAKING, name: other})
                if not (name == "fusion" and other in (-1, 10**30)):  # left to the settings
                    yield f"making.{name} of kind {i}", json.dumps(changed).encode()
    yield from foreign(whole)
    yield from broken(json.dumps(whole))


def foreign(whole: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield manifests that ask for what a build does not decide, or name files elsewhere."""
    for name in ("noise", "pretrained", "backbone", "weights", "data_root", "out", "plugin", "é\n"):
        changed = manifest_of(making={**MAKING, name: "hf-hub:x/y"})
        yield f"making.{name!r}", json.dumps(changed).encode()
        yield f"more: {name!r}", json.dumps({**whole, name: 1}).encode()
    for dataset in (
        "rafdb(ml_labels=../../x)", "rafdb(ml_images=/etc)", "rafdb(ml_labels='a/../../b')",
        "folder(x=~/faces)", "folder(x='C:/faces')", "folder(x='..\\\\faces')", "../build", "/", "",
        "folder(",
    ):  # fmt: skip
        yield (
            f"dataset {dataset}",
            json.dumps(manifest_of(making={**MAKING, "dataset": dataset})).encode(),
        )
    for file in (
        "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a", ".", "..", "", "a\\b", "a\nb",
        "a\0b", "\x1b[2J", "\x9b", "a/..", "\ud800",
    ):  # fmt: skip
        changed = manifest_of(files={file: "0" * 32})
        yield f"file {file!r}", json.dumps(changed).encode()
    for digest in ("0" * 31, "0" * 33, "G" * 32, "", None, 1, ["0"]):
        yield f"digest {digest!r}", json.dumps(manifest_of(files={"a.png": digest})).encode()
    for counts in ({"clean/0": {"0": -1}}, {"clean/0": {"0": 1.0}}, {"clean/0": {"0": True}},
                   {"clean/0": {"0": 10**30}}, {"clean/0": {"x": 1}}, {"clean/0": 3}):  # fmt: skip
        yield f"counts {counts}", json.dumps(manifest_of(counts=counts)).encode()


def broken(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is no JSON, or JSON that readers take differently."""
    yield "empty", b""
    yield "binary", bytes(range(256))
    yield "BOM", b"\xef\xbb\xbf" + text.encode()
    yield "UTF-16", text.encode("utf-16")
    yield "latin-1", text.replace("calm", "calmé").encode("latin-1")
    yield "cut short", text.encode()[:-20]
    yield "twice", (text[:-1] + ', "split": "train"}').encode()
    yield "twice within", text.replace('"limit": 0', '"limit": 0, "limit": 5').encode()
    yield "NaN", text.replace('"fusion": 0.5', '"fusion": NaN').encode()
    yield "infinite", text.replace('"fusion": 0.5', '"fusion": -Infinity').encode()
    yield "too large", text.replace('"fusion": 0.5', '"fusion": 1e999').encode()
    yield "digits", text.replace('"limit": 0', f'"limit": {"9" * 5000}').encode()
    yield "deep", b"[" * 100_000
    yield (
        "deep within",
        text.replace('"split"', f'"gmm": {"[" * 90_000}{"]" * 90_000}, "split"', 1).encode(),
    )
    for value in ("null", "[]", "3", '"text"', "{}", "true"):
        yield value, value.encode()
