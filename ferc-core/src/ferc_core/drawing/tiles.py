"""Images in charts."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.images.png import encode


def address(image: npt.NDArray[np.uint8]) -> str:
    """Return an image uint8 RGB [H, W, 3] as an address that holds it whole."""
    return "data:image/png;base64," + b64encode(encode(image)).decode()


def tile(image: npt.NDArray[np.uint8], side: int) -> Any:
    """Return an image as a chart, in a square of ``side`` pixels."""
    frame = pl.DataFrame({"url": [address(image)], "x": [0.5], "y": [0.5]})
    hidden = alt.Scale(domain=[0, 1])
    return (
        alt.Chart(frame)
        .mark_image(width=side, height=side)
        .encode(
            url="url:N",
            x=alt.X("x:Q", axis=None, scale=hidden),
            y=alt.Y("y:Q", axis=None, scale=hidden),
        )
        .properties(width=side, height=side)
    )
