"""Random damage: to bytes, to texts, to what JSON and TOML hold, to tables."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

from campaign.cases import Dice

# Words that a person, a program or a stranger may put where something else belongs.
WORDS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1", "0.5", "1e400", "-1e-400", "1" * 20, "9" * 5000,
    "1_000", "0x10", "1e3", "١٢", "True", "none", "null", "x" * 300, "x" * 70_000, "a b", "a\tb",
    "a\nb", "\x1b[31mred\x1b[0m", "\x00", "\x7f", "\u202e", "\ufeff", "caf\u00e9", "\U0001f600",
    "exp[lr=1]", "run*", "{a,b}", "?", "~", "~nobody/x", "$HOME", "%s%n", "{}", "{0}", "..",
    "../..", ".", "/", "/dev/null", "/dev/zero", "/dev/stdin", "/proc/self/mem", "--", "-", "-x",
    "'", '"', "\\", "a/b", "a:b", "C:\\x", "con", "<x>", "a,b", "a+b", "f(x=1)", "f(", ")", "=",
    "https://example.org/x", "hf://x/y", "s3://x/y", "[red]x[/red]", "[/]",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 255, 256, 2**31, 2**32, 2**63, -(2**63), 2**64, 10**20, 10**400, -(10**20), 0.0,
    -0.0, 0.5, 1e-320, 1e308, -1e308, math.nan, math.inf, -math.inf,
)  # fmt: skip
DEEP = "lists in lists"
MORE = (None, True, False, [], {}, [[]], [0], {"a": 1}, [None], ["a", 1], [[1, 2], [3]], "a")


def any_value(dice: Dice) -> Any:
    """Return a value that hardly anything expects."""
    kind = dice.random()
    if kind < 0.4:
        return dice.choice(WORDS)
    if kind < 0.8:
        return dice.choice(NUMBERS)
    if kind < 0.83:
        return DEEP
    return dice.choice(MORE)


def as_json(value: Any, dice: Dice) -> str:
    """Return a value as JSON; where it holds DEEP, lists in lists stand in its place."""
    text = json.dumps(value, ensure_ascii=dice.random() < 0.5, indent=dice.choice((None, 2)))
    depth = dice.choice((50, 3000, 100_000))
    return text.replace(json.dumps(DEEP), "[" * depth + "]" * depth)


def damaged(data: bytes, dice: Dice) -> bytes:
    """Return a file as a bad disk, a cut transfer or a stranger would leave it."""
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        data = once_damaged(data, dice)
    return data


def once_damaged(data: bytes, dice: Dice) -> bytes:
    """Return bytes with one fault."""
    n = len(data)
    a, b = sorted((dice.randrange(n + 1), dice.randrange(n + 1)))
    early = dice.randrange(min(n, 64) + 1)
    kind = dice.choice(
        ("cut", "cut", "flip", "flip", "flip", "zeros", "gone", "twice", "noise", "number", "empty",
         "more", "early", "ones")
    )  # fmt: skip
    if kind == "cut":
        return data[:a]
    if kind == "flip" and n:
        content = bytearray(data)
        for _ in range(dice.choice((1, 1, 4, 30))):
            content[dice.randrange(n)] ^= 1 << dice.randrange(8)
        return bytes(content)
    if kind == "zeros":
        return data[:a] + bytes(b - a) + data[b:]
    if kind == "ones":
        return data[:early] + b"\xff" * min(8, n - early) + data[early + 8 :]
    if kind == "gone":
        return data[:a] + data[min(b, a + 200) :]
    if kind == "twice":
        return data[:b] + data[a:]
    if kind == "noise":
        return data[:a] + dice.randbytes(dice.choice((1, 4, 100))) + data[a:]
    if kind in ("number", "early"):
        at = a if kind == "number" else early
        size = dice.choice((1, 2, 4, 8))
        value = dice.choice((0, 1, (1 << 8 * size - 1) - 1, (1 << 8 * size) - 1, 1 << 8 * size - 2))
        return data[:at] + value.to_bytes(size, dice.choice(("big", "little"))) + data[at + size :]
    if kind == "more":
        return data + dice.randbytes(dice.choice((1, 100, 10_000)))
    return b""


def mangled(text: str, dice: Dice) -> bytes:
    """Return a text file that somebody edited badly."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        text = once_mangled(text, dice)
    encoding = dice.choice(("utf-8",) * 8 + ("utf-16", "latin-1", "utf-8-sig", "cp037"))
    content = text.encode(encoding, errors="replace")
    return damaged(content, dice) if dice.random() < 0.15 else content


