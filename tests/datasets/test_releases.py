"""A folder is recognised as a release, or answered by the folder to use or by what is missing."""

from __future__ import annotations

from pathlib import Path

from helpers.loaders import refusal

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


def sentence(root: Path | None, error: type[Exception] = RequestError) -> str:
    return refusal(lambda path: recognise(path, "faces", (OLD, NEW)), root, error)


def test_the_first_complete_release_and_the_first_of_several_places_count(tmp_path):
    root = place(tmp_path, "img2/", "img1/", "labels.txt")
    found = {"images": root / "img1", "list": root / "labels.txt"}
    assert recognise(root, "faces", (OLD, NEW)) == (OLD, found)
    place(root, "photos/")
    assert recognise(root, "faces", (OLD, NEW))[1]["images"] == root / "photos"
    place(root, "train/images/", "train/labels/")
    assert recognise(root, "faces", (NEW, OLD))[0] == NEW


def test_a_root_at_the_wrong_level_is_answered_by_the_right_one(tmp_path):
    for below, levels in (("faces", "one level"), ("download/faces", "two levels")):
        root = place(tmp_path / levels, f"{below}/photos/", f"{below}/labels.txt", "notes/")
        assert sentence(root).endswith(f"is {levels} too high; use {root / below}")
    root = place(tmp_path / "low", "train/images/1/", "train/labels/")
    for inside, levels in (
        ("train", "one level"),
        ("train/images", "two levels"),
        ("train/images/1", "three levels"),
    ):
        assert sentence(root / inside).endswith(f"is {levels} too low; use {root}")


def test_missing_parts_and_archives_to_unpack_are_named(tmp_path):
    root = place(tmp_path / "a", "train/images/")
    assert sentence(root, DataError) == (
        f"{root} looks like Faces, second release, but train/labels is missing"
    )
    place(root, "train/labels.zip")
    assert sentence(root, DataError).endswith("unpack train/labels.zip")
    root = place(tmp_path / "b", "labels.txt", "photos.zip", "train.tar.gz")
    message = sentence(root, DataError)
    assert message.endswith("but photos is missing; unpack photos.zip, train.tar.gz")


def test_another_folder_is_answered_by_what_was_looked_for_and_what_is_there(tmp_path):
    root = place(tmp_path / "a", "music/", "films/", ".hidden")
    assert sentence(root) == (
        f"{root} is not a release of 'faces': looked for Faces, first release (photos, "
        "labels.txt); Faces, second release (train/images, train/labels); it holds films, music"
    )
    (tmp_path / "b").mkdir()
    assert sentence(tmp_path / "b").endswith("it holds nothing")
    many = place(tmp_path / "c", *(f"{i}.txt" for i in range(20)))
    assert "and 12 more" in sentence(many)


def test_a_root_that_is_not_a_folder_is_refused(tmp_path):
    assert "does not exist" in sentence(tmp_path / "absent")
    place(tmp_path, "file.txt")
    assert "is not a folder" in sentence(tmp_path / "file.txt")
    assert "'faces' needs a data root" in sentence(None)


def test_the_search_stops_in_a_large_tree(tmp_path):
    root = place(tmp_path / "a", *(f"{i:04}/x/" for i in range(MOST_FOLDERS + 50)))
    place(root, "zz/photos/", "zz/labels.txt")
    assert "is not a release" in sentence(root)
