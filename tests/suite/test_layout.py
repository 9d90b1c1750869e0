"""Builds on disk as they are read: their images in both formats, and what is not a build."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ferc_core.errors import BadImageError, FercError, RequestError
from ferc_core.images.png import encode
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.layout import SHARD, image_name, open_build, shard_name

SNOW = Cell("snow", 5)
N = SHARD + 2  # images, in two shards
IDS = [f"face{i}" for i in range(N)]
MANIFEST = {
    "benchmark": "1",
    "split": "test",
    "making": {"format": "png", "dataset": "toyfaces"},
    "files": {},
    "counts": {"snow/5": {"0": N}},
}


def image(i: int) -> np.ndarray:
    return np.full((32, 32, 3), i, np.uint8)


def write(root: Path, manifest: object = MANIFEST) -> Path:
    root.mkdir()
    (root / "manifest.json").write_text(json.dumps(manifest))
    pl.DataFrame({"sample": IDS * 2}).write_parquet(root / "labels.parquet")
    return root


def write_images(root: Path, format: str) -> None:
    for start in range(0, N, SHARD):
        rows = range(N)[start : start + SHARD]
        paths = [root / image_name(SNOW, IDS[i]) for i in rows]
        shard = root / shard_name(SNOW, start)
        for path in (*paths, shard):
            path.parent.mkdir(parents=True, exist_ok=True)
        contents = [encode(image(i)) for i in rows]
        if format == "png":
            for path, content in zip(paths, contents, strict=True):
                path.write_bytes(content)
        else:
            column = [{"bytes": content, "path": "x.png"} for content in contents]
            frame = pl.DataFrame({"sample": IDS[start : start + SHARD], "image": column})
            frame.write_parquet(shard)


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_images_are_read_by_sample_from_both_formats(tmp_path, format):
    making = {**MANIFEST["making"], "format": format}
    root = write(tmp_path / "b", {**MANIFEST, "making": making})
    write_images(root, format)
    build = open_build(root)
    assert build.samples == IDS
    assert build.settings == {"dataset": "toyfaces", "split": "test"}
    asked = (IDS[-1], IDS[0])
    found = build(Chunk(SNOW, asked, np.zeros((2, 32, 32, 3), np.uint8)))
    np.testing.assert_array_equal(found, [image(N - 1), image(0)])
    with pytest.raises(BadImageError, match="stranger"):
        build.images(SNOW, ["stranger"])
    build.check_cells([SNOW])
    with pytest.raises(RequestError, match="has no fog/1; choose others"):
        build.check_cells([SNOW, Cell("fog", 1)])


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ([], "is not the manifest of a build"),
        ({"making": {}}, "is not the manifest of a build"),
        ({**MANIFEST, "benchmark": "0"}, "is of benchmark version 0, and this is version 1"),
    ],
)
def test_a_manifest_of_something_else_is_refused(tmp_path, manifest, message):
    with pytest.raises(FercError, match=message):
        open_build(write(tmp_path / "b", manifest))


def test_an_unfinished_build_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "b" / ".building").mkdir(parents=True)
    with pytest.raises(FercError, match="unfinished build; rerun its ferc build to resume"):
        open_build(tmp_path / "b")
