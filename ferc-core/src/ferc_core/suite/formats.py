"""How a build stores images: single files, or shards that other libraries read.

    png          a file for each image; by ``layout`` cells or imagefolder, for torchvision
    parquet      shards with images and labels, for Hugging Face datasets
    webdataset   shards in tar files, for webdataset

A shard holds the images of a cell from some row on. Builds made before there were layouts have no
``layout`` in their manifest; their files are named as they were then.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from ferc_core.base.files import parquet_bytes, table_in
from ferc_core.errors import DataError
from ferc_core.suite.cells import Cell
from ferc_core.suite.manifest import inside

Kind = Literal["png", "parquet", "webdataset"]
Layout = Literal["cells", "imagefolder"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

SUFFIX = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?|gif|pgm|ppm)", re.IGNORECASE)
UNSAFE = re.compile(r"[^\w+ -]")  # in the name of a class that becomes a folder
IMAGE = pl.Struct({"bytes": pl.Binary, "path": pl.String})  # as Hugging Face datasets has them
SPLITS = {"train": "train", "valid": "validation", "test": "test"}  # as other libraries call them


@dataclass(frozen=True)
class Format:
    """How the images of a build are stored; picklable.

    classes: the names of the classes; ``split``: the one that is scored
    labels:  the class of each sample, in the order of the rows
    names:   what the files of samples are called, without suffix
    old:     whether the build was made before there were layouts
    """

    classes: tuple[str, ...]
    split: str
    labels: Mapping[str, int]
    names: Mapping[str, str]
    old: bool

    def file(self, cell: Cell, start: int, sample: str) -> str:
        """Return the name of the file with a sample, of the shard from row ``start`` on."""
        raise NotImplementedError

    def files(self, cell: Cell, start: int, samples: Sequence[str]) -> list[str]:
        """Return the names of the files of a shard."""
        return list(dict.fromkeys(self.file(cell, start, sample) for sample in samples))

    def pack(
        self, cell: Cell, start: int, images: Sequence[bytes], table: pl.DataFrame
    ) -> Iterator[tuple[str, bytes]]:
        """Yield names and contents of the files of a shard: of PNG files, and the labels of their
        samples as `ferc_core.suite.layout.LABEL_COLUMNS` has them.
        """
        raise NotImplementedError

    def unpack(self, path: Path, content: bytes, samples: Sequence[str]) -> dict[str, bytes]:
        """Return the PNG files of those samples that are in a file; raises `DataError` for one that
        is not what `pack` makes.
        """
        raise NotImplementedError


class Png(Format):
    """A file for each image."""

    def file(self, cell: Cell, start: int, sample: str) -> str:
        """Name it after its cell and sample."""
        return inside(f"images/{cell}/{self.names[sample]}.png")

    def pack(
        self, cell: Cell, start: int, images: Sequence[bytes], table: pl.DataFrame
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the images as they are."""
        for sample, image in zip(table["sample"], images, strict=True):
            yield self.file(cell, start, sample), image

    def unpack(self, path: Path, content: bytes, samples: Sequence[str]) -> dict[str, bytes]:
        """Take the file for the image."""
        return dict.fromkeys(samples, content)


class ImageFolder(Png):
    """A file for each image, in folders of splits and classes, as torchvision reads them."""

    def file(self, cell: Cell, start: int, sample: str) -> str:
        """Name it after its cell, class and sample."""
        folder = folders_of(self.classes)[self.labels[sample]]
        return inside(f"images/{cell}/{SPLITS[self.split]}/{folder}/{self.names[sample]}.png")


class Parquet(Format):
    """A table for each shard, with the types that Hugging Face datasets has."""

    def file(self, cell: Cell, start: int, sample: str) -> str:
        """Name it after its cell and first row."""
        before = "" if self.old else f"{SPLITS[self.split]}-"
        return inside(f"data/{cell}/{before}{start:08d}.parquet")

    def pack(
        self, cell: Cell, start: int, images: Sequence[bytes], table: pl.DataFrame
    ) -> Iterator[tuple[str, bytes]]:
        """Yield a table of labels and images."""
        named = zip(table["sample"], images, strict=True)
        column = [{"bytes": image, "path": f"{self.names[s]}.png"} for s, image in named]
        frame = table.with_columns(image=pl.Series(column, dtype=IMAGE))
        if self.old:
            content = parquet_bytes(frame, {})
        else:
            content = plain_schema(parquet_bytes(frame, features_of(frame, self.classes)))
        yield self.file(cell, start, table["sample"][0]), content

    def unpack(self, path: Path, content: bytes, samples: Sequence[str]) -> dict[str, bytes]:
        """Read the columns of samples and images."""
        table, _ = table_in(content, path)
        if {"sample": pl.String(), "image": IMAGE}.items() <= table.schema.items():
            images = table["image"].struct.field("bytes")
            if not images.null_count():
                return dict(zip(table["sample"], images, strict=True))
        raise DataError(f"{path} must have a column 'sample' of text and a column 'image' of files")


