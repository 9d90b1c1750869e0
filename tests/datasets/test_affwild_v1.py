"""Aff-Wild: faces of videos, decoded once and the same for every reader and order."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.affwild_copies import EXPR, OF_CODE, everything, faces_of, frames_of
from helpers.loaders import noted

from ferc_core.base.parallel import processes, threads
from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.datasets.videos import VideoFrames, read_box
from ferc_core.errors import BadImageError, DataError, StoreError
from ferc_core.testing.standins.affwild import ROOM, place, write_affwild

FRAMES, SIDE = 10, 32


def write(root: Path, *quirks: str, subjects: int = 3) -> Path:
    return write_affwild(
        root, release="v1", identities=subjects, frames=FRAMES, side=SIDE, quirks=quirks
    )


def decoded(path: Path) -> list[np.ndarray]:
    """Decode a video in the plainest way; uint8 RGB."""
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, image = video.read()
        if not there:
            return frames
        frames.append(image[..., ::-1])


def crop(image: np.ndarray, frame: int) -> np.ndarray:
    """Return the face of a stand-in's frame, counted from 1."""
    left, top = place(frame)
    return image[top : top + SIDE, left : left + SIDE]


def reader(root: Path, frames: list[int], video: str = "videos/train/video01.avi") -> VideoFrames:
    """Return a reader of frames, counted from 0, of one video; boxes are named from 1."""
    boxes = [f"bboxes/train/video01/{frame + 1}.pts" for frame in frames]
    numbers = np.array(frames, dtype=np.int64)
    return VideoFrames(root, [video], np.zeros_like(numbers), numbers, boxes)


