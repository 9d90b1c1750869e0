"""What is registered, kind by kind, and entries with the options that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from ferc_core import spec
from ferc_core.base.calls import Call, parse_call
from ferc_core.errors import RequestError, UnknownNameError

E = TypeVar("E", bound=spec.Entry, covariant=True)


@dataclass(frozen=True)
class Owner:
    """Where a plugin comes from: a distribution and its version, or a single file."""

    name: str
    version: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class Chosen(Generic[E]):
    """An entry with its options; ``str`` is the canonical text of the call.

    Another process gets the name and looks the entry up in its own registry, because the function
    of a single-file plugin cannot be sent.
    """

    entry: E
    call: Call

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self.entry.name

    def __str__(self) -> str:
        return str(self.call)

    def __call__(self, *args: Any, **more: Any) -> Any:
        """Call the entry with its options."""
        return self.entry(*args, **self.call.options, **more)

    def __reduce__(self) -> Any:
        from ferc_core.plugins.host import choose_again, plugin_files

        return choose_again, (self.entry.kind, str(self.call), plugin_files())


class Registry(Mapping[str, E], Generic[E]):
    """The entries of one kind by name, read-only, in the order of their names."""

    def __init__(self, kind: str, entries: dict[str, tuple[E, Owner]]) -> None:
        self.kind = kind
        self._entries = dict(sorted(entries.items()))

    def __getitem__(self, name: str) -> E:
        return self._entries[self._known(name)][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def owner(self, name: str) -> Owner:
        """Return who registered ``name``."""
        return self._entries[self._known(name)][1]

    def choose(self, text: str) -> Chosen[E]:
        """Return the entry that ``name`` or ``name(option=value, ...)`` asks for.

        Raises `UnknownNameError` for the name or an option, `RequestError` for an option's type.
        """
        call = parse_call(text)
        entry = self[call.name]
        entry.check_options(call.options)
        return Chosen(entry, call)

    def require(self) -> None:
        """Raise `RequestError` when nothing of this kind is registered."""
        if not self._entries:
            home = KINDS[self.kind].home
            hint = f": pip install {home}" if home else ""
            raise RequestError(f"no {KINDS[self.kind].singular} is installed{hint}")

    def _known(self, name: str) -> str:
        if name not in self._entries:
            self.require()
            raise UnknownNameError(KINDS[self.kind].singular, name, self._entries)
        return name


@dataclass(frozen=True)
class Registries:
    """All that is registered, one read-only mapping for each kind; `KINDS` is read off it."""

    corruptions: Registry[spec.Corruption]
    visibilities: Registry[spec.Visibility]
    label_schemes: Registry[spec.LabelScheme]
    datasets: Registry[spec.DatasetSource]
    methods: Registry[spec.Method]
    losses: Registry[spec.Loss]
    calibrators: Registry[spec.Calibrator]
    metrics: Registry[spec.Metric]
    executors: Registry[spec.Executor]
    reporters: Registry[spec.Reporter]
    charts: Registry[spec.Chart]
    commands: Registry[spec.Command]


# kind (plural, as on the command line) -> the class of its entries
KINDS: Mapping[str, type[spec.Entry]] = MappingProxyType(
    {kind: get_args(hint)[0] for kind, hint in get_type_hints(Registries).items()}
)
