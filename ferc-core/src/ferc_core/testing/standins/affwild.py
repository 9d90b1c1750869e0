"""Stand-ins for Aff-Wild2 and for Aff-Wild with the expressions of Aff-Wild2."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ferc_core.datasets.affwild.frames import EMOTIONS, LABELS, OTHER_EXPRESSION
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES
from ferc_core.errors import RequestError
from ferc_core.testing.standins import images
from ferc_core.testing.standins.images import ImageWriter
from ferc_core.testing.standins.quirks import check_quirks, write_lines

QUIRKS = {
    "older-names": "VA_Set, EXPR_Set and Training_Set",
    "recognition": "EXPR_Recognition_Challenge, as in a later copy",
    "annotations": "the folders of both tasks are in Annotations",
    "deep-annotations": "the folders of both tasks are in Annotations/6th_ABAW_Annotations",
    "windows": "annotations have Windows line endings, a byte-order mark and empty lines at the "
    "end",
    "nested": "a folder of images, videos or boxes is unpacked into one of its name",
    "no-face": "video01 has no face in frames 2 and 5",
    "invalid": "video01 has valence and arousal of -5 in frame 3 and expression -1 in frame 4",
    "other": "video01 has expression 7 in frame 6",
    "bad-lines": "video01 has a valence of x in frame 7 and expression 9 in frame 8",
    "outside": "video01 has an arousal of 1.5 in frame 9",
    "lengths": "video02 has three expressions fewer than frames",
    "twice": "the expressions of video01 are in both sets",
    "few": "1 more subject with 3 frames: short",
    "one-kind": "2 more subjects with half of the annotations: only-va, only-expr",
    "gone": "1 more subject without any image or video: gone",
}
AFF_WILD2_QUIRKS = QUIRKS | {
    "sides": "2 more subjects in one video: pair_left, pair_right",
    "more-images": "the images of video02 are in cropped_aligned_new_50_vids",
}
V1_QUIRKS = QUIRKS | {
    "from-zero": "boxes are numbered from 0",
    "edge": "the boxes of video01 extend over the left and upper edge of the frames",
    "mp4": "videos are .mp4; else .avi",
    "broken": "1 more subject whose video cannot be opened: broken",
    "cut": "1 more subject whose video has only half of its frames: cut",
    "test-videos": "there is a video for the test",
    "no-expressions": "the expressions of Aff-Wild2 are missing",
}
FRAME_QUIRKS = ("no-face", "invalid", "other", "bad-lines", "outside")
FEWEST = 9  # frames for them
RELEASES = {"aff-wild2": AFF_WILD2_QUIRKS, "v1": V1_QUIRKS}
SIDE = {"aff-wild2": 112, "v1": 64}  # of a face in pixels
ADDED = {  # the subjects of a quirk
    "few": ["short"],
    "one-kind": ["only-va", "only-expr"],
    "gone": ["gone"],
    "sides": ["pair_left", "pair_right"],
    "broken": ["broken"],
    "cut": ["cut"],
}

CODES = {int(label): code for code, label in enumerate(LABELS)}
SHORT = 3  # frames of "short"
ROOM = 8  # pixels within which a face moves in a video, and half of the space around it
OVER = 5  # pixels by which a box of the quirk "edge" extends over the edge
GREY = 96


@dataclass
class Clip:
    """A subject: the toy face of each frame, its annotations, and the frames with a face."""

    name: str
    faces: list[int]
    valence_arousal: list[str] = field(init=False)
    codes: list[str] = field(init=False)
    seen: list[int] = field(init=False)  # frames from 1
    kinds: str = "VA EXPR"
    there: bool = True

    def __post_init__(self) -> None:
        pairs = map(images.toy_valence_arousal, self.faces)
        self.valence_arousal = [f"{valence},{arousal}" for valence, arousal in pairs]
        self.codes = [str(CODES[face % len(CLASSES)]) for face in self.faces]
        self.seen = list(range(1, len(self.faces) + 1))


def write_affwild(
    root: Path,
    *,
    release: str = "aff-wild2",
    identities: int = 10,
    frames: int = 30,
    side: int = 0,
    distinct: int = 0,
    quirks: Collection[str] = (),
) -> Path:
    """Write a stand-in for Aff-Wild2 or Aff-Wild with toy faces into ``root`` and return it.

    release:     "aff-wild2" (images) or "v1" (videos with boxes, expressions of Aff-Wild2)
    identities:  number of subjects: video01, video02, ...
    frames:      of each, from 1; a subject shows the seven expressions one after the other, for
                 equally long, and each subject begins with another one
    side:        of a face in pixels; 0 for 112, or 64 in videos
    distinct:    different images of each class, the others are links to them; 0: all differ
    quirks:      oddities of real copies: names in `AFF_WILD2_QUIRKS` or `V1_QUIRKS`

    Raises `UnknownNameError` for an unknown release or quirk, and `RequestError` for too few
    frames for a quirk.
    """
    check_quirks(release, quirks, RELEASES)
    if frames < FEWEST and any(quirk in FRAME_QUIRKS for quirk in quirks):
        raise RequestError(f"quirks of single frames need {FEWEST} frames or more, not {frames}")
    clips = [clip(f"video{i + 1:02d}", i, frames) for i in range(identities)]
    spoil(clips, quirks)
    clips += more_clips(len(clips), frames, quirks)
    side = side or SIDE[release]
    write_expressions(root, clips, quirks)
    if release == "v1":
        write_videos(root, clips, side, quirks)
    else:
        write_valence_arousal(root, clips, quirks)
        write_images(root, clips, ImageWriter(side, distinct), quirks)
    return root


def clip(name: str, subject: int, frames: int) -> Clip:
    """Return a subject without quirks."""
    count = len(EMOTIONS)
    labels = [(frame * count // frames + subject) % count for frame in range(frames)]
    return Clip(name, [images.toy_number(n, turn, subject) for turn, n in enumerate(labels)])


def spoil(clips: list[Clip], quirks: Collection[str]) -> None:
    """Apply the quirks of video01 and video02."""
    one = clips[0]
    if "no-face" in quirks:
        one.seen = [frame for frame in one.seen if frame not in (2, 5)]
    if "invalid" in quirks:
        one.valence_arousal[3 - 1], one.codes[4 - 1] = "-5,-5", "-1"
    if "other" in quirks:
        one.codes[6 - 1] = str(OTHER_EXPRESSION)
    if "bad-lines" in quirks:
        one.valence_arousal[7 - 1], one.codes[8 - 1] = "x,0.5", "9"
    if "outside" in quirks:
        one.valence_arousal[9 - 1] = "0.5,1.5"
    if "lengths" in quirks:
        del clips[1].codes[-3:]


def more_clips(subject: int, frames: int, quirks: Collection[str]) -> Iterator[Clip]:
    """Yield the subjects that quirks add, numbered from ``subject``."""
    names = [name for quirk, names in ADDED.items() if quirk in quirks for name in names]
    for i, name in enumerate(names, subject):
        more = clip(name, i, SHORT if name == "short" else frames)
        more.kinds = {"only-va": "VA", "only-expr": "EXPR"}.get(name, more.kinds)
        more.there = name != "gone"
        yield more


def write_annotations(path: Path, lines: list[str], quirks: Collection[str]) -> None:
    """Write an annotation file."""
    if "windows" in quirks:
        write_lines(path, [*lines, "", ""], windows=True, encoding="utf-8-sig")
    else:
        write_lines(path, lines)


def sets(root: Path, task: str, usual: str, quirks: Collection[str]) -> list[Path]:
    """Return the two parts of a task's annotations, which exist even if they are empty."""
    if "deep-annotations" in quirks:
        root = root / "Annotations" / "6th_ABAW_Annotations"
    elif "annotations" in quirks:
        root = root / "Annotations"
    older = "older-names" in quirks
    folder = root / (f"{task}_Set" if older else usual)
    parts = [folder / ("Training_Set" if older else "Train_Set"), folder / "Validation_Set"]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    return parts


