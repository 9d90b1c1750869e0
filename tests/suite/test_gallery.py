"""``ferc corrupt``: the variants of one image, and their contact sheet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.commands import EXAMPLES, FERC, ferc_in, one_sentence
from helpers.suites import OFFICIAL, corruptor

from ferc_core import registry
from ferc_core.base.seeds import generator
from ferc_core.errors import StoreError
from ferc_core.suite.cells import Cell, cells
from ferc_core.suite.gallery import (
    DATASET,
    SHEET,
    check_target,
    chosen_corruptions,
    contact_sheet,
    open_image,
    thumbnail,
    write_gallery,
)

FEW = ("--corruption", "snow", "--severity", 2, "--severity", 5)


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), scene()[..., ::-1])
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> dict[str, bytes]:
    """What two variants of the image are."""
    folder = tmp_path_factory.mktemp("few")
    cv2.imwrite(str(folder / "face.png"), scene()[..., ::-1])
    assert ferc_in(folder)("corrupt", "face.png", "out", *FEW).returncode == 0
    return written(folder / "out")


def written(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rgb(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


# The command


def test_all_85_variants_and_a_sheet_are_written(ferc, image, tmp_path):
    done = ferc("corrupt", "face.png", "out")
    assert done.returncode == 0, done.stderr
    assert str(Path("out") / SHEET) in done.stdout
    names = {f"{name}/{s}.png" for name in OFFICIAL for s in range(1, 6)}
    assert len(names) == 85
    assert set(written(tmp_path / "out")) == {*names, SHEET}


def test_a_variant_is_the_corruption_at_its_documented_address(ferc, image, tmp_path):
    done = ferc(
        "corrupt", "face.png", "out", *FEW, "--seed", 3, "--severity-table", "tiny-imagenet-c"
    )
    assert done.returncode == 0, done.stderr
    rng = generator("image", "face.png", "snow", 5, 3)
    expected = registry().corruptions["snow"](scene(), 5, rng, table="tiny-imagenet-c")
    np.testing.assert_array_equal(rgb(tmp_path / "out" / "snow" / "5.png"), expected)


def test_the_same_image_under_the_same_name_has_the_same_variants(ferc, image, tmp_path, few):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(image, elsewhere)
    assert ferc("corrupt", "elsewhere/face.png", "b", *FEW, "--corruption", "fog").returncode == 0
    made = written(tmp_path / "b")
    for name in ("snow/2.png", "snow/5.png"):
        assert made[name] == few[name]


@pytest.mark.parametrize("change", [["--seed", 1], ["--severity-table", "tiny-imagenet-c"]])
def test_another_seed_or_table_gives_other_variants(ferc, image, tmp_path, few, change):
    assert ferc("corrupt", "face.png", "b", *FEW, *change).returncode == 0
    made = written(tmp_path / "b")
    assert made.keys() == few.keys()
    assert all(made[name] != few[name] for name in few)


def test_files_of_the_same_names_are_replaced_and_others_left(ferc, image, tmp_path, few):
    (tmp_path / "out" / "snow").mkdir(parents=True)
    (tmp_path / "out" / "snow" / "2.png").write_text("old")
    (tmp_path / "out" / "snow" / "mine.txt").write_text("mine")
    assert ferc("corrupt", "face.png", "out", *FEW).returncode == 0
    assert written(tmp_path / "out") == {**few, "snow/mine.txt": b"mine"}


def test_the_image_is_resized_first(ferc, image, tmp_path):
    assert ferc("corrupt", "face.png", "out", *FEW, "--image-size", 40).returncode == 0
    assert rgb(tmp_path / "out" / "snow" / "2.png").shape == (40, 40, 3)


def test_own_corruptions_have_variants(ferc, image, tmp_path):
    plugin = ["--plugin", EXAMPLES / "my_corruption.py", "--severity", 1]
    done = ferc("corrupt", "face.png", "out", *plugin, "--corruption", "censor_bar")
    assert done.returncode == 0, done.stderr
    assert set(written(tmp_path / "out")) == {"censor_bar/1.png", SHEET}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corruption", "snwo"], "unknown corruption 'snwo': did you mean 'snow'?"),
        (["--corruption", "snow(tabel=x)"], "unknown option of 'snow' 'tabel'"),
        (["--severity", "6"], "severity must be 1, 2, 3, 4 or 5, not 6"),
        (["--severity-table", "imagenet"], "did you mean 'imagenet-c'?"),
        (["--image-size", "20"], "image size must be between 32 and 4096, not 20"),
        (["--plugin", "absent.py"], "absent.py"),
    ],
)
def test_a_wrong_request_gets_one_sentence(ferc, image, tmp_path, arguments, message):
    assert message in one_sentence(ferc("corrupt", "face.png", "out", *arguments), 2)
    assert not (tmp_path / "out").exists()


def test_images_that_cannot_be_used_are_named(ferc, image, tmp_path):
    (tmp_path / "cut.png").write_bytes(image.read_bytes()[:500])
    (tmp_path / "text.png").write_text("not an image")
    cv2.imwrite(str(tmp_path / "small.png"), scene(31, 64))
    for name, message, code in [
        ("absent.png", "there is no image file absent.png", 2),
        (".", "there is no image file .", 2),
        ("cut.png", "image cut.png is cut short or damaged", 1),
        ("text.png", "image text.png", 1),
        ("small.png", "image small.png is 64x31; corruptions need at least 32x32", 1),
    ]:
        assert message in one_sentence(ferc("corrupt", name, "out"), code)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["file", "file/deeper"])
def test_a_target_that_is_a_file_is_refused(ferc, image, tmp_path, folder):
    (tmp_path / "file").write_text("")
    assert "file is a file" in one_sentence(ferc("corrupt", "face.png", folder), 2)


def test_an_image_is_never_replaced_by_its_own_variant(ferc, image, tmp_path):
    (tmp_path / "out" / "snow").mkdir(parents=True)
    source = tmp_path / "out" / "snow" / "2.png"
    shutil.copy(image, source)
    before = source.read_bytes()
    message = one_sentence(ferc("corrupt", source, "out", *FEW), 2)
    assert "would be replaced; choose another folder" in message
    assert source.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="file names may be any bytes on Linux alone")
def test_a_file_name_that_is_not_valid_text_is_accepted(image, tmp_path):
    shutil.copy(image, os.fsencode(tmp_path) + b"/caf\xe9.png")
    command = [*FERC, "corrupt", b"caf\xe9.png", "out", "--corruption", "contrast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_where_the_disk_is_full_each_file_is_whole_or_absent(image, tmp_path):
    """A limit on the size of a file stands for a full disk."""
    resource = pytest.importorskip("resource")
    limit = 11_000  # bytes: enough for the variant, not for the sheet
    done = subprocess.run(
        [*FERC, "corrupt", "face.png", "out", "--corruption", "contrast", "--severity", "5"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert SHEET in one_sentence(done, 1)
    assert set(written(tmp_path / "out")) == {"contrast/5.png"}


# The sheet


def test_a_large_image_makes_small_tiles_and_a_small_one_whole_pixels():
    assert thumbnail(np.zeros((3000, 4000, 3), np.uint8)).shape == (120, 160, 3)
    assert thumbnail(np.zeros((32, 5000, 3), np.uint8)).shape == (1, 160, 3)
    small = scene(48, 40)
    large = thumbnail(small)
    assert large.shape == (144, 120, 3)
    np.testing.assert_array_equal(large[1::3, 1::3], small)


def test_the_sheet_has_every_tile_in_its_row_and_column():
    clean = np.full((160, 160, 3), 1, np.uint8)
    variants = cells(("snow", "contrast"), (1, 4))
    tiles = {cell: np.full((160, 160, 3), 10 + i, np.uint8) for i, cell in enumerate(variants)}
    sheet = contact_sheet(clean, tiles, chosen_corruptions(("snow", "contrast")))
    assert sheet.shape[0] < 2 * 180 + 100
    assert sheet.shape[1] < 3 * 180 + 250

    def corner(level: int) -> tuple[int, int]:
        rows, columns = np.nonzero((sheet == level).all(axis=2))
        return rows.min(), columns.min()

    tops, lefts = zip(*(corner(10 + i) for i in range(4)), strict=True)
    assert tops[0] == tops[1] < tops[2] == tops[3]
    assert lefts[0] == lefts[2] < lefts[1] == lefts[3]
    clean_area = (sheet == 1).all(axis=2).sum()
    assert clean_area >= 2 * 160 * 160  # the clean image is the first of both rows
    assert corner(1)[1] < lefts[0]


def test_rows_are_ordered_by_group_or_as_asked():
    groups = [chosen.entry.group for chosen in chosen_corruptions(()).values()]
    assert groups == ["noise"] * 4 + ["blur"] * 5 + ["weather"] + ["digital"] * 7
    assert list(chosen_corruptions(("snow", "contrast", "snow()"))) == ["snow", "contrast"]


def test_the_order_of_the_cells_changes_no_variant(tmp_path):
    made = corruptor(DATASET)
    variants = cells(("glass_blur", "shot_noise"), (1, 5))
    for name, order in (("a", variants), ("b", variants[::-1])):
        write_gallery(scene(), "x", order, made, tmp_path / name)
    a, b = written(tmp_path / "a"), written(tmp_path / "b")
    assert {k: v for k, v in a.items() if k != SHEET} == {k: v for k, v in b.items() if k != SHEET}
    assert len(a) == 5


def test_a_folder_where_a_variant_goes_is_a_write_error(tmp_path):
    (tmp_path / "snow" / "1.png").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"1\.png is not a file"):
        write_gallery(scene(), "x", [Cell("snow", 1)], corruptor(DATASET), tmp_path)


def test_an_image_may_be_beside_its_variants(tmp_path, image):
    check_target(image, tmp_path, [Cell("snow", 1)])
    assert open_image(image).shape == (48, 64, 3)
