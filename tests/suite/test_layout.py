"""Builds on disk as they are read: their images in both formats, and what is not a build."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.builds import manifest_of, spoilt
from helpers.commands import one_sentence
from helpers.mixtures import parameters
from helpers.runs import TINY, contents

from ferc_core.base.files import digest_of
from ferc_core.errors import BadImageError, DataError, FercError, RequestError
from ferc_core.images.png import encode
from ferc_core.labels.mixture_file import write_gmm
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.layout import SHARD, Build, open_build
from ferc_core.suite.manifest import MAKING

SNOW = Cell("snow", 5)
N = SHARD + 2  # images, in two shards
IDS = [f"face{i}" for i in range(N)]
MANIFEST = manifest_of(counts={"snow/5": {"0": N}})


def image(i: int) -> np.ndarray:
    return np.full((32, 32, 3), i, np.uint8)


def write(root: Path, manifest: object = MANIFEST) -> Path:
    root.mkdir()
    (root / "manifest.json").write_text(json.dumps(manifest))
    labels().write_parquet(root / "labels.parquet")
    return root


def labels(**changes: object) -> pl.DataFrame:
    """Labels of all images, clean and corrupted."""
    columns = {
        "sample": IDS * 2,
        "corruption": ["clean"] * N + ["snow"] * N,
        "severity": [0] * N + [5] * N,
        "label": [0, 1] * N,
        "visibility": [1.0] * 2 * N,
        "target": [[0.5, 0.5]] * 2 * N,
    }
    return pl.DataFrame({**columns, **changes})


def write_images(root: Path, format: str) -> None:
    for start in range(0, N, SHARD):
        rows = range(N)[start : start + SHARD]
        paths = [root / f"images/{SNOW}/{IDS[i]}.png" for i in rows]
        shard = root / f"data/{SNOW}/{start:08d}.parquet"
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


def hashed(root: Path) -> Build:
    """Open a build, its manifest completed with the hashes of its files."""
    path = root / "manifest.json"
    files = {p.relative_to(root).as_posix(): digest_of(p) for p in root.rglob("*") if p.is_file()}
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": files}))
    return open_build(root)


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_images_are_read_by_sample_from_both_formats(tmp_path, format):
    making = {**MANIFEST["making"], "format": format}
    root = write(tmp_path / "b", {**MANIFEST, "making": making})
    write_images(root, format)
    build = hashed(root)
    assert build.samples == IDS
    assert "format" not in build.settings
    assert build.settings["dataset"] == "toyfaces"
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
        ({**MANIFEST, "benchmark": "1"}, "version '1', which ferc-core 0.1 reads; this one reads"),
        ({**MANIFEST, "benchmark": "9"}, "of benchmark version '9', which another ferc-core reads"),
    ],
)
def test_a_manifest_of_something_else_is_refused(tmp_path, manifest, message):
    with pytest.raises(FercError, match=message):
        open_build(write(tmp_path / "b", manifest))


def test_an_unfinished_build_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "b" / ".building").mkdir(parents=True)
    with pytest.raises(FercError, match="unfinished build; rerun its ferc build to resume"):
        open_build(tmp_path / "b")


# What is given is not obeyed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("given") / "b")


def test_a_whole_manifest_is_taken(folder):
    assert set(MAKING) <= open_build(folder).settings.keys()


@pytest.mark.parametrize("content", [pytest.param(c, id=name) for name, c in spoilt()])
def test_a_spoilt_manifest_is_refused_in_a_sentence(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(DataError) as refusal:
        open_build(folder)
    message = str(refusal.value)
    assert message.startswith(str(folder))
    assert message.isprintable()
    assert len(message) < 400 + len(str(folder))


def test_what_a_build_does_not_decide_is_refused_by_name(folder):
    making = {**MANIFEST["making"], "pretrained": True}
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "making": making}))
    with pytest.raises(DataError, match=r"is not the manifest of a build: making must not have"):
        open_build(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": ["../../x", *IDS[1:]] * 2}, r"'\.\./\.\./x' cannot be the id of a sample"),
        ({"sample": ["/x", *IDS[1:]] * 2}, "cannot be the id of a sample"),
        ({"sample": [IDS[0]] * 2 * N}, "has 'face0' twice in a cell"),
        ({"sample": [None, *IDS[1:]] * 2}, "column 'sample' has an empty field"),
        ({"sample": list(range(N)) * 2}, "column 'sample' must hold text, not Int64"),
        ({"severity": ["0"] * 2 * N}, "column 'severity' must hold whole numbers, not String"),
        ({"severity": [date(2026, 1, 1)] * 2 * N}, "must hold whole numbers, not Date"),
        ({"label": [2] * 2 * N}, "column 'label' has a number that is none of its classes"),
        ({"label": [0.5] * 2 * N}, "column 'label' must hold whole numbers, not Float64"),
        ({"target": [0.5] * 2 * N}, "column 'target' must hold lists of numbers, not Float64"),
        ({"target": [[0.5, 0.5]] * N + [[1.0]] * N}, "has lists of different lengths"),
        ({"target": [[1.0]] * 2 * N}, "must hold lists of 2 numbers"),
        ({"target": [[0.5, 0.6]] * 2 * N}, "the soft label of 'face0' is no distribution"),
        ({"target": [[1.5, -0.5]] * 2 * N}, "the soft label of 'face0' is no distribution"),
        ({"target": [[float("nan"), 1.0]] * 2 * N}, "'target' has a value that is not finite"),
        ({"target": [[None, 1.0]] * 2 * N}, "column 'target' has a value that is not finite"),
        ({"visibility": ["full"] * 2 * N}, "column 'visibility' must hold numbers, not String"),
    ],
)
def test_labels_of_a_build_are_checked(tmp_path, changes, message):
    root = write(tmp_path / "b")
    labels(**changes).write_parquet(root / "labels.parquet")
    with pytest.raises(DataError, match=rf"labels\.parquet.*{message}"):
        _ = open_build(root).samples


def test_a_sample_names_no_file_outside_its_build(tmp_path):
    build = open_build(write(tmp_path / "b"))
    (tmp_path / "x.png").write_bytes(encode(image(1)))
    for cell, sample in ((SNOW, "../../../../x"), (Cell("../..", 5), "face0"), (SNOW, "/x")):
        with pytest.raises(DataError, match=r"cannot be the name of a file|has no sample"):
            build.images(cell, [sample])


@pytest.mark.parametrize("format", ["png", "parquet"])
def test_images_of_another_size_are_refused(tmp_path, format):
    making = {**MANIFEST["making"], "format": format, "image_size": 33}
    root = write(tmp_path / "b", {**MANIFEST, "making": making})
    write_images(root, format)
    with pytest.raises(BadImageError, match=r"'face0' in .* has 32x32 pixels, and .* says 33"):
        hashed(root).images(SNOW, IDS)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"sample": IDS[:SHARD]}), "must have a column 'sample' of text and"),
        (pl.DataFrame({"sample": IDS[:SHARD], "image": ["x"] * SHARD}), "column 'image' of files"),
        (pl.DataFrame({"sample": ["x"], "image": [{"bytes": b"", "path": "x"}]}), "has no image"),
    ],
)
def test_shards_of_a_build_are_checked(tmp_path, frame, message):
    making = {**MANIFEST["making"], "format": "parquet"}
    root = write(tmp_path / "b", {**MANIFEST, "making": making})
    write_images(root, "parquet")
    frame.write_parquet(root / f"data/{SNOW}/{0:08d}.parquet")
    with pytest.raises(DataError, match=message):
        hashed(root).images(SNOW, IDS)


def test_visibilities_of_a_build_are_checked(tmp_path):
    root = write(tmp_path / "b")
    table = labels().select("sample", "corruption", "severity", "visibility", degradation=pl.lit(0))
    table.write_parquet(root / "visibility.parquet")
    assert len(open_build(root).visibility) == 2 * N
    for changes, message in (
        ({"sample": pl.lit("stranger")}, "has the sample 'stranger', which labels.parquet lacks"),
        ({"degradation": pl.lit("much")}, "column 'degradation' must hold numbers, not String"),
    ):
        table.with_columns(**changes).write_parquet(root / "visibility.parquet")
        with pytest.raises(DataError, match=message):
            _ = open_build(root).visibility


def test_verify_names_tables_that_are_none(ferc, tmp_path):
    root = write(tmp_path / "b")
    for changes, message in (
        ({"target": [0.5] * 2 * N}, "column 'target' must hold lists of numbers"),
        ({"severity": [date(2026, 1, 1)] * 2 * N}, "column 'severity' must hold whole numbers"),
        ({"sample": ["../../x", *IDS[1:]] * 2}, "cannot be the id of a sample"),
    ):
        labels(**changes).write_parquet(root / "labels.parquet")
        done = ferc("verify", "b")
        assert done.returncode == 1
        assert f"b/labels.parquet: {message}" in done.stdout.replace("'../../x' ", "")
    labels().write_parquet(root / "labels.parquet")
    labels().write_parquet(root / "visibility.parquet")
    assert "b/visibility.parquet lacks the column 'degradation'" in ferc("verify", "b").stdout
    making = {**MANIFEST["making"], "dataset": TINY}
    (root / "manifest.json").write_text(json.dumps({**MANIFEST, "making": making}))
    assert "data" in one_sentence(ferc("verify", "b", "--rebuild", 1), 1)


@pytest.mark.parametrize(
    "command", [("verify", "b"), ("run", "--dataset", "b"), ("score", "p.csv", "--dataset", "b")]
)
def test_commands_obey_no_setting_of_a_manifest_but_its_own(ferc, tmp_path, command):
    making = {**MANIFEST["making"], "noise": [0.5], "backbone": "hf-hub:x/y"}
    write(tmp_path / "b", {**MANIFEST, "making": making})
    rows = "".join(f"{sample},clean,0,1,0\n" for sample in IDS)
    (tmp_path / "p.csv").write_text(f"sample,corruption,severity,prob_0,prob_1\n{rows}")
    message = one_sentence(ferc(*command), 1)
    assert "b/manifest.json is not the manifest of a build: making must not have 'noise'" in message


@pytest.mark.parametrize(
    "changes", [{"making": None}, {"files": 3}, {"counts": {"clean/0": 1}}, {"more": 1}]
)
def test_a_build_is_not_made_where_a_manifest_is_none(ferc, tmp_path, changes):
    root = write(tmp_path / "b", {**MANIFEST, **changes})
    before = contents(root)
    for place in ("manifest.json", ".building/manifest.json"):
        (root / place).parent.mkdir(exist_ok=True)
        (root / "manifest.json").rename(root / place)
        message = one_sentence(ferc("build", "--dataset", TINY, "--out", "b"), 2)
        assert f"b/{place} is not the manifest of a build (" in message
    (root / place).rename(root / "manifest.json")
    assert contents(root) == before


def test_a_setting_that_cannot_be_is_refused_with_its_build(ferc, tmp_path):
    making = {**MANIFEST["making"], "severities": [9]}
    write(tmp_path / "b", {**MANIFEST, "making": making})
    message = one_sentence(ferc("run", "--dataset", "b"), 1)
    assert "the build b cannot be used: " in message


def test_the_mixture_of_a_build_is_its_own(ferc, tmp_path):
    making = {**MANIFEST["making"], "gmm": "/etc/passwd"}
    write(tmp_path / "b", {**MANIFEST, "making": making})
    message = one_sentence(ferc("run", "--dataset", "b"), 1)
    assert "cannot read the mixture b/gmm.json" in message
    write_gmm(tmp_path / "b/gmm.json", parameters())
    message = one_sentence(ferc("run", "--dataset", "b"), 1)
    assert "b/gmm.json is not the mixture that it was built with" in message