def write_expressions(root: Path, clips: list[Clip], quirks: Collection[str]) -> None:
    """Write the expressions of Aff-Wild2; every third subject is in the Validation_Set."""
    if "no-expressions" in quirks:
        return
    challenge = "Recognition" if "recognition" in quirks else "Classification"
    parts = sets(root, "EXPR", f"EXPR_{challenge}_Challenge", quirks)
    names = [name.capitalize() for name in EMOTIONS]
    header = ",".join(names if "older-names" in quirks else [*names, "Other"])
    for number, one in enumerate(clips):
        own = parts[number % 3 == 2]
        for part in parts:
            if "EXPR" in one.kinds and (part == own or (number == 0 and "twice" in quirks)):
                write_annotations(part / f"{one.name}.txt", [header, *one.codes], quirks)


def write_valence_arousal(root: Path, clips: list[Clip], quirks: Collection[str]) -> None:
    """Write valence and arousal as in Aff-Wild2; every other subject is in a set."""
    parts = sets(root, "VA", "VA_Estimation_Challenge", quirks)
    for number, one in enumerate(clips):
        if "VA" in one.kinds:
            lines = ["valence,arousal", *one.valence_arousal]
            write_annotations(parts[number % 2] / f"{one.name}.txt", lines, quirks)


def write_images(
    root: Path, clips: list[Clip], writer: ImageWriter, quirks: Collection[str]
) -> None:
    """Write the faces of Aff-Wild2."""
    for one in clips:
        moved = "more-images" in quirks and one.name == "video02"
        folder = root / ("cropped_aligned_new_50_vids" if moved else "cropped_aligned")
        if "nested" in quirks:
            folder /= folder.name
        for frame in one.seen if one.there else []:
            writer.write(folder / one.name / f"{frame:05d}.jpg", one.faces[frame - 1])


