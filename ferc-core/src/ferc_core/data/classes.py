"""Names of classes: aliases of expressions, some of a dataset's classes, and a model's outputs.

One expression has many names: a dataset calls it anger, a model angry. Names are compared without
case, with blanks for underscores and hyphens, and by ``ALIASES``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ferc_core.base.text import number
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.faces import FaceSet, FaceSplit

# What datasets and published models call the basic expressions and contempt.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "neutral": ("neutrality", "neutral face", "neutral expression", "no expression"),
    "happiness": ("happy", "joy", "joyful", "happily"),
    "sadness": ("sad", "sadly"),
    "surprise": ("surprised", "surprising"),
    "fear": ("fearful", "afraid", "scared"),
    "disgust": ("disgusted",),
    "anger": ("angry", "angriness", "mad"),
    "contempt": ("contemptuous",),
}
CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}

Array = npt.NDArray[np.float64]


def canonical(name: str) -> str:
    """Return the name that two names of one class have in common.

    >>> canonical("Angry"), canonical("happily_surprised")
    ('anger', 'happily surprised')
    """
    plain = " ".join(re.split(r"[\s_-]+", name.strip().lower()))
    return CANONICAL.get(plain, plain)


def names_in(text: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes in a text, divided by commas or, without one, by blanks.

    >>> names_in("anger disgust"), names_in("happily surprised, sadly angry")
    (('anger', 'disgust'), ('happily surprised', 'sadly angry'))
    """
    if not isinstance(text, str):
        return tuple(text)
    parts = text.split(",") if "," in text else text.split()
    return tuple(part.strip() for part in parts)


def names_of(model: object) -> tuple[str, ...]:
    """Return the names that a model has for its outputs in ``classes``, () where it has none."""
    names = getattr(model, "classes", ())
    listed = isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)
    return tuple(names) if listed else ()