def kept(cache: Path) -> dict[str, tuple[int, int]]:
    """Return the images in the cache, each with what would change if it were written again."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in cache.rglob("frames/*/*.png")
    }


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Keep what is decoded in a folder of the test."""
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A stand-in without quirks; no test writes into it."""
    return write(tmp_path_factory.mktemp("affwild"))


# --- faces


def test_faces_are_crops_of_a_plain_decoding_with_the_lines_of_their_frame(plain):
    faces = everything(plain)
    assert faces.about.release == "Aff-Wild"
    assert faces.about.size is None
    for subject in ("video01", "video02", "video03"):
        images = decoded(plain / "videos" / "train" / f"{subject}.avi")
        points = [
            (plain / "annotations" / "train" / kind / f"{subject}.txt").read_text().split()
            for kind in ("valence", "arousal")
        ]
        codes = next((plain / EXPR).glob(f"*/{subject}.txt")).read_text().split()[1:]
        found = faces_of(faces, subject)
        assert [face.id for face in found] == [f"{subject}/{i}" for i in range(1, FRAMES + 1)]
        for i, face in enumerate(found):
            np.testing.assert_array_equal(face.image, crop(images[i], i + 1))
            assert (str(face.valence), str(face.arousal)) == (points[0][i], points[1][i])
            assert faces.classes[face.label] == OF_CODE[int(codes[i])]


def test_every_layout_gives_the_same_faces(tmp_path, plain):
    for quirks in (("mp4", "nested"), ("windows", "annotations"), ("older-names", "test-videos")):
        faces = everything(write(tmp_path / quirks[0], *quirks))
        assert faces.fingerprint == everything(plain).fingerprint
        assert faces.splits["train"][0].image.shape == (SIDE, SIDE, 3)
    assert noted(faces, "videos/test left out")


def test_boxes_numbered_from_zero_belong_to_the_same_frames(tmp_path, plain):
    one, other = everything(plain), everything(write(tmp_path / "data", "from-zero"))
    for left, right in zip(faces_of(one, "video02"), faces_of(other, "video02"), strict=True):
        assert int(left.id.rpartition("/")[2]) - 1 == int(right.id.rpartition("/")[2])
        assert (left.label, left.valence) == (right.label, right.valence)
        np.testing.assert_array_equal(left.image, right.image)


def test_a_box_over_the_edge_is_clipped(tmp_path):
    root = write(tmp_path / "data", "edge")
    images = decoded(root / "videos" / "train" / "video01.avi")
    for frame, face in enumerate(faces_of(everything(root), "video01"), 1):
        left, top = place(frame)
        expected = images[frame - 1][: top + SIDE, : left + SIDE]
        np.testing.assert_array_equal(face.image, expected)


def test_quirks_of_annotations_and_boxes_are_counted(tmp_path):
    faces = everything(write(tmp_path / "a", "no-face"))
    assert frames_of(faces, "video01") == [1, 3, 4, *range(6, FRAMES + 1)]
    assert noted(faces, "image or box").startswith("2 frames left out")
    quirks = ("invalid", "other", "bad-lines", "outside", "lengths", "one-kind", "few")
    faces = open_affwild(write(tmp_path / "b", *quirks), frames=4)
    for words in (
        "1 frame left out: valence or arousal is -5",
        "1 frame left out: the expression is -1",
        "1 frame left out: the expression is 7",
        "a line is not a number, first in annotations/train/valence/video01.txt, line 7",
        "outside [-1, 1], first in annotations/train/arousal/video01.txt, line 9",
        f"not a code from -1 to 7, first in {EXPR}/Train_Set/video01.txt, line 9",
        "3 frames left out: beyond the end of the shorter annotation file, in 1 video: video02",
        "1 subject left out: no valence: only-expr",
        "1 subject left out: no expression: only-va",
        "short (3)",
    ):
        assert noted(faces, words)


# --- decoding


def test_the_order_of_reading_does_not_matter(plain):
    images = decoded(plain / "videos" / "train" / "video01.avi")
    for order in (range(FRAMES), range(FRAMES)[::-1], (7, 2, 9, 2, 0)):
        read = reader(plain, list(range(FRAMES)))
        for i in order:
            np.testing.assert_array_equal(read(i), crop(images[i], i + 1))


def test_processes_and_threads_decode_a_video_once(plain, cache):
    """The first read keeps all chosen frames; of several readers one decodes."""
    images = decoded(plain / "videos" / "train" / "video01.avi")
    chosen = [8, 0, 4]
    read = reader(plain, chosen)
    assert kept(cache) == {}
    together = processes(pickle.loads(pickle.dumps(read)), range(3), 2)
    for frame, image in zip(chosen, together, strict=True):
        np.testing.assert_array_equal(image, crop(images[frame], frame + 1))
    before = kept(cache)
    assert set(before) == {"0.png", "4.png", "8.png"}
    for frame, image in zip(chosen, threads(read, range(3), 3), strict=True):
        np.testing.assert_array_equal(image, crop(images[frame], frame + 1))
    assert kept(cache) == before


def test_kept_faces_belong_to_their_video_and_boxes(tmp_path):
    root = write(tmp_path / "data")
    images = decoded(root / "videos" / "train" / "video01.avi")
    np.testing.assert_array_equal(reader(root, [4])(0), crop(images[4], 5))
    box = root / "bboxes" / "train" / "video01" / "5.pts"
    box.write_text("version: 1\nn_points:  4\n{\n1 2\n1 12\n21 12\n21 2\n}\n")
    np.testing.assert_array_equal(reader(root, [4])(0), images[4][2:12, 1:21])
    other = root / "videos" / "train" / "video02.avi"
    shutil.copy(other, root / "videos" / "train" / "video01.avi")
    np.testing.assert_array_equal(reader(root, [4])(0), decoded(other)[4][2:12, 1:21])


def test_an_incomplete_folder_is_decoded_again(plain, cache):
    images = decoded(plain / "videos" / "train" / "video01.avi")
    reader(plain, [2, 6])(0)
    for name in ("problems.json", "6.png"):
        next(cache.rglob(name)).unlink()
        np.testing.assert_array_equal(reader(plain, [2, 6])(1), crop(images[6], 7))


def test_a_cache_that_cannot_be_written_is_named(plain, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="could not be written"):
        reader(plain, [0])(0)


# --- bad input


def test_without_the_expressions_of_aff_wild2_it_is_refused(tmp_path):
    root = write(tmp_path / "data", "no-expressions")
    with pytest.raises(DataError, match="has no expressions of its own") as caught:
        everything(root)
    assert "EXPR_Classification_Challenge of Aff-Wild2" in str(caught.value)
    (root / EXPR / "Train_Set").mkdir(parents=True)
    with pytest.raises(DataError, match="Validation_Set is missing"):
        everything(root)


def test_missing_and_broken_videos_are_named(tmp_path, plain):
    root = write(tmp_path / "data", "broken", "gone")
    assert everything(root).about.missing == {
        "videos/train/broken.avi": FRAMES,
        "bboxes/train/gone": FRAMES,  # the boxes of a subject
    }
    shutil.copytree(root / "bboxes/train/video01", root / "bboxes/train/gone")
    faces = everything(root)
    assert faces.about.missing == {
        "videos/train/broken.avi": FRAMES,
        "videos/train/gone.mp4": FRAMES,
    }
    assert noted(faces, "2 videos left out: missing, or cannot be opened")
    assert faces.splits["train"].ids == everything(plain).splits["train"].ids


def test_a_video_that_ends_too_early_is_named_with_the_frame(tmp_path):
    root = write(tmp_path / "data", "cut")
    video = root / "videos" / "train" / "cut.avi"
    images = decoded(video)
    assert len(images) == FRAMES // 2
    for frame, face in enumerate(faces_of(everything(root), "cut"), 1):
        if frame <= len(images):
            np.testing.assert_array_equal(face.image, crop(images[frame - 1], frame))
        else:
            with pytest.raises(BadImageError) as caught:
                _ = face.image
            assert str(caught.value) == f"frame {frame} of {video}: the video ends after 5 frames"


def test_a_video_that_was_damaged_later_is_named(tmp_path):
    root = write(tmp_path / "data")
    video = root / "videos" / "train" / "video01.avi"
    video.write_bytes(video.read_bytes()[:300])
    with pytest.raises(BadImageError, match=r"frame 3 of .*video01\.avi: .* cannot be opened"):
        reader(root, [2])(0)
    video.unlink()
    with pytest.raises(BadImageError, match=r"video01\.avi cannot be read"):
        reader(root, [2])(0)


def test_a_box_that_cannot_be_read_is_named(tmp_path):
    root = write(tmp_path / "data")
    path = root / "bboxes" / "train" / "video01" / "2.pts"
    for text in (
        "",
        "version: 1\n",
        "{\n1 2\n}",
        "{\n1 2\n3\n}",
        "{\n1 2\nx y\n}",
        "{\n1 2\ninf 3\n}",
    ):
        path.write_text(text)
        with pytest.raises(DataError, match="does not hold the corners of a box"):
            read_box(path)
    read = reader(root, [0, 1])
    assert read(0).shape == (SIDE, SIDE, 3)  # the other frames can still be read
    with pytest.raises(BadImageError, match="does not hold the corners of a box") as caught:
        read(1)
    assert str(path) in str(caught.value)


def test_a_box_outside_the_frame_is_refused(tmp_path):
    root = write(tmp_path / "data")
    path = root / "bboxes" / "train" / "video01" / "1.pts"
    path.write_text("{\n90 5\n90 30\n95 30\n95 5\n}\n")
    width = SIDE + 2 * ROOM
    with pytest.raises(
        BadImageError, match=f"90, 5 to 95, 30 is outside the {width} x {width} frame"
    ):
        reader(root, [0])(0)


def test_a_box_is_rounded_outwards(tmp_path):
    path = tmp_path / "1.pts"
    path.write_text(
        "version: 1\r\nn_points:  4\r\n{\r\n1.5 -2.5\r\n1.5 8\r\n7.2 8\r\n7.2 -2.5\r\n}"
    )
    assert read_box(path) == (1, -3, 8, 8)


def test_decoding_prints_nothing(tmp_path):
    root = write(tmp_path / "data", "broken", "cut")
    video = root / "videos" / "train" / "video02.avi"
    content = bytearray(video.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    video.write_bytes(content)
    code = """if True:
        import sys
        from ferc_core.datasets.affwild.loader import open_affwild
        for split in open_affwild(sys.argv[1], frames=0).splits.values():
            for face in split:
                try:
                    face.image
                except Exception as error:
                    assert "the video ends after" in str(error), error
        """
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, env=os.environ
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
