"""The plugin host: finds plugins, checks what they register, and says what is wrong with them.

Plugins are entry points of the group ``ferc``; the packages of FER-C come in by the same door.
Two kinds of fault leave the rest working: a plugin that fails (its import, a hook, an entry that
is not what the hook asks for) and a hook whose name is not known. A name that two plugins
register is an error that names both.

    FERC_PLUGINS=a,b            only these distributions
    FERC_DISABLE_PLUGINS=a      not these
    FERC_PLUGIN_FILES=f.py:g.py single files, as ``--plugin`` gives them (``;`` on Windows)
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import pluggy

from ferc_core import spec
from ferc_core.errors import FercError, PluginError, RequestError, UnknownNameError, suggest
from ferc_core.plugins import hooks as hookspecs

GROUP = "ferc"

# kind (plural, as on the command line) -> the class of its entries
KINDS: Mapping[str, type[spec.Entry]] = MappingProxyType(
    {
        "corruptions": spec.Corruption,
        "visibilities": spec.Visibility,
        "label_schemes": spec.LabelScheme,
        "datasets": spec.DatasetSource,
        "methods": spec.Method,
        "losses": spec.Loss,
        "calibrators": spec.Calibrator,
        "metrics": spec.Metric,
        "executors": spec.Executor,
        "reporters": spec.Reporter,
    }
)

# kind -> the distribution that brings FER-C's own entries, to be named where none is installed
HOMES: Mapping[str, str] = MappingProxyType(
    {
        "corruptions": "ferc-corruptions",
        "visibilities": "ferc-corruptions",
        "metrics": "ferc-metrics",
        "methods": "ferc-models",
        "losses": "ferc-models",
        "calibrators": "ferc-models",
    }
)

E = TypeVar("E", bound=spec.Entry)


@dataclass(frozen=True)
class Owner:
    """Where a plugin comes from: a distribution and its version, or a single file."""

    name: str
    version: str
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class Fault:
    """What is wrong with a plugin. ``fatal`` faults stop everything but ``ferc plugins``."""

    owner: Owner
    cause: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"plugin {self.owner}: {self.cause}"


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

    def require(self) -> None:
        """Raise `RequestError` when nothing of this kind is registered."""
        if not self._entries:
            hint = f": pip install {HOMES[self.kind]}" if self.kind in HOMES else ""
            raise RequestError(f"no {singular(self.kind)} is installed{hint}")

    def _known(self, name: str) -> str:
        if name not in self._entries:
            self.require()
            raise UnknownNameError(singular(self.kind), name, self._entries)
        return name


@dataclass(frozen=True)
class Registries:
    """All that is registered, one read-only mapping for each kind."""

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


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that is in use, with the hooks it implements."""

    owner: Owner
    module: str
    hooks: tuple[str, ...]


