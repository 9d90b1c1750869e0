"""The plugin host: finds plugins, checks what they register, and says what is wrong with them.

Plugins are entry points of the group ``ferc``; the packages of FER-C come in by the same door. A
plugin that fails (its import, a hook, an entry that is not what the hook asks for), a hook with
an unknown name and one that lacks ``@hookimpl`` are faults that leave the rest working. A name
that two plugins register is an error that names both.

    FERC_PLUGINS=a,b            only these distributions
    FERC_DISABLE_PLUGINS=a      not these
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

import pluggy

from ferc_core import spec
from ferc_core.base.paths import expanded, no_file
from ferc_core.base.values import check_value
from ferc_core.errors import PluginError, RequestError, as_failure, suggest
from ferc_core.plugins.hooks import SPECIFICATIONS, hook_name
from ferc_core.plugins.registry import KINDS, Chosen, Owner, Registries, Registry

GROUP = "ferc"
OF_A_FILE = "ferc_plugin_"  # how the module of a single-file plugin begins


@dataclass(frozen=True)
class Fault:
    """What is wrong with a plugin. ``fatal`` faults stop everything but ``ferc plugins``."""

    owner: Owner
    cause: str
    fatal: bool = False
    error: BaseException | None = None

    def __str__(self) -> str:
        return f"plugin {self.owner}: {self.cause}"


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that is in use, with the hooks it implements."""

    owner: Owner
    module: str
    hooks: tuple[str, ...]


@dataclass
class Host:
    """A plugin manager with everything that the environment and ``files`` offer, checked."""

    files: tuple[Path, ...] = ()
    plugins: list[LoadedPlugin] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _entries: dict[str, dict[str, tuple[Any, Owner]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(SPECIFICATIONS)
        for owner, name, load in self._offered():
            self._add(owner, name, load)

    @cached_property
    def registries(self) -> Registries:
        """What is registered; raises `PluginError` when two plugins claim one name."""
        for fault in self.faults:
            if fault.fatal:
                raise PluginError(str(fault))
        return Registries(**{k: Registry(k, v) for k, v in self._entries.items()})

    @property
    def commands(self) -> dict[str, spec.Command]:
        """The commands, whatever is wrong with other plugins, in the order of registration."""
        return {name: entry for name, (entry, _) in self._entries["commands"].items()}

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
            if (only is None or normalise(name) in only) and normalise(name) not in (without or ()):
                yield Owner(name, version), point.value, point.load
        for file in self.files:
            yield Owner(file.name, "", file), str(file), partial(load_file, file)

    def _add(self, owner: Owner, name: str, load: Callable[[], object]) -> None:
        try:
            plugin = load()
            self._manager.register(plugin, name=name)
            named = [h for h in map(hook_name, KINDS) if callable(getattr(plugin, h, None))]
        except BaseException as error:  # a plugin is foreign code: whatever it raises is its fault
            self._fault(owner, f"cannot be loaded: {as_failure(error)}", error)
            return
        hooks = []
        for caller in self._manager.get_hookcallers(plugin) or ():
            if caller.has_spec():
                hooks.append(caller.name)
                self._call(owner, caller, plugin)
            else:
                near = suggest(caller.name, map(hook_name, KINDS))
                self._fault(owner, f"has an unknown hook {caller.name!r}; {near}")
        for hook in named:
            if hook not in hooks:
                self._fault(owner, f"{hook} lacks @ferc_core.hookimpl and is ignored")
        self.plugins.append(LoadedPlugin(owner, name, tuple(sorted(hooks))))

    def _call(self, owner: Owner, caller: pluggy.HookCaller, plugin: object) -> None:
        kind = caller.name.removeprefix("register_")
        try:
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    implementation.function(register=lambda e: self._register(owner, kind, e))
        except BaseException as error:
            self._fault(owner, f"{caller.name} failed: {as_failure(error)}", error)

    def _register(self, owner: Owner, kind: str, entry: spec.Entry) -> None:
        wanted = KINDS[kind]
        if not isinstance(entry, wanted):
            raise TypeError(f"registered {entry!r}, which is not a {wanted.__name__}")
        entry.check_fields()
        if entry.name in self._entries[kind]:
            first = self._entries[kind][entry.name][1]
            both = f"{first.file or first} and by {owner.file or owner}"
            cause = (
                f"{wanted.singular} {entry.name!r} is registered by {both}; leave one of them out"
            )
            if not (first.file and owner.file):
                cause += " with FERC_DISABLE_PLUGINS"
            self.faults.append(Fault(owner, cause, fatal=True))
            return
        self._entries[kind][entry.name] = (entry, owner)

    def _fault(self, owner: Owner, cause: str, error: BaseException | None = None) -> None:
        self.faults.append(Fault(owner, cause, error=error))


_host: Host | None = None  # the one of this process, made when it is first asked for


def host() -> Host:
    """Return the plugin host of this process, loading the plugins at the first call."""
    global _host
    if _host is None:
        _host = Host()
    return _host


def registry() -> Registries:
    """Return what is registered in this process, loading the plugins at the first call."""
    return host().registries


def plugin_files() -> tuple[Path, ...]:
    """Return the single-file plugins in use, for other processes to use them, too."""
    return host().files


def use_plugin_files(paths: Iterable[Path | str]) -> None:
    """Add single-file plugins to this process.

    Raises `RequestError` for a file that is not there, `PluginError` for one with a fault: it was
    asked for by name, so that a mere warning would not do.
    """
    global _host
    known = () if _host is None else _host.files
    asked = [expanded(path) for path in paths]
    for path in asked:
        check_value("plugin", path)
        reason = no_file(path)
        if reason:
            raise RequestError(f"cannot read the plugin file {path}: {reason}")
    asked = [Path(os.path.realpath(path)) for path in asked]
    files = tuple(dict.fromkeys((*known, *asked)))
    if files == known:
        return
    _host = Host(files)
    for fault in _host.faults:
        if fault.owner.file is not None:
            raise PluginError(str(fault)) from fault.error


def choose_again(kind: str, text: str, files: Sequence[Path]) -> Chosen[Any]:
    """Return what `Chosen` was in the process that it comes from."""
    use_plugin_files(files)
    found: Chosen[Any] = getattr(registry(), kind).choose(text)
    return found


def load_file(path: Path) -> object:
    """Import a single Python file as a module of its own.

    Its name is one that ``"module:attribute"`` may hold, and no other file's.
    """
    where = blake2b(os.fsencode(path), digest_size=4).hexdigest()
    name = f"{OF_A_FILE}{re.sub(r'[^0-9A-Za-z]', '_', path.stem)}_{where}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    if module_spec is None or module_spec.loader is None:
        raise PluginError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    try:
        module_spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def is_plugin_file(module: str) -> bool:
    """Whether a module is a single-file plugin, by its name."""
    return module.startswith(OF_A_FILE)


def names_in(variable: str) -> set[str] | None:
    """Return the normalised names listed in an environment variable, None where it is not set."""
    value = os.environ.get(variable)
    if value is None:
        return None
    return {normalise(name) for name in value.split(",") if name.strip()}


def normalise(name: str) -> str:
    """Return a distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