def write_videos(root: Path, clips: list[Clip], side: int, quirks: Collection[str]) -> None:
    """Write Aff-Wild: videos, their boxes, valence and arousal."""
    nested = "train/train" if "nested" in quirks else "train"
    videos, boxes = root / "videos" / nested, root / "bboxes" / nested
    videos.mkdir(parents=True, exist_ok=True)
    boxes.mkdir(parents=True, exist_ok=True)
    suffix = ".mp4" if "mp4" in quirks else ".avi"
    for one in clips:
        if "VA" in one.kinds:
            for column, kind in enumerate(("valence", "arousal")):
                lines = [pair.split(",")[column] for pair in one.valence_arousal]
                folder = root / "annotations" / "train" / kind
                write_annotations(folder / f"{one.name}.txt", lines, quirks)
        if one.there:
            drawn = len(one.faces) // 2 if one.name == "cut" else len(one.faces)
            video = videos / f"{one.name}{suffix}"
            if one.name == "broken":
                video.write_bytes(b"This is no video.")
            else:
                write_video(video, one.faces[:drawn], side)
            over = OVER if one.name == "video01" and "edge" in quirks else 0
            for frame in one.seen:
                name = f"{frame - ('from-zero' in quirks)}.pts"
                write_box(boxes / one.name / name, frame, side, over)
    if "test-videos" in quirks:
        (root / "videos" / "test").mkdir()
        write_video(root / "videos" / "test" / f"unseen{suffix}", clips[0].faces[:2], side)


def place(frame: int) -> tuple[int, int]:
    """Return left and top of the moving face in a frame of a video, counted from 1."""
    return frame % ROOM, frame // 2 % ROOM


def write_video(path: Path, faces: list[int], side: int) -> None:
    """Write a video of moving toy faces, 25 frames a second."""
    codec = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    video = cv2.VideoWriter(str(path), codec, 25, (side + 2 * ROOM, side + 2 * ROOM))
    for frame, face in enumerate(faces, 1):
        left, top = place(frame)
        image = np.full((side + 2 * ROOM, side + 2 * ROOM, 3), GREY, dtype=np.uint8)
        image[top : top + side, left : left + side] = images.toy_image(face, side)[..., ::-1]
        video.write(image)
    video.release()


def write_box(path: Path, frame: int, side: int, over: int) -> None:
    """Write the corners of a face's box, which extends ``over`` pixels out of the frame."""
    left, top = place(frame)
    right, bottom = left + side, top + side
    if over:
        left, top = -over, -over
    corners = ((left, top), (left, bottom), (right, bottom), (right, top))
    points = (f"{x:.3f} {y:.3f}" for x, y in corners)
    write_lines(path, ["version: 1", "n_points:  4", "{", *points, "}"])