def once_mangled(text: str, dice: Dice) -> str:
    """Return a text with one fault."""
    lines = text.split("\n")
    at = dice.randrange(len(lines))
    kind = dice.choice(
        ("word", "word", "word", "gone", "twice", "swap", "insert", "quote", "ends", "comma",
         "long", "nothing", "cell", "cell")
    )  # fmt: skip
    word = dice.choice(WORDS)
    if kind == "word":
        parts = lines[at].split(" ")
        parts[dice.randrange(len(parts))] = word
        lines[at] = " ".join(parts)
    elif kind == "cell":
        parts = lines[at].split(",")
        parts[dice.randrange(len(parts))] = word
        lines[at] = ",".join(parts)
    elif kind == "gone":
        del lines[at]
    elif kind == "twice":
        lines.insert(at, lines[at])
    elif kind == "swap":
        other = dice.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "insert":
        place = dice.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + word + lines[at][place:]
    elif kind == "quote":
        place = dice.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:place] + dice.choice("\"'[]{}()#;\\") + lines[at][place:]
    elif kind == "ends":
        return "\r\n".join(lines) if dice.random() < 0.5 else "\r".join(lines)
    elif kind == "comma":
        lines[at] = lines[at].replace(",", dice.choice((";", "\t", ",,", "")))
    elif kind == "long":
        lines[at] = lines[at] * dice.choice((50, 5000))
    else:
        return dice.choice(("", "\n", lines[0], "\x00" * 20))
    return "\n".join(lines)


def warped(value: Any, dice: Dice) -> Any:
    """Return what a JSON file holds with some values replaced, missing, renamed or added."""
    value = json.loads(json.dumps(value))
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        value = once_warped(value, dice)
    return value


def once_warped(value: Any, dice: Dice) -> Any:
    """Return a value with one fault, at any depth."""
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.05:
        return any_value(dice)
    if isinstance(value, list):
        at = dice.randrange(len(value))
        kind = dice.choice(("in", "in", "gone", "twice", "swap", "add"))
        if kind == "gone":
            return value[:at] + value[at + 1 :]
        if kind == "twice":
            return value[:at] + value[at:] + value[at : at + 1]
        if kind == "swap":
            return value[::-1]
        if kind == "add":
            return [*value, any_value(dice)]
        return [*value[:at], once_warped(value[at], dice), *value[at + 1 :]]
    name = dice.choice(list(value))
    kind = dice.choice(("in", "in", "in", "in", "gone", "rename", "add"))
    rest = {k: v for k, v in value.items() if k != name}
    if kind == "gone":
        return rest
    if kind == "rename":
        return {**rest, dice.choice(WORDS): value[name]}
    if kind == "add":
        return {**value, dice.choice(WORDS): any_value(dice)}
    return {**value, name: once_warped(value[name], dice)}


def rewarp(path: Path, dice: Dice) -> None:
    """Warp a JSON file, or damage its bytes."""
    content = path.read_bytes()
    if dice.random() < 0.25:
        path.write_bytes(mangled(content.decode(), dice))
        return
    value = warped(json.loads(content), dice)
    path.write_bytes(as_json(value, dice).encode(errors="surrogatepass"))


