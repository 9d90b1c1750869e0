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
from ferc_core.testing.standins.images import (
    ImageWriter,
    toy_feeling,
    toy_image,
    toy_number,
)
from ferc_core.testing.standins.quirks import check_quirks

QUIRKS = {
    "older-names": "VA_Set, EXPR_Set and Training_Set",
    "recognition": "EXPR_Recognition_Challenge, as in a later copy",
    "annotations": "the folders of both tasks lie in Annotations",
    "deep-annotations": "the folders of both tasks lie in Annotations/6th_ABAW_Annotations",
    "windows": "annotations have Windows line ends, a byte-order mark and empty lines at the end",
    "nested": "a folder of images, videos or boxes is unpacked into one of its name",
    "no-face": "video01 has no face in the frames 2 and 5",
    "invalid": "video01 has valence and arousal of -5 in frame 3 and the expression -1 in frame 4",
    "other": "video01 has the expression 7 in frame 6",
    "bad-lines": "video01 has a valence of x in frame 7 and the expression 9 in frame 8",
    "outside": "video01 has an arousal of 1.5 in frame 9",
    "lengths": "video02 has three expressions fewer than frames",
    "twice": "the expressions of video01 stand in both sets",
    "few": "1 more identity with 3 frames: short",
    "one-kind": "2 more identities with half of the annotations: only-va, only-expr",
    "gone": "1 more identity without any image or video: gone",
}
AFF_WILD2_QUIRKS = QUIRKS | {
    "sides": "2 more identities in one video: pair_left, pair_right",
    "more-images": "the images of video02 lie in cropped_aligned_new_50_vids",
}
V1_QUIRKS = QUIRKS | {
    "from-zero": "boxes are numbered from 0",
    "edge": "the boxes of video01 reach over the left and upper edge of the frames",
    "mp4": "videos are .mp4; else .avi",
    "broken": "1 more identity whose video cannot be opened: broken",
    "cut": "1 more identity whose video has only half of its frames: cut",
    "test-videos": "there is a video for the test",
    "no-expressions": "the expressions of Aff-Wild2 are not there",
}
FRAME_QUIRKS = ("no-face", "invalid", "other", "bad-lines", "outside")
FEWEST = 9  # frames for them
RELEASES = {"aff-wild2": AFF_WILD2_QUIRKS, "v1": V1_QUIRKS}
SIDE = {"aff-wild2": 112, "v1": 64}  # of a face in pixels

CODES = {int(label): code for code, label in enumerate(LABELS)}
SHORT = 3  # frames of "short"
ROOM = 8  # pixels that a face moves about in a video, and half of what is around it
OVER = 5  # pixels that a box of the quirk "edge" reaches over the edge
GREY = 96


@dataclass
class Clip:
    """An identity: the toy face of each frame, what is written about it, and where it is seen."""

    name: str
    person: int
    faces: list[int]
    feelings: list[str] = field(init=False)
    codes: list[str] = field(init=False)
    seen: list[int] = field(init=False)  # frames from 1
    kinds: str = "VA EXPR"
    there: bool = True

    def __post_init__(self) -> None:
        self.feelings = [",".join(map(str, toy_feeling(face))) for face in self.faces]
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
    identities:  video01, video02, ...; each of them is one person
    frames:      of each, from 1; it shows the seven expressions one after the other, for as long
                 as each other, and each identity begins with another one
    side:        of a face in pixels; 0 for 112, or 64 in videos
    distinct:    different images of each class, the others are links to them; 0: all differ
    quirks:      oddities of real copies: names in `AFF_WILD2_QUIRKS` or `V1_QUIRKS`

    Raises `UnknownNameError` for a release or a quirk that there is not, and `RequestError` for
    too few frames to have it.
    """
    check_quirks(release, quirks, RELEASES)
    if frames < FEWEST and any(quirk in FRAME_QUIRKS for quirk in quirks):
        raise RequestError(f"quirks of single frames need {FEWEST} frames or more, not {frames}")
    names = [f"video{number:02d}" for number in range(1, identities + 1)]
    clips = [clip(name, person, frames) for person, name in enumerate(names)]
    spoil(clips, quirks)
    clips += more_clips(len(clips), frames, quirks)
    side = side or SIDE[release]
    write_expressions(root, clips, quirks)
    if release == "v1":
        write_videos(root, clips, side, quirks)
    else:
        write_feelings(root, clips, quirks)
        write_images(root, clips, ImageWriter(side, distinct), quirks)
    return root


def clip(name: str, person: int, frames: int) -> Clip:
    """Return an identity as it should be."""
    count = len(EMOTIONS)
    labels = [(frame * count // frames + person) % count for frame in range(frames)]
    return Clip(name, person, [toy_number(n, turn, person) for turn, n in enumerate(labels)])


def spoil(clips: list[Clip], quirks: Collection[str]) -> None:
    """Apply the quirks of video01 and video02."""
    one = clips[0]
    if "no-face" in quirks:
        one.seen = [frame for frame in one.seen if frame not in (2, 5)]
    if "invalid" in quirks:
        one.feelings[3 - 1], one.codes[4 - 1] = "-5,-5", "-1"
    if "other" in quirks:
        one.codes[6 - 1] = str(OTHER_EXPRESSION)
    if "bad-lines" in quirks:
        one.feelings[7 - 1], one.codes[8 - 1] = "x,0.5", "9"
    if "outside" in quirks:
        one.feelings[9 - 1] = "0.5,1.5"
    if "lengths" in quirks:
        del clips[1].codes[-3:]


def more_clips(person: int, frames: int, quirks: Collection[str]) -> Iterator[Clip]:
    """Yield the identities that quirks add."""
    for quirk, names in (
        ("few", ["short"]),
        ("one-kind", ["only-va", "only-expr"]),
        ("gone", ["gone"]),
        ("sides", ["pair_left", "pair_right"]),
        ("broken", ["broken"]),
        ("cut", ["cut"]),
    ):
        for name in names if quirk in quirks else []:
            more = clip(name, person, SHORT if quirk == "few" else frames)
            more.kinds = {"only-va": "VA", "only-expr": "EXPR"}.get(name, more.kinds)
            more.there = quirk != "gone"
            person += 1
            yield more


def write_lines(path: Path, lines: list[str], quirks: Collection[str]) -> None:
    """Write an annotation file."""
    text = "".join(f"{line}\n" for line in lines)
    if "windows" in quirks:
        text = "\ufeff" + text.replace("\n", "\r\n") + "\r\n\r\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def task_folder(root: Path, task: str, usual: str, quirks: Collection[str]) -> Path:
    """Return the folder of a task's annotations."""
    if "deep-annotations" in quirks:
        root = root / "Annotations" / "6th_ABAW_Annotations"
    elif "annotations" in quirks:
        root = root / "Annotations"
    return root / (f"{task}_Set" if "older-names" in quirks else usual)


