"""A folder is recognised as a release, or answered by the folder to give or by what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferc_core.datasets.releases import MOST_FOLDERS, Release, recognise
from ferc_core.errors import DataError, RequestError

OLD = Release("Faces, first release", {"images": ("photos", "img*"), "list": ("labels.txt",)})
NEW = Release("Faces, second release", {"images": ("train/images",), "labels": ("train/labels",)})


def place(root: Path, *names: str) -> Path:
    """Make files, and folders where a name ends with a slash."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(parents=True) if name.endswith("/") else path.write_text("")
    return root


def sentence(root: Path | None, error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        recognise(root, "faces", (OLD, NEW))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_release_and_where_its_parts_lie(tmp_path):
    root = place(tmp_path, "photos/", "labels.txt")
    assert recognise(root, "faces", (OLD, NEW)) == (
        OLD,
        {"images": root / "photos", "list": root / "labels.txt"},
    )
    other = place(tmp_path / "other", "train/images/", "train/labels/")
    assert recognise(other, "faces", (OLD, NEW))[0] == NEW


def test_of_several_places_the_first_counts_and_patterns_are_sorted(tmp_path):
    root = place(tmp_path, "img2/", "img1/", "labels.txt")
    assert recognise(root, "faces", (OLD,))[1]["images"] == root / "img1"
    place(root, "photos/")
    assert recognise(root, "faces", (OLD,))[1]["images"] == root / "photos"


def test_of_two_whole_releases_the_first_counts(tmp_path):
    root = place(tmp_path, "photos/", "labels.txt", "train/images/", "train/labels/")
    assert recognise(root, "faces", (NEW, OLD))[0] == NEW


@pytest.mark.parametrize("below", ["faces", "download/faces"])
def test_a_root_too_high_is_answered_by_the_right_one(tmp_path, below):
    root = place(tmp_path / "data", f"{below}/photos/", f"{below}/labels.txt", "notes/")
    assert sentence(root, RequestError).endswith(f"lies too high: give {root / below}")


@pytest.mark.parametrize("inside", ["train", "train/images", "train/images/1"])
def test_a_root_too_low_is_answered_by_the_right_one(tmp_path, inside):
    root = place(tmp_path, "train/images/1/", "train/labels/")
    assert sentence(root / inside, RequestError).endswith(f"lies too low: give {root}")


def test_what_is_missing_of_a_release_is_named(tmp_path):
    root = place(tmp_path, "train/images/")
    assert sentence(root, DataError) == (
        f"{root} looks like Faces, second release, but train/labels is not there"
    )


def test_archives_that_wait_to_be_unpacked_are_named(tmp_path):
    root = place(tmp_path, "labels.txt", "photos.zip", "train.tar.gz")
    told = sentence(root, DataError)
    assert told.endswith("but photos is not there; unpack photos.zip, train.tar.gz")
    inside = place(tmp_path / "b", "train/images/", "train/labels.zip")
    assert sentence(inside, DataError).endswith("unpack train/labels.zip")


def test_another_folder_is_told_what_was_looked_for_and_what_is_there(tmp_path):
    root = place(tmp_path / "a", "music/", "films/", ".hidden")
    assert sentence(root, RequestError) == (
        f"{root} is no release of 'faces': looked for Faces, first release (photos, labels.txt); "
        "Faces, second release (train/images, train/labels); it holds films, music"
    )
    (tmp_path / "b").mkdir()
    assert sentence(tmp_path / "b", RequestError).endswith("it holds nothing")
    many = place(tmp_path / "c", *(f"{i}.txt" for i in range(20)))
    assert "and 12 more" in sentence(many, RequestError)


def test_a_root_that_is_no_folder(tmp_path):
    assert "does not exist" in sentence(tmp_path / "absent", RequestError)
    place(tmp_path, "file.txt")
    assert "is no folder" in sentence(tmp_path / "file.txt", RequestError)
    assert "'faces' needs a data root" in sentence(None, RequestError)


def test_the_search_below_ends_in_a_large_tree(tmp_path):
    root = place(tmp_path / "a", *(f"{i:04}/x/" for i in range(MOST_FOLDERS + 50)))
    place(root, "zz/photos/", "zz/labels.txt")
    assert "is no release" in sentence(root, RequestError)
