"""Faces in chosen frames of videos: each video is decoded once and its faces are kept as files.

Frames are counted from the beginning, because seeking is not exact in every build of OpenCV. The
faces are in the user's cache and are reused while video, boxes and chosen frames stay the same.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from ferc_core.base.files import (
    read_json,
    reading,
    sync_all,
    user_cache,
    write_bytes,
    write_failure,
    write_json,
)
from ferc_core.base.seeds import key
from ferc_core.datasets.samples import Box, cropped
from ferc_core.datasets.texts import read_text
from ferc_core.errors import BadImageError, DataError, StoreError
from ferc_core.images import png
from ferc_core.images.io import check_pixels, opencv, read_image, to_rgb

if TYPE_CHECKING:
    import cv2

VERSION = "frames/1"  # a new number for every change of what is kept
PROBLEMS = "problems.json"  # written last: frame -> why it has no image


class VideoFrames:
    """Reads face i of N in videos; picklable.

    root:    the folder that all paths are relative to
    videos:  V video files
    video:   int [N], index of the video
    frame:   int [N], counted from 0
    boxes:   N files with the corners of the face, see `read_box`
    """

    def __init__(
        self,
        root: Path,
        videos: Sequence[str],
        video: npt.NDArray[np.int64],
        frame: npt.NDArray[np.int64],
        boxes: Sequence[str],
    ) -> None:
        self.root, self.videos, self.boxes = str(root), tuple(videos), tuple(boxes)
        self.video, self.frame = video, frame
        self._kept: dict[int, tuple[Path, dict[str, str]]] = {}  # of the videos read so far

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Return face i as uint8 RGB [H, W, 3], its box clipped to the frame.

        Raises `BadImageError` naming video and frame if the video ends before it or cannot be
        opened, or if the box is not usable.
        """
        number, frame = int(self.video[i]), str(self.frame[i])
        if number not in self._kept:
            self._kept[number] = self._keep(number)
        folder, problems = self._kept[number]
        if frame in problems:
            raise BadImageError(
                f"frame {int(frame) + 1} of {self._path(number)}: {problems[frame]}"
            )
        return read_image(folder / f"{frame}.png")

    def _path(self, number: int) -> Path:
        return Path(self.root, self.videos[number])

    def _keep(self, number: int) -> tuple[Path, dict[str, str]]:
        """Decode a video unless that was done; return its folder and why frames have no image.

        One of several threads and processes decodes; the others wait for it.
        """
        path, boxes, problems = self._path(number), {}, {}
        for row in np.flatnonzero(self.video == number):
            frame = int(self.frame[row])
            try:
                boxes[frame] = read_box(Path(self.root, self.boxes[row]))
            except DataError as error:
                problems[str(frame)] = str(error)
        try:
            with reading(path):  # not a device or a pipe
                state = path.stat()
        except OSError as error:
            raise BadImageError(f"video {path} cannot be read: {error.strerror}") from error
        wanted = sorted(boxes.items())
        name = key(VERSION, path.resolve(), state.st_size, state.st_mtime_ns, wanted).hex()
        folder = user_cache() / "frames" / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if not is_complete(folder, boxes):
                    decode(path, boxes, folder)
        except OSError as error:
            raise StoreError(write_failure(folder, error)) from error
        return folder, {**problems, **read_json(folder / PROBLEMS)}


def is_complete(folder: Path, frames: Mapping[int, Box]) -> bool:
    """Tell whether a folder holds each of the frames or the reason why it does not."""
    names = set(os.listdir(folder))
    if PROBLEMS not in names:
        return False
    try:
        problems = read_json(folder / PROBLEMS)
    except DataError:  # damaged, so it is made again
        return False
    if not isinstance(problems, dict):
        return False
    return all(f"{frame}.png" in names or str(frame) in problems for frame in frames)


def decode(path: Path, boxes: Mapping[int, Box], folder: Path) -> None:
    """Write the faces of a video to ``folder`` as ``<frame>.png``, and why some are missing.

    Raises `BadImageError` for frames that are larger than images may be.
    """
    problems: dict[str, str] = {}
    count = 0
    with opened(path) as video:
        end = "the video ends after {} frames" if video.isOpened() else "the video cannot be opened"
        sides = (opencv().CAP_PROP_FRAME_WIDTH, opencv().CAP_PROP_FRAME_HEIGHT)
        width, height = (int(video.get(side)) for side in sides)
        check_pixels((width, height), f"a frame of {path}")
        for image in images_of(video, boxes):
            if image is not None:
                face = cropped(image, boxes[count])
                if face.size:
                    write_bytes(folder / f"{count}.png", png.encode(face), durable=False)
                else:
                    left, top, right, bottom = boxes[count]
                    height, width = image.shape[:2]
                    problems[str(count)] = (
                        f"the box {left}, {top} to {right}, {bottom} is outside the {width} x "
                        f"{height} frame"
                    )
            count += 1
    problems |= {str(frame): end.format(count) for frame in boxes if frame >= count}
    sync_all(folder)
    write_json(folder / PROBLEMS, problems)


def images_of(
    video: cv2.VideoCapture, frames: Mapping[int, Box]
) -> Iterator[npt.NDArray[np.uint8] | None]:
    """Yield the image of every frame up to the last wanted one, None for one not among ``frames``.

    The iterator ends early where the video does.
    """
    for frame in range(max(frames, default=-1) + 1):
        if not video.grab():
            return
        if frame in frames:
            there, image = video.retrieve()
            if not there:
                return
            yield np.ascontiguousarray(to_rgb(image)[..., ::-1])
        else:
            yield None


@contextmanager
def opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """Open a video with FFmpeg, which OpenCV's wheels contain on every system.

    FFmpeg need not print about a video that becomes a `BadImageError`; OpenCV reads its log level
    from the environment when it first opens a video.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    video = opencv().VideoCapture(str(path), opencv().CAP_FFMPEG)
    try:
        yield video
    finally:
        video.release()


def can_open(path: Path) -> bool:
    """Tell whether OpenCV can open a video."""
    try:
        with reading(path), opened(path) as video:
            return bool(video.isOpened())
    except OSError:
        return False


def read_box(path: Path) -> Box:
    """Return the box around the points of a .pts file, in whole pixels, rounded outwards.

    Raises `DataError` naming the file if it does not hold two points or more.
    """
    inside = re.search(r"\{(.*)\}", read_text(path), re.DOTALL)
    try:
        values = [float(word) for word in inside[1].split()] if inside else []
        xs, ys = values[0::2], values[1::2]
        if len(xs) != len(ys) or len(xs) < 2:
            raise ValueError
        return math.floor(min(xs)), math.floor(min(ys)), math.ceil(max(xs)), math.ceil(max(ys))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path} does not hold the corners of a box") from error