def sets(folder: Path, quirks: Collection[str]) -> list[Path]:
    """Return the two parts of a task's annotations, which are there even when they are empty."""
    training = "Training_Set" if "older-names" in quirks else "Train_Set"
    parts = [folder / training, folder / "Validation_Set"]
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    return parts


def write_expressions(root: Path, clips: list[Clip], quirks: Collection[str]) -> None:
    """Write the expressions of Aff-Wild2; every third identity is in the Validation_Set."""
    if "no-expressions" in quirks:
        return
    challenge = "Recognition" if "recognition" in quirks else "Classification"
    parts = sets(task_folder(root, "EXPR", f"EXPR_{challenge}_Challenge", quirks), quirks)
    names = [name.capitalize() for name in EMOTIONS]
    header = ",".join(names if "older-names" in quirks else [*names, "Other"])
    for number, one in enumerate(clips):
        own = parts[number % 3 == 2]
        for part in parts:
            if "EXPR" in one.kinds and (part == own or (number == 0 and "twice" in quirks)):
                write_lines(part / f"{one.name}.txt", [header, *one.codes], quirks)


def write_feelings(root: Path, clips: list[Clip], quirks: Collection[str]) -> None:
    """Write valence and arousal as Aff-Wild2 has them; every other identity is in a set."""
    parts = sets(task_folder(root, "VA", "VA_Estimation_Challenge", quirks), quirks)
    for number, one in enumerate(clips):
        if "VA" in one.kinds:
            lines = ["valence,arousal", *one.feelings]
            write_lines(parts[number % 2] / f"{one.name}.txt", lines, quirks)


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
                lines = [feeling.split(",")[column] for feeling in one.feelings]
                folder = root / "annotations" / "train" / kind
                write_lines(folder / f"{one.name}.txt", lines, quirks)
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
    """Return left and top of the face in a frame of a video, counted from 1: it moves about."""
    return frame % ROOM, frame // 2 % ROOM


def write_video(path: Path, faces: list[int], side: int) -> None:
    """Write toy faces that move about, 25 a second."""
    codec = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    video = cv2.VideoWriter(str(path), codec, 25, (side + 2 * ROOM, side + 2 * ROOM))
    for frame, face in enumerate(faces, 1):
        left, top = place(frame)
        image = np.full((side + 2 * ROOM, side + 2 * ROOM, 3), GREY, dtype=np.uint8)
        image[top : top + side, left : left + side] = toy_image(face, side)[..., ::-1]
        video.write(image)
    video.release()


def write_box(path: Path, frame: int, side: int, over: int) -> None:
    """Write the corners of a face's box, which reaches ``over`` pixels out of the frame."""
    left, top = place(frame)
    right, bottom = left + side, top + side
    if over:
        left, top = -over, -over
    corners = ((left, top), (left, bottom), (right, bottom), (right, top))
    lines = ["version: 1", "n_points:  4", "{", *(f"{x:.3f} {y:.3f}" for x, y in corners), "}"]
    write_lines(path, lines, ())
