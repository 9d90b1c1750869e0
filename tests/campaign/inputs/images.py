"""Images: cut short, damaged, lying about their size, or much larger than their files."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import damaged

FORMATS = ("png", "jpg", "bmp", "webp", "tif", "ppm", "pgm")
NAMES = ("face.png", "face.jpg", "face.bmp", "face.webp", "face.tif", "face.ppm", "grey.png",
         "deep.png", "grey.pgm", "alpha.png")  # fmt: skip
SIZES = (0, 1, 31, 65_535, 65_536, 10**5, 2**31 - 1, 2**31, 2**32 - 1)


def asked(folder: Path, name: str, dice: Dice) -> Asked:
    """Return a command that reads one image: alone, or in a data folder."""
    if dice.random() < 0.7:
        return Asked("corrupt", name, "out", *stock.CELLS, *dice.choice(((), ("--image-size", 64))))
    root = stock.copy("faces", folder / "data")
    path = root / "train" / "calm" / name
    (folder / name).rename(path)
    return Asked(*dice.choice((
        ("data", "check", "folder", "--data-root", "data", "--workers", 2),
        ("run", *stock.QUICK, "--dataset", "folder", "--data-root", "data", "--image-size", 32,
         "--epochs", 1, *stock.CELLS, "--workers", 0, "--out", "out", "--on-bad-image",
         dice.choice(("skip", "fail"))),
    )))  # fmt: skip


@case(many=ENDLESS)
def image_damaged(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(NAMES)
    data = (stock.get("photos") / name).read_bytes()
    (folder / name).write_bytes(damaged(data, dice))
    return asked(folder, name, dice)


@case(many=ENDLESS)
def image_spliced(folder: Path, dice: Dice) -> Asked:
    """The beginning of one image and the end of another."""
    one, other = (stock.get("photos") / name for name in dice.sample(NAMES, 2))
    head, tail = one.read_bytes(), other.read_bytes()
    a, b = dice.randrange(len(head) + 1), dice.randrange(len(tail) + 1)
    (folder / one.name).write_bytes(head[:a] + tail[b:])
    return asked(folder, one.name, dice)


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file, with its checksum."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """Return a PNG file whose header says this, whatever its data."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    """Return this many zeros, compressed, without ever having them all."""
    pack = zlib.compressobj(9)
    parts = [pack.compress(bytes(1 << 20)) for _ in range(count >> 20)]
    return b"".join([*parts, pack.compress(bytes(count & (1 << 20) - 1)), pack.flush()])


@case(many=ENDLESS)
def image_with_a_lying_header(folder: Path, dice: Dice) -> Asked:
    """A size in the header that the data do not have."""
    width, height = dice.choice((*SIZES, 48)), dice.choice((*SIZES, 48))
    kind = dice.turn(FORMATS)
    name = f"grey.{kind}" if kind == "pgm" else f"face.{kind}"
    data = bytearray((stock.get("photos") / name).read_bytes())
    if kind == "png":
        made = png(width, height, dice.choice((1, 8, 16, 3)), dice.choice((0, 2, 3, 4, 6, 9)),
                   zlib.compress(bytes(7000)))  # fmt: skip
        data = bytearray(made)
    elif kind == "jpg":
        at = next(n for n in range(len(data)) if data[n] == 0xFF and data[n + 1] in (0xC0, 0xC2))
        struct.pack_into(">HH", data, at + 5, height & 0xFFFF, width & 0xFFFF)
    elif kind == "bmp":
        struct.pack_into("<II", data, 18, width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif kind == "webp":
        at = 26 if data[12:16] == b"VP8 " else 21
        struct.pack_into("<HH", data, at, width & 0x3FFF, height & 0x3FFF)
    elif kind == "tif":
        lie_in_tiff(data, width, height)
    else:
        number = b"5" if kind == "pgm" else b"6"
        data = bytearray(b"P%s\n%d %d\n255\n" % (number, width, height)) + data[15:]
    (folder / name).write_bytes(bytes(data))
    return asked(folder, name, dice)


def lie_in_tiff(data: bytearray, width: int, height: int) -> None:
    """Change width and length in the first directory of a TIFF file."""
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    for n in range(entries):
        place = at + 2 + 12 * n
        (tag,) = struct.unpack_from(f"{order}H", data, place)
        if tag in (256, 257):
            size = (width if tag == 256 else height) & 0xFFFFFFFF
            struct.pack_into(f"{order}HII", data, place + 2, 4, 1, size)


@case(many=5, quick=False)
def image_bomb(folder: Path, dice: Dice) -> Asked:
    """A small file of an image that takes gigabytes."""
    side, depth, colour, bytes_of = dice.turn(
        ((20_000, 16, 2, 6), (30_000, 8, 2, 3), (60_000, 1, 0, 0.125), (16_000, 8, 6, 4),
         (20_000, 8, 0, 1))
    )  # fmt: skip
    data = zeros(int((side * bytes_of + 1) * side))
    (folder / "face.png").write_bytes(png(side, side, depth, colour, data))
    asked_for = asked(folder, "face.png", dice)
    return asked_for


@case(many=3)
def image_with_large_chunks(folder: Path, dice: Dice) -> Asked:
    """Texts and profiles in a PNG that are bombs of their own."""
    good = (stock.get("photos") / "face.png").read_bytes()
    name = dice.turn((b"zTXt", b"iCCP", b"iTXt"))
    bomb = b"x\x00\x00" + zeros(1 << 30 if dice.number else 1 << 24)
    (folder / "face.png").write_bytes(good[:33] + chunk(name, bomb) + good[33:])
    return asked(folder, "face.png", dice)


@case(many=8)
def image_that_is_no_file(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("fifo", "folder", "zero", "random", "loop", "dangling", "sparse", "self"))
    path = folder / "face.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
        os.truncate(path, 6 << 30)
    else:
        targets = {"zero": "/dev/zero", "random": "/dev/urandom", "loop": "face.png"}
        path.symlink_to({**targets, "self": "/proc/self/mem"}.get(kind, "nowhere"))
    return asked(folder, "face.png", dice)


@case(many=6)
def image_of_another_format(folder: Path, dice: Dice) -> Asked:
    text = dice.turn((
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(100), b"%PDF-1.4",
        b"\x76\x2f\x31\x01" + bytes(400), b"#?RADIANCE\n" + bytes(100),
        b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(200),
    ))  # fmt: skip
    (folder / "face.png").write_bytes(text)
    return asked(folder, "face.png", dice)


@case(many=6)
def variants_that_cannot_be_stored(folder: Path, dice: Dice) -> Asked:
    stock.copy("photos", folder)
    (folder / "out").mkdir()
    target = dice.turn(("face.png", "out/x", "/dev/null", "/proc/x", "link", "fifo"))
    (folder / "link").symlink_to("/dev/full")
    os.mkfifo(folder / "fifo")
    return Asked("corrupt", "face.png", target, *stock.CELLS)


@case(many=3)
def variants_where_something_lies(folder: Path, dice: Dice) -> Asked:
    """The place of a variant is a link to a foreign file, a folder, a FIFO."""
    stock.copy("photos", folder)
    (folder / "out" / "contrast").mkdir(parents=True)
    (folder.parent / "outside" / "mine").write_text("mine")
    place = folder / "out" / "contrast" / "1.png"
    kind = dice.turn(("link", "folder", "fifo"))
    if kind == "link":
        place.symlink_to(folder.parent / "outside" / "mine")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    return Asked("corrupt", "face.png", "out", *stock.CELLS, may_change=("out/contrast/1.png",))
