"""The card of a build: ``README.md`` for people and Hugging Face, ``croissant.json`` for tools.

Croissant is the metadata format of MLCommons, a JSON-LD vocabulary for datasets
(https://docs.mlcommons.org/croissant/docs/croissant-spec.html, version 1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ferc_core.base.files import read_bytes, table_in
from ferc_core.suite.formats import SPLITS
from ferc_core.suite.layout import LABELS

README, CROISSANT = "README.md", "croissant.json"
CARD = (README, CROISSANT)

PATTERNS = {
    "png": "images/**/*.png",
    "parquet": "data/**/*.parquet",
    "webdataset": "data/**/*.tar",
}
MEDIA = {
    "png": "image/png",
    "parquet": "application/x-parquet",
    "webdataset": "application/x-tar",
}
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
PAPER = "FER-C: Benchmarking Out-of-Distribution Soft Calibration for Facial Expression Recognition"

# What the columns of labels.parquet hold, for the vocabulary of Croissant.
COLUMNS = {
    "sample": ("sc:Text", "The id of the image in its dataset."),
    "corruption": ("sc:Text", "How the image is corrupted; 'clean' for not at all."),
    "severity": ("sc:Integer", "1 to 5; 0 for the clean image."),
    "label": ("sc:Integer", "The number of the annotated class."),
    "target": ("sc:Float", "The soft label: a probability for each class."),
    "visibility": ("sc:Float", "How visible the face still is, from 0 to 1."),
    "valence": ("sc:Float", "Valence, from -1 to 1."),
    "arousal": ("sc:Float", "Arousal, from -1 to 1."),
    "distribution": ("sc:Float", "The dataset's own label distribution."),
}
LISTS = ("target", "distribution")

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def card(manifest: Mapping[str, Any], root: Path) -> dict[str, bytes]:
    """Return the files of the card of a build in ``root`` whose labels are written, by their names.

    ``manifest`` needs no files. The same build has the same card.
    """
    labels = read_bytes(root / LABELS)
    columns = table_in(labels, root / LABELS)[0].columns
    metadata = croissant(manifest, columns, sha256(labels).hexdigest())
    described = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
    return {README: readme(manifest).encode(), CROISSANT: described.encode()}


def title(manifest: Mapping[str, Any]) -> str:
    """Return the name of a build."""
    return f"FER-C of {manifest['making']['dataset']}, split '{manifest['split']}'"


def images_of(manifest: Mapping[str, Any]) -> int:
    """Return the number of images."""
    return sum(sum(classes.values()) for classes in manifest["counts"].values())


def readme(manifest: Mapping[str, Any]) -> str:
    """Return the card as Markdown, with the front matter that Hugging Face reads."""
    making, counts, n = manifest["making"], manifest["counts"], images_of(manifest)
    cells, side = len(counts), making["image_size"]
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    clean = next(iter(counts.values()))
    by_class = "\n".join(
        f"| {name} | {clean.get(str(i), 0):,} |" for i, name in enumerate(manifest["classes"])
    )
    settings = "\n".join(
        f"| {name.replace('_', ' ')} | `{json.dumps(value, ensure_ascii=False)}` |"
        for name, value in making.items()
    )
    return f"""---
{front_matter(manifest)}---

# {title(manifest)}

