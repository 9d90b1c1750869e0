"""Images are read once: kept in memory or in a mapped file, and checked before they are needed."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.commands import one_sentence
from helpers.runs import OWN, contents, folder_of_faces, tiny

from ferc_core.data.splits import Splits
from ferc_core.errors import BadImageError, DataError, StoreError
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.faces import FaceSplit
from ferc_core.images.store import ImageStore, bad_rows, keep

N, SIDE = 9, 40


class Reader:
    """Images of noise; counts what is read, and refuses the rows of ``damaged``."""

    def __init__(self, *damaged: int) -> None:
        self.read: Counter[int] = Counter()
        self.damaged = damaged

    def __call__(self, i: int) -> np.ndarray:
        self.read[i] += 1
        if i in self.damaged:
            raise BadImageError(f"image {i}.png is damaged")
        return np.random.default_rng(i).integers(0, 256, (48, 56, 3), np.uint8)


def split(reader: Callable[[int], np.ndarray], name: str = "face") -> FaceSplit:
    return FaceSplit(tuple(f"{name}{i}" for i in range(N)), np.arange(N) % 3, reader)


def store(reader: Callable[[int], np.ndarray], cache: Path | None = None) -> ImageStore:
    return ImageStore(split(reader), SIDE, cache)


def expected() -> np.ndarray:
    return store(Reader())(range(N))


# Kept in memory


def test_images_that_fit_are_read_once_into_memory_and_no_file_is_written(tmp_path):
    reader = Reader()
    one, other = store(reader), store(reader)
    for _ in range(2):
        keep([one, other])
    np.testing.assert_array_equal(one([7, 2]), expected()[[7, 2]])
    assert set(reader.read.values()) == {2}  # once for each of the two
    assert not one.to_be_kept
    assert not list(tmp_path.iterdir())


def test_images_that_do_not_fit_are_read_again_unless_there_is_a_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("ferc_core.images.store.IN_MEMORY", 1)
    reader, cached = Reader(), Reader()
    loose, mapped = store(reader), store(cached, tmp_path)
    keep([loose, mapped])
    assert not reader.read
    for made in (loose, mapped):
        np.testing.assert_array_equal(made([1]), expected()[[1]])
        np.testing.assert_array_equal(made.take([1])([0]), expected()[[1]])
    assert cached.read == Counter(range(N))


def test_some_rows_of_kept_images_are_not_read_again():
    reader = Reader()
    made = store(reader)
    keep([made])
    taken = made.take([3, 1])
    assert taken.ids == ("face3", "face1")
    np.testing.assert_array_equal(taken([0, 1]), expected()[[3, 1]])
    assert reader.read == Counter(range(N))


def test_an_image_that_is_too_small_is_named():
    small = store(lambda i: np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(BadImageError, match="sample face0 is 20x20"):
        small([0])


# Kept in a file


def test_the_cache_holds_the_resized_images_and_is_filled_once(tmp_path):
    reader = Reader()
    for _ in range(2):
        made = store(reader, tmp_path)
        keep([made])
        np.testing.assert_array_equal(made(range(N)), expected())
    assert reader.read == Counter(range(N))


def test_an_interrupted_filling_is_resumed(tmp_path):
    with pytest.raises(BadImageError, match=r"5\.png"):
        store(Reader(5), tmp_path).keep()
    (begun,) = tmp_path.glob("*.part")
    whole = begun.read_bytes()
    assert len(whole) == 5 * SIDE**2 * 3
    begun.write_bytes(whole[: 3 * SIDE**2 * 3 + 17])  # as after a kill: the fourth is cut short
    reader = Reader()
    made = store(reader, tmp_path)
    made.keep()
    np.testing.assert_array_equal(made(range(N)), expected())
    assert sorted(reader.read) == list(range(3, N))


def test_what_did_not_reach_the_disk_is_read_again_and_a_damaged_cache_is_filled_again(tmp_path):
    with pytest.raises(BadImageError, match=r"5\.png"):
        store(Reader(5), tmp_path).keep()
    (begun,) = tmp_path.glob("*.part")
    begun.write_bytes(begun.read_bytes()[: 2 * SIDE**2 * 3] + bytes(3 * SIDE**2 * 3))
    begun.with_suffix(".count").write_text("2")  # as after a power cut: zeros behind what is synced
    made = store(Reader(), tmp_path)
    made.keep()
    np.testing.assert_array_equal(made(range(N)), expected())
    assert not list(tmp_path.glob("*.count"))
    (whole,) = tmp_path.glob("*.u8")
    whole.write_bytes(b"")
    made = store(Reader(), tmp_path)
    made.keep()
    np.testing.assert_array_equal(made(range(N)), expected())


def fill(folder: Path) -> bytes:
    """Fill or read the cache, in a process of its own."""
    made = store(Reader(), folder)
    made.keep()
    return made(range(N)).tobytes()


def test_processes_share_one_cache(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(fill, [tmp_path] * 2)
    assert set(results) == {expected().tobytes()}
    assert len(list(tmp_path.glob("*.u8"))) == 1


def test_a_disk_without_room_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=9))
    reader = Reader()
    with pytest.raises(StoreError, match="and 0 MiB are free; leave out --cache"):
        store(reader, tmp_path).keep()
    assert not reader.read


# Bad images


def bench(reader: Reader, max_pixels: int = 10**6) -> Benchmark:
    """A benchmark whose three parts have the images of a reader."""
    settings = {"image_size": SIDE, "on_bad_image": "skip", "max_pixels": max_pixels}
    opened = Benchmark.open(tiny("unused", **settings))
    parts = [split(reader, name) for name in ("train", "validation", "scored")]
    return opened.with_splits(Splits(*parts, "test", ()))


def test_rows_of_bad_images_are_found_with_a_sentence_each():
    steps = []
    found = bad_rows(store(Reader(4, 6)), lambda step, note="": steps.append(step))
    assert found == {"4": "image 4.png is damaged", "6": "image 6.png is damaged"}
    assert sum(steps) == N


def test_bad_images_are_left_out_and_searched_once(tmp_path):
    listing, record = tmp_path / "skipped.txt", tmp_path / "checked.json"
    results = []
    for damaged in (4, 6):  # what was found the first time counts
        reader = Reader(damaged)
        good = without_bad_images(bench(reader), listing, record)
        results.append([getattr(good.splits, part).ids for part in ("train", "scored")])
        assert sum(reader.read.values()) == (3 * N if damaged == 4 else 0)
    assert results[0] == results[1]
    assert "train4" not in results[0][0]
    assert len(results[0][0]) == N - 1
    assert listing.read_text().splitlines() == ["image 4.png is damaged"] * 3


def test_a_record_of_bad_images_that_is_none_means_checking_again(tmp_path):
    listing, record, reader = tmp_path / "skipped.txt", tmp_path / "checked.json", Reader(4)
    made = bench(reader)
    without_bad_images(made, listing, record)
    whole = record.read_text()
    found = json.loads(whole)
    bad = found["bad"]
    for content in (
        "", "[]", "null", "[" * 90_000, "\0" * 99, whole[:-9], whole + whole,
        json.dumps({**found, "state": "other"}), json.dumps({**found, "more": 1}),
        json.dumps({**found, "bad": []}), json.dumps({**found, "bad": {}}),
        json.dumps({**found, "bad": {**bad, "train": ["4"]}}),
        json.dumps({**found, "bad": {**bad, "train": {"4": None}}}),
        json.dumps({**found, "bad": {**bad, "train": {"99": "x"}}}),
        json.dumps({**found, "bad": {**bad, "other": {}}}),
        json.dumps({"state": found["state"]}),
    ):  # fmt: skip
        record.write_text(content)
        before = sum(reader.read.values())
        without_bad_images(made, listing, record)
        assert sum(reader.read.values()) == before + 3 * N
        assert record.read_text() == whole


def test_with_another_limit_of_pixels_bad_images_are_searched_again(tmp_path):
    for most in (10**6, 10**7):
        reader = Reader(4)
        without_bad_images(bench(reader, most), tmp_path / "s.txt", tmp_path / "c.json")
        assert sum(reader.read.values()) == 3 * N


def test_a_part_without_a_good_image_is_refused(tmp_path):
    with pytest.raises(DataError, match="no image of a whole split can be used"):
        without_bad_images(bench(Reader(*range(N))), tmp_path / "s.txt", tmp_path / "c.json")


# Runs


def test_a_run_with_a_cache_gives_the_same_bytes(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces", n=4)
    run = ("run", *OWN, "--label-scheme", "one-hot")
    for name, *cache in (("plain",), ("cached", "--cache"), ("cached", "--cache")):
        done = ferc(*run, "--out", name, *cache)
        assert done.returncode == 0, done.stderr
        if cache and (tmp_path / "cached/cache").exists():
            cached = contents(tmp_path / "cached")
            files = {name: cached.pop(name) for name in list(cached) if name[:6] == "cache/"}
            assert cached == contents(tmp_path / "plain")
            assert len([name for name in files if name.endswith(".u8")]) == 3
            sizes = {path.stat().st_size for path in (tmp_path / "cached/cache").glob("*.u8")}
            assert sizes == {2 * 4 * 32 * 32 * 3}
            shutil.rmtree(tmp_path / "cached/cache")  # it may be deleted


def test_a_cache_that_cannot_be_written_is_refused_in_one_sentence(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces", n=2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/manifest.json").write_text("")  # as a run directory has one
    (tmp_path / "run/cache").write_text("a file where the folder should be")
    done = ferc("run", *OWN, "--out", "run", "--cache")
    assert "cache" in one_sentence(done, 1)
