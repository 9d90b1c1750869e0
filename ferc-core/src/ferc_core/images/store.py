"""The images of a split at one size: read on demand, or read once and kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.base.parallel import threads
from ferc_core.base.progress import Advance, ignore, track
from ferc_core.errors import BadImageError
from ferc_core.faces import FaceSplit
from ferc_core.images.cache import Kept, kept_in
from ferc_core.images.io import resize
from ferc_core.spec import check_image

Images = npt.NDArray[np.uint8]
Rows = Sequence[int] | npt.NDArray[np.integer]

IN_MEMORY = 2 << 30  # bytes of resized images that are kept in memory


class ImageStore:
    """The images of N faces at one square size, uint8 RGB.

    They are kept in a file in the folder ``cache``, or without one in memory where they fit.
    """

    def __init__(self, faces: FaceSplit, side: int, cache: Path | None = None) -> None:
        self.faces = faces
        self.side = side
        self.cache = cache
        self._kept: Images | Kept | None = None

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def ids(self) -> tuple[str, ...]:
        """The sample ids [N]."""
        return self.faces.ids

    @property
    def address(self) -> tuple[str, ...]:
        """What distinguishes these images from others of the same dataset."""
        return str(self.side), str(len(self)), *self.ids

    @property
    def to_be_kept(self) -> bool:
        """Whether `keep` would avoid reading them again."""
        fit = len(self) * self.side**2 * 3 <= IN_MEMORY
        return self._kept is None and (fit or self.cache is not None)

    def keep(self, advance: Callable[[int], None] = ignore) -> None:
        """Read all images now, into memory or the file of the cache."""
        if self.cache is not None:
            self._kept = kept_in(self.cache, self, advance)
            return
        images = np.empty((len(self), self.side, self.side, 3), np.uint8)
        for i, image in enumerate(self.read_all()):
            images[i] = image
            advance(1)
        self._kept = images

    def __call__(self, rows: Rows) -> Images:
        """Return the images of these rows, [B, side, side, 3]."""
        if self._kept is not None:
            return self._kept[np.asarray(rows, dtype=np.int64)]
        return np.stack([self.read(int(i)) for i in rows])

    def take(self, rows: Rows) -> ImageStore:
        """Return the images of these rows, read at once where they fit into memory."""
        taken = ImageStore(self.faces.take(rows), self.side)
        if self._kept is not None:
            taken._kept = self(rows)
        elif taken.to_be_kept:
            taken.keep()
        return taken

    def read_all(self, start: int = 0) -> Iterator[Images]:
        """Read the images from row ``start`` on, on all cores, and yield them in order."""
        return threads(self.read, range(start, len(self)), os.cpu_count() or 1)

    def read(self, i: int) -> Images:
        """Return image i [side, side, 3]; raises `BadImageError` naming the sample."""
        image = self.faces.read(i)
        try:
            check_image(image, self.ids[i])
        except BadImageError as error:
            raise BadImageError(f"sample {error}") from error
        return resize(image, self.side)


def keep(stores: Iterable[ImageStore]) -> None:
    """Read the images of the stores that do not keep theirs yet."""
    pending = [store for store in stores if store.to_be_kept]
    with track("read images", sum(map(len, pending))) as step:
        for store in pending:
            store.keep(step)


def bad_rows(store: ImageStore, advance: Advance = ignore) -> dict[str, str]:
    """Return the rows whose image cannot be used, each with the reason as a sentence."""

    def problem(i: int) -> str:
        try:
            store.read(i)
        except BadImageError as error:
            return str(error)
        return ""

    bad = {}
    for i, text in enumerate(threads(problem, range(len(store)), os.cpu_count() or 1)):
        if text:
            bad[str(i)] = text
        advance(1)
    return bad