@dataclass
class Host:
    """A plugin manager with everything that the environment offers, loaded and checked."""

    plugins: list[LoadedPlugin] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _entries: dict[str, dict[str, tuple[Any, Owner]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        for owner, name, load in self._offered():
            self._add(owner, name, load)

    @cached_property
    def registries(self) -> Registries:
        """What is registered; raises `PluginError` when two plugins claim one name."""
        for fault in self.faults:
            if fault.fatal:
                raise PluginError(str(fault))
        return Registries(**{k: Registry(k, v) for k, v in self._entries.items()})

    def _offered(self) -> Iterator[tuple[Owner, str, Callable[[], object]]]:
        """Yield owner, module name and loader of every plugin that the environment allows."""
        only, without = names_in("FERC_PLUGINS"), names_in("FERC_DISABLE_PLUGINS")
        points = [
            (point.dist.name, point.dist.version, point)
            for point in metadata.entry_points(group=GROUP)
            if point.dist is not None
        ]
        installed = {normalise(name) for name, _, _ in points}
        for variable, wanted in (("FERC_PLUGINS", only), ("FERC_DISABLE_PLUGINS", without)):
            for name in sorted((wanted or set()) - installed):
                cause = f"named in {variable} but not installed; {suggest(name, installed)}"
                self.faults.append(Fault(Owner(name, ""), cause))
        for name, version, point in sorted(points, key=lambda p: (p[0], p[2].name)):
            if (only is None or normalise(name) in only) and normalise(name) not in without:
                yield Owner(name, version), point.value, point.load
        for path in filter(None, os.environ.get("FERC_PLUGIN_FILES", "").split(os.pathsep)):
            file = Path(path)
            yield Owner(file.name, "", file), path, partial(load_file, file)

    def _add(self, owner: Owner, name: str, load: Callable[[], object]) -> None:
        try:
            plugin = load()
            self._manager.register(plugin, name=name)
        except Exception as error:  # a plugin is foreign code: whatever it raises is its fault
            self.faults.append(Fault(owner, f"cannot be loaded: {describe(error)}"))
            return
        hooks = []
        for caller in self._manager.get_hookcallers(plugin) or ():
            if caller.has_spec():
                hooks.append(caller.name)
                self._call(owner, caller, plugin)
            else:
                near = suggest(caller.name, [f"register_{kind}" for kind in KINDS])
                self.faults.append(Fault(owner, f"has an unknown hook {caller.name!r}; {near}"))
        self.plugins.append(LoadedPlugin(owner, name, tuple(sorted(hooks))))

    def _call(self, owner: Owner, caller: pluggy.HookCaller, plugin: object) -> None:
        kind = caller.name.removeprefix("register_")
        try:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    implementation.function(register=lambda e: self._register(owner, kind, e))
        except Exception as error:
            self.faults.append(Fault(owner, f"{caller.name} failed: {describe(error)}"))

    def _register(self, owner: Owner, kind: str, entry: spec.Entry) -> None:
        wanted = KINDS[kind]
        if not isinstance(entry, wanted):
            raise TypeError(f"registered {entry!r}, which is no {wanted.__name__}")
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.+-]*", entry.name):
            raise ValueError(f"{entry.name!r} is no name: use a-z, 0-9, '_', '-', '.'")
        if entry.name in self._entries[kind]:
            first = self._entries[kind][entry.name][1]
            cause = (
                f"{singular(kind)} {entry.name!r} is registered by {first} and by {owner}; "
                "leave one of them out with FERC_DISABLE_PLUGINS"
            )
            self.faults.append(Fault(owner, cause, fatal=True))
            return
        self._entries[kind][entry.name] = (entry, owner)


def registry() -> Registries:
    """Return what is registered in this process, loading the plugins at the first call."""
    return host().registries


@cache
def host() -> Host:
    """Return the one plugin host of this process."""
    return Host()


def use_plugin_files(paths: list[Path]) -> None:
    """Add single-file plugins to this process and to those it starts."""
    for path in paths:
        if not path.is_file():
            raise RequestError(f"plugin file {path} does not exist")
    known = list(filter(None, os.environ.get("FERC_PLUGIN_FILES", "").split(os.pathsep)))
    new = [str(path.resolve()) for path in paths]
    os.environ["FERC_PLUGIN_FILES"] = os.pathsep.join(dict.fromkeys(known + new))
    host.cache_clear()
    for fault in host().faults:
        if fault.owner.file is not None:  # asked for by name, so no mere warning
            raise PluginError(str(fault))


def load_file(path: Path) -> object:
    """Import a single Python file as a module of its own."""
    name = f"ferc_plugin_{path.stem}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    if module_spec is None or module_spec.loader is None:
        raise PluginError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    module_spec.loader.exec_module(module)
    return module


def names_in(variable: str) -> Any:
    """Return the normalised names listed in an environment variable; None or empty if unset."""
    value = os.environ.get(variable)
    if value is None:
        return None if variable == "FERC_PLUGINS" else set()
    return {normalise(name) for name in value.split(",") if name.strip()}


def normalise(name: str) -> str:
    """Return a distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def singular(kind: str) -> str:
    """Return what one entry of a kind is called: "label_schemes" -> "label scheme"."""
    known = {"visibilities": "visibility", "losses": "loss"}
    return known.get(kind, kind.removesuffix("s")).replace("_", " ")


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, FercError) and text else f"{type(error).__name__}: {text}"