{n:,} images: {n // cells:,} faces in {cells} cells, the clean one and every chosen corruption at
every severity, {side}x{side} pixels, with hard and soft labels. Made by FER-C, which tells how
trustworthy a facial-expression-recognition model is, after the paper
"{PAPER}".

The faces are those of the dataset that it was made from. Their licence and terms are that
dataset's; FER-C grants none.

| class | faces |
|-|-|
{by_class}

## What lies here

| file | holds |
|-|-|
| `{PATTERNS[making["format"]]}` | the images; `clean/0` is the clean set |
| `labels.parquet` | of each image: class, soft label, visibility |
| `visibility.parquet` | degradation and visibility of the measured faces in every cell |
| `manifest.json` | settings, versions, counts, and a hash of each file |
| `croissant.json` | this card for tools, in the format of MLCommons |

## How to load it

```python
{loading(manifest)}```

`ferc verify DIR` checks every file; `ferc run --dataset DIR --data-root DATA` judges models on it.

## What it was made from

| setting | value |
|-|-|
{settings}

Benchmark version {manifest["benchmark"]}; {versions}.
"""


def loading(manifest: Mapping[str, Any]) -> str:
    """Return the lines of Python that load images; the folder of the build is ``DIR``."""
    making, split = manifest["making"], SPLITS[manifest["split"]]
    cell = list(manifest["counts"])[-1]
    if making["format"] == "parquet":
        return (
            "from datasets import load_dataset\n\n"
            f'faces = load_dataset("parquet", data_dir="DIR/data", split="{split}")\n'
            f'cell = load_dataset("parquet", data_dir="DIR/data/{cell}", split="{split}")\n'
        )
    if making["format"] == "webdataset":
        return (
            "from glob import glob\n\n"
            "import webdataset\n\n"
            f'shards = sorted(glob("DIR/data/{cell}/*.tar"))\n'
            'faces = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")\n'
            'pairs = faces.to_tuple("png", "cls", "json")\n'
        )
    if making.get("layout") == "imagefolder":
        return (
            "from torchvision.datasets import ImageFolder\n\n"
            f'cell = ImageFolder("DIR/images/{cell}/{split}")  # classes by the alphabet\n'
        )
    return (
        "import polars as pl\n\n"
        f"# images are DIR/images/{cell}/SAMPLE.png, without the suffix that a sample may have\n"
        'labels = pl.read_parquet("DIR/labels.parquet")\n'
    )


def front_matter(manifest: Mapping[str, Any]) -> str:
    """Return what Hugging Face reads of a card, as YAML; every text in it is one of JSON's."""
    making, n = manifest["making"], images_of(manifest)
    size = next((name for limit, name in SIZES if n < limit), "n>1M")
    lines = [
        f"pretty_name: {json.dumps(title(manifest), ensure_ascii=False)}",
        "task_categories:",
        "- image-classification",
        "tags:",
        *(f"- {tag}" for tag in ("facial-expression-recognition", "robustness", "calibration")),
        "size_categories:",
        f"- {json.dumps(size)}",
    ]
    if making["format"] == "parquet":
        split = SPLITS[manifest["split"]]
        lines += [
            "configs:",
            "- config_name: default",
            "  data_files:",
            f"  - split: {split}",
            f"    path: {json.dumps(PATTERNS['parquet'])}",
        ]
    return "\n".join(lines) + "\n"


def croissant(manifest: Mapping[str, Any], columns: list[str], hashed: str) -> dict[str, Any]:
    """Return the card as Croissant has it; ``hashed`` is the SHA-256 of the table of labels."""
    making = manifest["making"]
    pattern, media = PATTERNS[making["format"]], MEDIA[making["format"]]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": title(manifest),
        "description": (
            f"{images_of(manifest):,} facial images, clean and corrupted, with soft labels; the "
            "licence and terms are those of the dataset that it was made from."
        ),
        "version": f"{manifest['benchmark']}.0.0",
        "citeAs": PAPER,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": LABELS,
                "name": LABELS,
                "contentUrl": LABELS,
                "encodingFormat": "application/x-parquet",
                "sha256": hashed,
            },
            {
                "@type": "cr:FileSet",
                "@id": "images",
                "name": "images",
                "encodingFormat": media,
                "includes": pattern,
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "labels",
                "name": "labels",
                "key": [{"@id": f"labels/{name}"} for name in ("sample", "corruption", "severity")],
                "field": list(fields_of(columns)),
            },
            {
                "@type": "cr:RecordSet",
                "@id": "classes",
                "name": "classes",
                "key": {"@id": "classes/label"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"classes/{name}",
                        "name": f"classes/{name}",
                        "dataType": kind,
                    }
                    for name, kind in (("label", "sc:Integer"), ("name", "sc:Text"))
                ],
                "data": [
                    {"classes/label": i, "classes/name": name}
                    for i, name in enumerate(manifest["classes"])
                ],
            },
        ],
    }


def fields_of(columns: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the columns of the table of labels as fields of Croissant."""
    for name in columns:
        kind, text = COLUMNS.get(name, ("sc:Text", "A group that the face belongs to."))
        field: dict[str, Any] = {
            "@type": "cr:Field",
            "@id": f"labels/{name}",
            "name": f"labels/{name}",
            "description": text,
            "dataType": kind,
            "source": {"fileObject": {"@id": LABELS}, "extract": {"column": name}},
        }
        if name in LISTS:
            field["repeated"] = True
        if name == "label":
            field["references"] = {"field": {"@id": "classes/label"}}
        yield field
