"""Images are read once: into a file that is mapped into memory, and when they are checked."""

from __future__ import annotations

import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.commands import one_sentence
from test_run import SMALL, TWO, contents

from ferc_core.base.progress import Silent
from ferc_core.data.splits import Splits
from ferc_core.errors import BadImageError, DataError, StoreError
from ferc_core.experiment.benchmark import Plan
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.readying import keep_images, skip_bad_images
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.images.cache import mapped
from ferc_core.suite.corrupt import Pictures

N, SIDE = 9, 40


class Reader:
    """Noise images; counts what is read, and refuses the rows of ``damaged``."""

    def __init__(self) -> None:
        self.read: Counter[int] = Counter()
        self.damaged: set[int] = set()

    def __call__(self, i: int) -> np.ndarray:
        self.read[i] += 1
        if i in self.damaged:
            raise BadImageError(f"image {i}.png is damaged")
        return np.random.default_rng(i).integers(0, 256, (48, 56, 3), np.uint8)


def split(reader: Callable[[int], np.ndarray], name: str = "face") -> FaceSplit:
    return FaceSplit(tuple(f"{name}{i}" for i in range(N)), np.arange(N) % 3, reader)


def pictures(reader: Callable[[int], np.ndarray]) -> Pictures:
    return Pictures(split(reader), SIDE)


def expected() -> np.ndarray:
    return np.stack([pictures(Reader()).read(i) for i in range(N)])


def cached(folder: Path, reader: Callable[[int], np.ndarray]) -> np.ndarray:
    return mapped(folder, pictures(reader), lambda step: None)


def test_the_file_holds_the_resized_images_and_is_filled_once(tmp_path):
    reader = Reader()
    np.testing.assert_array_equal(cached(tmp_path, reader), expected())
    again = pictures(reader)
    again.keep(cached(tmp_path, reader))
    np.testing.assert_array_equal(again([7, 2]), expected()[[7, 2]])
    assert reader.read == Counter(range(N))


def test_a_filling_that_was_stopped_goes_on_where_it_was(tmp_path):
    reader = Reader()
    reader.damaged = {5}
    with pytest.raises(BadImageError, match=r"5\.png"):
        cached(tmp_path, reader)
    (begun,) = tmp_path.glob(".*.part")
    whole = begun.read_bytes()
    assert len(whole) == 5 * SIDE**2 * 3
    begun.write_bytes(whole[: 3 * SIDE**2 * 3 + 17])  # as after a kill: the fourth is cut short
    reader = Reader()
    np.testing.assert_array_equal(cached(tmp_path, reader), expected())
    assert sorted(reader.read) == list(range(3, N))


def fill(folder: Path) -> bytes:
    """In a process of its own."""
    return cached(folder, Reader()).tobytes()


def test_processes_share_one_file(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        results = pool.map(fill, [tmp_path] * 3)
    assert set(results) == {expected().tobytes()}
    assert len(list(tmp_path.glob("*.u8"))) == 1


def test_too_small_a_disk_is_said_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=9))
    reader = Reader()
    with pytest.raises(StoreError, match="and 0 MiB are free; leave out --cache"):
        cached(tmp_path, reader)
    assert not reader.read


def plan(reader: Reader, **settings: object) -> Plan:
    parts = [split(reader, name) for name in ("train", "validation", "scored")]
    config = Config(image_size=SIDE, **settings)
    faces = FaceSet("noise", ("a", "b", "c"), {"train": parts[0], "test": parts[2]})
    return Plan(config, faces, Splits(*parts, "test", ()), (), ())


def test_without_a_cache_images_are_kept_in_memory_and_no_file_is_written(tmp_path):
    reader, directory = Reader(), RunDirectory(tmp_path)
    given = plan(reader)
    for _ in range(2):
        keep_images(given, directory, ("train", "scored"), Silent())
    given.pictures["train"](range(N))
    assert set(reader.read.values()) == {2}  # once for each of the two parts
    assert not directory.cache.exists()


def test_what_memory_cannot_hold_is_cached_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("ferc_core.suite.corrupt.IN_MEMORY", 1)
    directory = RunDirectory(tmp_path)
    given = plan(Reader(), cache=True)
    keep_images(given, directory, ("train",), Silent())
    assert given.pictures["train"].kept
    loose = plan(Reader())
    keep_images(loose, directory, ("train",), Silent())
    assert not loose.pictures["train"].kept
    np.testing.assert_array_equal(given.pictures["train"]([1]), loose.pictures["train"]([1]))


def test_bad_images_are_looked_for_once(tmp_path):
    directory = RunDirectory(tmp_path)
    results = []
    for damaged in ({4}, {6}):  # what was found the first time counts
        reader = Reader()
        reader.damaged = damaged
        good = skip_bad_images(plan(reader), directory.skipped, directory.checked, Silent())
        results.append([getattr(good.splits, part).ids for part in ("train", "scored")])
        assert sum(reader.read.values()) == (3 * N if damaged == {4} else 0)
    assert results[0] == results[1]
    assert "train4" not in results[0][0]
    assert len(results[0][0]) == N - 1
    assert directory.skipped.read_text().splitlines() == ["image 4.png is damaged"] * 3


def test_a_part_without_a_good_image_is_refused(tmp_path):
    directory, reader = RunDirectory(tmp_path), Reader()
    reader.damaged = set(range(N))
    with pytest.raises(DataError, match="no image of a whole split can be used"):
        skip_bad_images(plan(reader), directory.skipped, directory.checked, Silent())


def test_a_run_with_a_cache_gives_the_same_bytes(ferc, tmp_path):
    for name, more in (("plain", ()), ("cached", ("--cache",))):
        done = ferc("run", *SMALL, *TWO, "--out", name, *more)
        assert done.returncode == 0, done.stderr
    with_cache, without = contents(tmp_path / "cached"), contents(tmp_path / "plain")
    files = {name: with_cache.pop(name) for name in list(with_cache) if name.startswith("cache/")}
    assert with_cache == without
    sizes = {path.stat().st_size for path in (tmp_path / "cached/cache").glob("*.u8")}
    assert sizes == {n * 32 * 32 * 3 for n in (160, 80, 40)}
    assert len([name for name in files if name.endswith(".u8")]) == 3
    shutil.rmtree(tmp_path / "cached/cache")  # it may be deleted
    again = ferc("run", *SMALL, *TWO, "--out", "cached", "--cache")
    assert again.returncode == 0, again.stderr


def test_a_cache_that_cannot_be_written_is_one_sentence(ferc, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/cache").write_text("a file where the folder should be")
    done = ferc("run", *SMALL, *TWO, "--out", "run", "--cache")
    assert "cache" in one_sentence(done, 1)
