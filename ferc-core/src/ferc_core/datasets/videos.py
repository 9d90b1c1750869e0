"""Faces in chosen frames of videos: each video is decoded once, and its faces are kept as files.

Frames are counted through from the beginning, for seeking is not exact in every build of OpenCV.
What is kept lies in the user's cache and is read again as long as the video, the boxes and the
choice of frames stay the same.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from ferc_core.base.files import read_json, user_cache, write_bytes, write_failure, write_json
from ferc_core.base.seeds import key
from ferc_core.datasets.texts import read_text
from ferc_core.errors import BadImageError, DataError, StoreError
from ferc_core.images import png
from ferc_core.images.io import read_image, to_rgb

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two are the first outside

VERSION = "frames/1"  # a new number for every change of what is kept
PROBLEMS = "problems.json"  # written last: frame -> why it has no image

# A video that cannot be read becomes an error of ours; FFmpeg need not print it as well.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class VideoFrames:
    """Reads face i of N in videos. It can be sent to another process.

    root:    the folder that all paths are relative to
    videos:  V video files
    video:   int [N], which of them
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

        Raises `BadImageError` that names video and frame when the video ends before it or cannot
        be opened, or when the box cannot be used.
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
        """Decode a video unless that has been done; return the folder and what has no image.

        Of several threads and processes one decodes, and the others wait for it.
        """
        path, boxes, problems = self._path(number), {}, {}
        for row in np.flatnonzero(self.video == number):
            frame = int(self.frame[row])
            try:
                boxes[frame] = read_box(Path(self.root, self.boxes[row]))
            except DataError as error:
                problems[str(frame)] = str(error)
        try:
            state = path.stat()
        except OSError as error:
            raise BadImageError(f"video {path} cannot be read: {error.strerror}") from error
        wanted = sorted(boxes.items())
        name = key(VERSION, path.resolve(), state.st_size, state.st_mtime_ns, wanted).hex()
        folder = user_cache() / "frames" / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if not whole(folder, boxes):
                    decode(path, boxes, folder)
        except OSError as error:
            raise StoreError(write_failure(folder, error)) from error
        return folder, {**problems, **read_json(folder / PROBLEMS)}


def whole(folder: Path, frames: Mapping[int, Box]) -> bool:
    """Tell whether a folder holds each of the frames, or says why it does not."""
    names = set(os.listdir(folder))
    if PROBLEMS not in names:
        return False
    problems = read_json(folder / PROBLEMS)
    return all(f"{frame}.png" in names or str(frame) in problems for frame in frames)


def decode(path: Path, boxes: Mapping[int, Box], folder: Path) -> None:
    """Write the faces of a video to ``folder`` as ``<frame>.png``, and why some are not there."""
    problems: dict[str, str] = {}

    def keep(frame: int, image: npt.NDArray[np.uint8]) -> None:
        left, top, right, bottom = boxes[frame]
        face = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if face.size:
            write_bytes(folder / f"{frame}.png", png.encode(face))
        else:
            height, width = image.shape[:2]
            problems[str(frame)] = (
                f"the box {left}, {top} to {right}, {bottom} lies outside its {width} x {height}"
            )

    count = each_frame(path, boxes, keep)
    if count is None:
        problems.update({str(frame): "the video cannot be opened" for frame in boxes})
    else:
        problems.update(
            {str(f): f"the video ends after {count} frames" for f in boxes if f >= count}
        )
    write_json(folder / PROBLEMS, problems)


def each_frame(
    path: Path, frames: Mapping[int, Box], use: Callable[[int, npt.NDArray[np.uint8]], None]
) -> int | None:
    """Call ``use`` with the number and the image of each of some frames, in their order.

    Returns the number of frames that were gone through, up to the last one asked for, or None when
    the video cannot be opened.
    """
    video = open_video(path)
    try:
        if not video.isOpened():
            return None
        last = max(frames, default=-1)
        for number in range(last + 1):
            if not video.grab():
                return number
            if number in frames:
                there, image = video.retrieve()
                if not there:
                    return number
                use(number, np.ascontiguousarray(to_rgb(image)[..., ::-1]))
        return last + 1
    finally:
        video.release()


def open_video(path: Path) -> cv2.VideoCapture:
    """Open a video with FFmpeg, which OpenCV's wheels bring along on every system."""
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


def can_open(path: Path) -> bool:
    """Tell whether OpenCV can open a video."""
    video = open_video(path)
    try:
        return bool(video.isOpened())
    finally:
        video.release()


def read_box(path: Path) -> Box:
    """Return the box around the points of a .pts file, in whole pixels, rounded outwards.

    Raises `DataError` that names the file when it does not hold two points or more.
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
