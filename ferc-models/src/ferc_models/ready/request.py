"""What a user says of a ready-made model, in parentheses behind its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferc_core.data.classes import names_in
from ferc_core.errors import RequestError
from ferc_core.spec import LARGEST_SIDE
from ferc_core.task import Task
from ferc_models.options import whole
from ferc_models.ready.naming import named_beside
from ferc_models.ready.predictor import BATCH, LARGEST_BATCH

COMMON = ("classes", "size", "batch")  # options of every ready-made model
CONVENTION = ("normalise", "channels", "output")


def words_in(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of a `Convention` that were given, "gray" as "grey"."""
    words = {name: options[name] for name in CONVENTION if name in options}
    for name, word in words.items():
        if not isinstance(word, str):
            raise RequestError(f"option {name!r} must be a text, not {word!r}")
    return {name: "grey" if word == "gray" else word for name, word in words.items()}


def size_in(options: Mapping[str, Any]) -> int:
    """Return the side of the images that the model takes, 0 where that is not said."""
    return whole("size", options["size"], 1, LARGEST_SIDE) if "size" in options else 0


def batch_in(options: Mapping[str, Any]) -> int:
    """Return how many images go through the model at once."""
    return whole("batch", options.get("batch", BATCH), 1, LARGEST_BATCH)


def outputs_in(
    options: Mapping[str, Any], task: Task, path: Path | None, embedded: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the names of the outputs: those of the user, else those ``embedded`` in the model's
    file, else those in a JSON file beside it; () where nobody says.

    Says where they are from. Raises `RequestError` for what is no list of names.
    """
    if "classes" in options:
        given = options["classes"]
        names = names_in(given) if isinstance(given, str | list | tuple) else ()
        if len(names) < 2 or not all(isinstance(name, str) and name for name in names):
            raise RequestError(
                f"option 'classes' must be two names or more, as in classes=\"anger,disgust\", "
                f"not {given!r}"
            )
        return names
    names, where = tuple(embedded), "the file's metadata"
    if not names and path is not None:
        names, where = named_beside(path)
    if names:
        task.say(f"its outputs are {', '.join(names)}, according to {where}")
    return names
