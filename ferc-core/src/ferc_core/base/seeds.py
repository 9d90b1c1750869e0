"""The address of a corrupted image, and the random field that belongs to it.

A corrupted image depends on (benchmark version, dataset, sample id, corruption, severity,
seed) and on nothing else: not on order, process, number of workers or interruptions.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
from numpy.random.bit_generator import ISeedSequence

BENCHMARK_VERSION = "2"
ANY_VERSION = "1"  # of generators whose draws no version of the benchmark alters
READ_BY = {"1": "0.1"}  # which ferc-core reads an older version
LONGEST_SLUG = 120  # file systems allow names of 255 bytes


def key(*parts: object, size: int = 16) -> bytes:
    """Return a blake2b hash of ``parts``; different sequences of texts hash different bytes."""
    digest = blake2b(digest_size=size)
    for part in parts:
        text = str(part).encode(errors="surrogateescape")  # file names may be any bytes
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.digest()


def generator(
    dataset: str,
    sample: str,
    corruption: str,
    severity: int,
    seed: int | str = 0,
    version: str = BENCHMARK_VERSION,
) -> np.random.Generator:
    """Return the generator of one corrupted image: counter-based Philox, keyed by its address."""
    address = key(version, dataset, sample, corruption, severity, seed)
    return np.random.Generator(np.random.Philox(Key(address)))  # type: ignore[arg-type]


class Key(ISeedSequence):
    """The key of a Philox generator, given as its seed.

    Where it is given as ``key=``, which makes the same generator, NumPy asks the operating system
    for randomness first, and that takes longer than the rest.
    """

    def __init__(self, words: bytes) -> None:
        self.words = np.frombuffer(words, "<u8")

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> np.ndarray:
        """Return the key; Philox asks for two words of 64 bits."""
        return self.words


def other_version(what: object, version: object) -> str:
    """Say that something is of another version of the benchmark, and what reads it."""
    name = str(version)[:20]
    reader = f"ferc-core {READ_BY[name]}" if name in READ_BY else "another ferc-core"
    return (
        f"{what} is of benchmark version {name!r}, which {reader} reads; this one reads version "
        f"{BENCHMARK_VERSION!r}"
    )


def rank(samples: tuple[str, ...], purpose: str) -> np.ndarray:
    """Return the rows of ``samples`` in an order that looks random and depends on the ids alone.

    A subset made of the first rows of this order is the same in every run, and a smaller one is
    part of a larger one.
    """
    hashes = [key(purpose, sample, size=8) for sample in samples]
    return np.array(sorted(range(len(samples)), key=hashes.__getitem__), dtype=np.int64)


def slug(text: str) -> str:
    """Return a text as part of a file name, different for different texts."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", text)[:LONGEST_SLUG]
    return plain if plain == text else f"{plain}-{key(text, size=3).hex()}"