@dataclass(frozen=True)
class Outputs:
    """How the outputs of a model, by name, answer for the K classes of a dataset.

    columns:  of each class, the outputs that stand for it: one, or several for a merged class
    left_out: the names of outputs that the dataset does not have
    """

    columns: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...]

    @property
    def unchanged(self) -> bool:
        """Whether the outputs are the classes, in their order."""
        return not self.left_out and self.columns == tuple((k,) for k in range(len(self.columns)))

    def logits(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return logits [N, K] of the classes for those of the outputs, whose softmax is that of
        the outputs without those left out, renormalised.
        """
        parts = [values[:, list(columns)] for columns in self.columns]
        summed = [p[:, 0] if p.shape[1] == 1 else np.logaddexp.reduce(p, axis=1) for p in parts]
        return np.stack(summed, axis=1)

    def lost(self, values: npt.NDArray[np.floating]) -> Array:
        """Return the probability [N] of the outputs that are left out."""
        shifted = values.astype(np.float64) - values.max(axis=1, keepdims=True)
        weights = np.exp(shifted)
        kept = {column for columns in self.columns for column in columns}
        others = [column for column in range(values.shape[1]) if column not in kept]
        lost: Array = weights[:, others].sum(axis=1) / weights.sum(axis=1)
        return lost


def outputs_of(
    names: Sequence[str], classes: Sequence[str], merged: Mapping[str, Sequence[str]], whose: str
) -> Outputs:
    """Return how a model with outputs of these names answers for the classes of a dataset.

    ``merged`` has the members of merged classes; ``whose`` is the model, in words. Raises
    `RequestError` for two outputs of one name and for a class that no output stands for.
    """
    found = [canonical(name) for name in names]
    for name in names:
        if found.count(canonical(name)) > 1:
            same = " and ".join(repr(n) for n in names if canonical(n) == canonical(name))
            raise RequestError(f"{whose} has two outputs for one class: {same}")
    wanted = [{canonical(part) for part in (name, *merged.get(name, ()))} for name in classes]
    columns = [tuple(i for i, name in enumerate(found) if name in parts) for parts in wanted]
    left_out = [n for n in names if not any(canonical(n) in parts for parts in wanted)]
    lacking = [name for name, places in zip(classes, columns, strict=True) if not places]
    if lacking:
        for name in left_out:
            if canonical(name) not in ALIASES:
                raise unknown_class(whose, name, classes)
        there = [name for name in classes if name not in lacking]
        remedy = (
            f"judge it on the others with {asking_for(there)}" if len(there) > 1 else "name others"
        )
        raise RequestError(f"{whose} has no output for {', '.join(lacking)}; {remedy}")
    return Outputs(tuple(columns), tuple(left_out))


def check_outputs(
    names: Sequence[str],
    classes: Sequence[str],
    merged: Mapping[str, Sequence[str]],
    whose: str = "the model",
) -> None:
    """Raise `RequestError` where a model with these outputs cannot answer for these classes."""
    outputs_of(names, classes, merged, whose)


def asking_for(names: Sequence[str]) -> str:
    """Return the options that ask for classes.

    >>> asking_for(["anger", "happily surprised"])
    '--classes anger --classes "happily surprised"'
    """
    return " ".join(f'--classes "{n}"' if " " in n else f"--classes {n}" for n in names)


def with_classes(faces: FaceSet, asked: Sequence[str]) -> FaceSet:
    """Return the faces of some classes of a dataset, some of them merged.

    ``asked`` are names, and merges such as ``anger=anger+contempt``; where there are merges alone,
    the other classes stay as they are. Classes keep their order, a merged one that of its first
    member. Label distributions are restricted to the classes and renormalised. Raises
    `RequestError` for an unknown class, one that is asked for twice or lost, and fewer than two.
    """
    if not asked:
        return faces
    merged: dict[str, tuple[str, ...]] = {}
    plain: list[str] = []
    for text in asked:
        name, equals, summed = (part.strip() for part in text.partition("="))
        if not equals:
            plain.append(class_of(faces, name))
        elif name in merged:
            raise RequestError(f"the merged class {name!r} is asked for twice")
        else:
            merged[name] = members(faces, name, summed)
    used = [*plain, *(member for parts in merged.values() for member in parts)]
    for name in used:
        if used.count(name) > 1:
            raise RequestError(f"the class {name!r} is asked for twice in --classes")
    if not plain:
        plain = [name for name in faces.classes if name not in used]
    for name, parts in merged.items():
        lost = [n for n in faces.classes if canonical(n) == canonical(name) and n not in parts]
        if lost:
            raise RequestError(
                f"{name}={'+'.join(parts)} loses the class {lost[0]!r} by its name; write "
                f"{name}={'+'.join((*lost, *parts))}, or take another name"
            )
    groups = {**{name: (name,) for name in plain}, **merged}
    order = sorted(groups, key=lambda name: min(map(faces.classes.index, groups[name])))
    if len(order) < 2:
        raise RequestError(f"--classes leaves the class {order[0]!r} alone; two are needed")
    return chosen(faces, {name: groups[name] for name in order})


def merges_in(asked: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the members of the merges among classes that were asked for.

    >>> merges_in(["fear", "upset = anger + sad"])
    {'upset': ('anger', 'sad')}
    """
    pairs = [text.partition("=") for text in asked if "=" in text]
    return {name.strip(): tuple(p.strip() for p in summed.split("+")) for name, _, summed in pairs}


def class_of(faces: FaceSet, name: str) -> str:
    """Return the dataset's own name of a class; raises `UnknownNameError` for none."""
    for known in faces.classes:
        if known == name:
            return known
    for known in faces.classes:
        if canonical(known) == canonical(name):
            return known
    raise unknown_class(faces.name, name, faces.classes)


def unknown_class(whose: str, name: str, classes: Sequence[str]) -> UnknownNameError:
    """Return the error for a class that nobody knows, with the nearest name or alias.

    >>> str(unknown_class("ours", "hapy", ["happiness", "fear"]))
    "unknown class of ours 'hapy': did you mean 'happy'?"
    """
    aliases = [alias for known in classes for alias in ALIASES.get(canonical(known), ())]
    near = difflib.get_close_matches(name, [*classes, *aliases], n=1)
    return UnknownNameError(f"class of {whose}", name, near or classes)


def members(faces: FaceSet, name: str, summed: str) -> tuple[str, ...]:
    """Return the classes of a merge, ``a+b``."""
    found = tuple(class_of(faces, part.strip()) for part in summed.split("+") if part.strip())
    if not name or len(found) < 2:
        raise RequestError(
            f"cannot read the merge {name}={summed}: write NEW=CLASS+CLASS, as in "
            "anger=anger+contempt"
        )
    return found


def chosen(faces: FaceSet, groups: Mapping[str, tuple[str, ...]]) -> FaceSet:
    """Return the faces whose class is in one of the groups, which become the classes."""
    place = np.full(len(faces.classes), -1)
    for k, parts in enumerate(groups.values()):
        place[[faces.classes.index(part) for part in parts]] = k
    splits, notes = {}, []
    for name, split in faces.splits.items():
        rows = np.flatnonzero(place[split.labels] >= 0)
        if len(rows) < len(split):
            count = number(len(split) - len(rows), "face")
            notes.append(f"{count} of '{name}' left out: they are of other classes")
        splits[name] = relabelled(split.take(rows), place, len(groups))
    about = replace(faces.about, published={})  # which are of all classes
    merged = {name: parts for name, parts in groups.items() if len(parts) > 1}
    notes += [f"class {name} is {' and '.join(parts)} together" for name, parts in merged.items()]
    return replace(
        faces,
        classes=tuple(groups),
        splits=splits,
        notes=(*faces.notes, *notes),
        about=about,
        merged=merged,
    )


def relabelled(split: FaceSplit, place: npt.NDArray[np.int64], k: int) -> FaceSplit:
    """Return faces with new class numbers, ``place[old]``; -1 is a class that is left out.

    A face whose distribution has nothing left takes its label alone.
    """
    labels = place[split.labels].astype(np.int64)
    if split.distributions is None:
        return replace(split, labels=labels)
    votes = np.zeros((len(split), k))
    for old, new in enumerate(place):
        if new >= 0:
            votes[:, new] += split.distributions[:, old]
    empty = votes.sum(axis=1) <= 0
    votes[empty] = np.eye(k)[labels[empty]]
    return replace(split, labels=labels, distributions=votes / votes.sum(axis=1, keepdims=True))