def spoiled(frame: Any, dice: Dice) -> Any:
    """Return a table with columns or rows that are not what they were."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        frame = once_spoiled(frame, dice)
    return frame


def once_spoiled(frame: Any, dice: Dice) -> Any:
    """Return a table with one fault."""
    import polars as pl

    if not frame.width:
        return frame
    name = dice.choice(frame.columns)
    kind = dice.choice(
        ("drop", "rename", "null", "one null", "type", "type", "type", "rows", "order", "twice",
         "none", "add", "value", "value", "nan", "copy")
    )  # fmt: skip
    if kind == "drop":
        return frame.drop(name)
    if kind == "rename":
        new = dice.choice([w for w in WORDS if w not in frame.columns])
        return frame.rename({name: new})
    if kind == "null":
        return frame.with_columns(pl.lit(None, frame.schema[name]).alias(name))
    if kind == "type":
        return frame.with_columns(odd_column(dice, len(frame)).alias(name))
    if kind == "rows":
        return frame.sample(fraction=dice.choice((0.1, 0.5, 0.9)), seed=dice.randrange(99))
    if kind == "order":
        return frame.sample(fraction=1.0, shuffle=True, seed=dice.randrange(99))
    if kind == "twice":
        return pl.concat([frame, frame.head(dice.choice((1, len(frame))))])
    if kind == "none":
        return frame.clear()
    if kind == "add":
        return frame.with_columns(odd_column(dice, len(frame)).alias(dice.choice(WORDS)))
    if kind == "copy":
        other = dice.choice(frame.columns)
        return frame.with_columns(frame[other].alias(name))
    return with_odd_cell(frame, name, kind, dice)


def with_odd_cell(frame: Any, name: str, kind: str, dice: Dice) -> Any:
    """Return a table with one odd value in a column."""
    import polars as pl

    values = frame[name].to_list()
    if not values:
        return frame
    at, schema = dice.randrange(len(values)), frame.schema[name]
    if kind == "one null":
        values[at] = None
    elif schema.is_float() or kind == "nan":
        values[at] = dice.choice((math.nan, math.inf, -math.inf, 1e308, -1.0, 0.0))
    elif schema.is_integer():
        values[at] = dice.choice((-1, 0, 99, 2**31, 2**62))
    elif isinstance(values[at], list):
        odd = dice.choice((math.nan, math.inf, -5.0, 1e308))
        values[at] = dice.choice(([], [odd] * len(values[at]), values[at][:-1], None))
    elif isinstance(values[at], str):
        values[at] = dice.choice(WORDS)
    try:
        return frame.with_columns(pl.Series(name, values, schema, strict=False))
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return frame.drop(name)


def odd_column(dice: Dice, n: int) -> Any:
    """Return a column of a type that hardly anything expects."""
    import polars as pl

    series = (
        lambda: pl.Series([date(2020, 1, 1)] * n, dtype=pl.Date),
        lambda: pl.Series([b"\x00\xff"] * n, dtype=pl.Binary),
        lambda: pl.Series([{"a": 1}] * n, dtype=pl.Struct({"a": pl.Int64})),
        lambda: pl.Series([True] * n, dtype=pl.Boolean),
        lambda: pl.Series([None] * n, dtype=pl.Null),
        lambda: pl.Series([2**63] * n, dtype=pl.UInt64),
        lambda: pl.Series(["x"] * n, dtype=pl.Categorical),
        lambda: pl.Series([1.5] * n, dtype=pl.Float32),
        lambda: pl.Series(["1"] * n, dtype=pl.String),
        lambda: pl.Series([[["a"]]] * n, dtype=pl.List(pl.List(pl.String))),
        lambda: pl.Series([[1, 2]] * n, dtype=pl.List(pl.Int8)),
        lambda: pl.Series([[1.0, 2.0]] * n, dtype=pl.Array(pl.Float64, 2)),
        lambda: pl.Series([1] * n, dtype=pl.Decimal(10, 2)),
        lambda: pl.Series([3] * n, dtype=pl.Duration("us")),
    )
    return dice.choice(series)()


def respoil(path: Path, dice: Dice) -> None:
    """Spoil a parquet file: its table, or its bytes."""
    import polars as pl

    if dice.random() < 0.3:
        path.write_bytes(damaged(path.read_bytes(), dice))
        return
    record = pl.read_parquet_metadata(path)
    record.pop("ARROW:schema", None)
    frame = spoiled(pl.read_parquet(path), dice)
    if dice.random() < 0.1:
        record = {}
    frame.write_parquet(path, metadata=record)