class WebDataset(Format):
    """A tar file for each shard: of row 7 the members ``00000007.png``, ``.cls`` and ``.json``."""

    def file(self, cell: Cell, start: int, sample: str) -> str:
        """Name it after its cell and first row."""
        return inside(f"data/{cell}/{SPLITS[self.split]}-{start:08d}.tar")

    def pack(
        self, cell: Cell, start: int, images: Sequence[bytes], table: pl.DataFrame
    ) -> Iterator[tuple[str, bytes]]:
        """Yield a tar file that depends on nothing else."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for row, (image, labels) in enumerate(
                zip(images, table.to_dicts(), strict=True), start
            ):
                labels["class"] = self.classes[labels["label"]]
                members = {
                    "cls": str(labels["label"]).encode(),
                    "json": json.dumps(labels, ensure_ascii=False, sort_keys=True).encode(),
                    "png": image,
                }
                for suffix, content in members.items():
                    member = tarfile.TarInfo(f"{row:08d}.{suffix}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        yield self.file(cell, start, table["sample"][0]), buffer.getvalue()

    def unpack(self, path: Path, content: bytes, samples: Sequence[str]) -> dict[str, bytes]:
        """Read the members that samples have; nothing is unpacked to the disk."""
        rows = {sample: row for row, sample in enumerate(self.labels)}
        wanted = {f"{rows[sample]:08d}.png": sample for sample in samples}
        found: dict[str, bytes] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
                for member in archive:
                    sample = wanted.get(member.name)
                    file = archive.extractfile(member) if member.isreg() else None
                    if sample is not None and file is not None:
                        found[sample] = file.read()
        except (tarfile.TarError, ValueError, OSError) as error:
            raise DataError(f"{path} cannot be read as a tar file: {error}") from error
        return found


def format_of(
    making: Mapping[str, Any], classes: Sequence[str], split: str, labels: Mapping[str, int]
) -> Format:
    """Return how a build stores images, by the settings ``making`` of its manifest.

    ``labels`` are the classes of its samples, in the order of the rows.
    """
    old, kind = "layout" not in making, making["format"]
    folders = making.get("layout") == "imagefolder"
    names = {sample: sample for sample in labels} if old else file_names(labels, flat=folders)
    kinds = {"png": ImageFolder if folders else Png, "parquet": Parquet, "webdataset": WebDataset}
    return kinds[kind](tuple(classes), split, labels, names, old)


def file_names(samples: Sequence[str] | Mapping[str, Any], flat: bool) -> dict[str, str]:
    """Return the names of files without suffix: ids without that of an image.

    Those that would be called the same, upper and lower case alike, keep their whole id. ``flat``
    names have no folders.

    >>> file_names(["a/1.jpg", "a/2.jpg", "a/2.png"], flat=True)
    {'a/1.jpg': 'a-1', 'a/2.jpg': 'a/2.jpg', 'a/2.png': 'a/2.png'}
    """
    whole: set[str] = set()
    while True:
        names = {sample: sample if sample in whole else short(sample, flat) for sample in samples}
        times = Counter(name.casefold() for name in names.values())
        alike = {s for s, name in names.items() if times[name.casefold()] > 1} - whole
        if not alike:
            return names
        whole |= alike


def short(sample: str, flat: bool) -> str:
    """Return an id without the suffix of an image, and where asked without folders."""
    path = Path(sample)
    name = sample[: -len(path.suffix)] if SUFFIX.fullmatch(path.suffix) else sample
    return name.replace("/", "-") if flat else name


def folders_of(classes: Sequence[str]) -> list[str]:
    """Return the names of the folders of classes: as they are called where that is safe."""
    names = [UNSAFE.sub("_", name).strip() or "_" for name in classes]
    times = Counter(name.casefold() for name in names)
    return [f"{i}-{n}" if times[n.casefold()] > 1 else n for i, n in enumerate(names)]


def features_of(frame: pl.DataFrame, classes: Sequence[str]) -> dict[str, str]:
    """Return what the metadata of a parquet file say of its columns to Hugging Face datasets."""
    features: dict[str, Any] = {}
    for name, kind in frame.schema.items():
        if name == "label":
            features[name] = {"names": list(classes), "_type": "ClassLabel"}
        elif name == "image":
            features[name] = {"_type": "Image"}
        elif isinstance(kind, pl.List):
            item = {"dtype": "float64", "_type": "Value"}
            features[name] = {"feature": item, "_type": "Sequence"}
        else:
            types = {pl.String: "string", pl.Int64: "int64", pl.Float64: "float64"}
            features[name] = {"dtype": types[type(kind)], "_type": "Value"}
    return {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)}


def plain_schema(content: bytes) -> bytes:
    """Return a parquet file whose columns are described by parquet's own schema alone.

    Where there is a second one, of Arrow, its readers look for metadata there, and polars writes
    none into it. Its key is changed to another of the same length, which they do not know.
    """
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:footer] + content[footer:].replace(b"ARROW:schema", b"POLARSschema", 1)
