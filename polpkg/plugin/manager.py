"""Load the plugins, keep what they register, and keep the broken ones out.

Every plugin gets a pluggy manager of its own.  So it is verified before anything of it counts, each answer has an
owner, and an exception in one plugin cannot take the answers of the others with it.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pluggy

from polpkg import __version__
from polpkg.diagnostics import Diagnostic, Severity
from polpkg.errors import PolpkgError
from polpkg.plugin import hookspecs
from polpkg.plugin.entry_points import find_entry_points
from polpkg.plugin.values import Component, PackageSource, Role, Veto

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polpkg.plugin.entry_points import EntryPoint
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import Receipt

REGISTRATIONS: dict[str, type[Component | PackageSource | Role]] = {
    "packages": PackageSource,
    "roles": Role,
    "frontends": Component,
    "backends": Component,
    "link_checks": Component,
    "targets": Component,
    "boot_paths": Component,
    "index_kinds": Component,
    "commands": Component,
}
"""What is registered: the end of the hook's name after `polpkg_register_`, and the type of its values."""

_HOOKS = frozenset({f"polpkg_register_{kind}" for kind in REGISTRATIONS})


class BrokenPlugin(NamedTuple):
    """A plugin that is left out, and why; `reason` is one line."""

    name: str
    version: str
    reason: str


class Refusal(NamedTuple):
    """A veto and the distribution it comes from."""

    distribution: str
    veto: Veto


class Distribution(NamedTuple):
    """A distribution whose plugins are in use: who it is, and what it registers by kind (see `REGISTRATIONS`).

    `hooks` are the hook callers of its plugins alone.
    """

    name: str
    version: str
    builtin: bool
    registered: Mapping[str, tuple[Any, ...]]
    hooks: tuple[Any, ...]


class Plugins(NamedTuple):
    """All that is registered, built-in things included, and who was left out."""

    distributions: tuple[Distribution, ...]
    broken: tuple[BrokenPlugin, ...] = ()

    @property
    def package_sources(self) -> tuple[PackageSource, ...]:
        """The directories of the index `bundled`."""
        return self._all("packages")

    @property
    def roles(self) -> dict[str, Role]:
        """Roles by name."""
        return {role.name: role for role in self._all("roles")}

    @property
    def frontends(self) -> dict[str, Component]:
        """Front ends by the suffix of their fragments, without its dot."""
        return self._components("frontends")

    @property
    def backends(self) -> dict[str, Component]:
        """Backends by name."""
        return self._components("backends")

    @property
    def link_checks(self) -> dict[str, Component]:
        """Link checks by name."""
        return self._components("link_checks")

    @property
    def targets(self) -> dict[str, Component]:
        """Kinds of targets by name."""
        return self._components("targets")

    @property
    def boot_paths(self) -> dict[str, Component]:
        """Boot paths by name."""
        return self._components("boot_paths")

    @property
    def index_kinds(self) -> dict[str, Component]:
        """Kinds of indexes by name."""
        return self._components("index_kinds")

    @property
    def commands(self) -> dict[str, Component]:
        """Commands of plugins by what is typed after `polpkg`."""
        return self._components("commands")

    def owner(self, component: Component) -> str:
        """The name of the distribution that registered `component`."""
        owners = (d.name for d in self.distributions for values in d.registered.values() if component in values)
        return next(owners, "")

    def load(self, component: Component) -> Any:
        """The code behind `component`; a `PolpkgError` names the plugin when it cannot be imported."""
        try:
            return component.load()
        except (Exception, SystemExit) as error:
            raise PolpkgError(
                "broken-plugin",
                f"{component.name} of the plugin {self.owner(component)} cannot be loaded: {_describe(error)}",
                hint=f"it is {component.implementation}; update or remove {self.owner(component)}",
            ) from error

    def warnings(self) -> tuple[Diagnostic, ...]:
        """A warning for every plugin that was left out."""
        return tuple(_warning(broken) for broken in self.broken)

    def plan_ready(self, plan: Plan) -> tuple[tuple[Refusal, ...], tuple[Diagnostic, ...]]:
        """Ask every plugin about a plan: the vetoes, and warnings about plugins that failed to answer."""
        answers, warnings = self._ask("plan_ready", plan=plan)
        refusals = tuple(Refusal(name, answer) for name, answer in answers if isinstance(answer, Veto))
        return refusals, warnings

    def generation_committed(self, receipt: Receipt) -> tuple[Diagnostic, ...]:
        """Tell every plugin about a new generation; warnings about those that failed."""
        return self._ask("generation_committed", receipt=receipt)[1]

    def _ask(self, hook: str, **arguments: Any) -> tuple[list[tuple[str, Any]], tuple[Diagnostic, ...]]:
        answers: list[tuple[str, Any]] = []
        warnings: list[Diagnostic] = []
        for distribution in self.distributions:
            for hooks in distribution.hooks:
                try:
                    answers += [(distribution.name, answer) for answer in getattr(hooks, hook)(**arguments)]
                except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
                    reason = f"{hook} failed: {_describe(error)}"
                    warnings.append(_warning(BrokenPlugin(distribution.name, distribution.version, reason)))
        return answers, tuple(warnings)

    def _all(self, kind: str) -> tuple[Any, ...]:
        return tuple(value for d in self.distributions for value in d.registered.get(kind, ()))

    def _components(self, kind: str) -> dict[str, Component]:
        return {component.name: component for component in self._all(kind)}


def load_plugins(path: Sequence[str] | None = None) -> Plugins:
    """The plugins of this installation: what polpkg registers itself, and every distribution on `path` (`sys.path`)."""
    from polpkg.plugin import builtin

    entries = find_entry_points(hookspecs.PROJECT, sys.path if path is None else path)
    own = _distribution("polpkg", __version__, [builtin], builtin=True)
    loaded = [own]
    broken: list[BrokenPlugin] = []
    for name, version, points in _by_distribution(entries):
        try:
            candidate = _distribution(name, version, [_import(point) for point in points])
            _refuse_duplicates(candidate, loaded)
        except _PluginFault as fault:
            broken.append(BrokenPlugin(name, version, str(fault)))
        else:
            loaded.append(candidate)
    return Plugins(tuple(loaded), tuple(broken))


class _PluginFault(Exception):  # noqa: N818 - it never leaves this module
    """Why a plugin is left out, in one line."""


def _by_distribution(entries: Iterable[EntryPoint]) -> list[tuple[str, str, list[EntryPoint]]]:
    found: dict[tuple[str, str], list[EntryPoint]] = {}
    for entry in entries:
        found.setdefault((entry.distribution, entry.version), []).append(entry)
    return [(*owner, points) for owner, points in found.items()]


def _import(point: EntryPoint) -> Any:
    """The plugin object.  What it prints while it is imported goes to stderr: stdout belongs to the answer."""
    try:
        with redirect_stdout(sys.stderr):
            return Component(point.name, "", point.value).load() if ":" in point.value else _import_module(point.value)
    except (Exception, SystemExit) as error:
        raise _PluginFault(f"{point.value} cannot be imported: {_describe(error)}") from error


def _import_module(name: str) -> Any:
    from importlib import import_module

    return import_module(name)


def _distribution(name: str, version: str, plugins: Sequence[Any], *, builtin: bool = False) -> Distribution:
    managers = tuple(_verified(plugin, name) for plugin in plugins)
    registered: dict[str, tuple[Any, ...]] = {}
    for kind in REGISTRATIONS:
        values = tuple(value for manager in managers for value in _call(manager, kind))
        _check_names(kind, values)
        if values:
            registered[kind] = values
    return Distribution(name, version, builtin, registered, tuple(manager.hook for manager in managers))


def _verified(plugin: Any, name: str) -> pluggy.PluginManager:
    """A manager with this plugin alone, after pluggy has compared its hooks with the specification."""
    _refuse_unmarked(plugin)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except Exception as error:
        raise _PluginFault(_describe(error)) from error
    return manager


def _refuse_unmarked(plugin: Any) -> None:
    """Find hooks that would be ignored in silence, since somebody forgot `@hookimpl`."""
    members: dict[str, Any] = getattr(plugin, "__dict__", {})
    for name, value in members.items():
        if name.startswith("polpkg_register_") and callable(value) and not hasattr(value, "polpkg_impl"):
            known = "is not marked with @hookimpl" if name in _HOOKS else "is no hook of this version of polpkg"
            raise _PluginFault(f"{name} {known}")


def _call(manager: pluggy.PluginManager, kind: str) -> tuple[Any, ...]:
    hook = f"polpkg_register_{kind}"
    try:
        with redirect_stdout(sys.stderr):
            answers: list[Any] = getattr(manager.hook, hook)()
    except (Exception, SystemExit) as error:
        raise _PluginFault(f"{hook} failed: {_describe(error)}") from error
    return tuple(value for answer in answers for value in _checked(answer, hook, REGISTRATIONS[kind]))


def _checked(answer: Any, hook: str, kind: type[Component | PackageSource | Role]) -> tuple[Any, ...]:
    if not isinstance(answer, tuple):
        raise _PluginFault(f"{hook} returned {_kind_of(answer)}, not a tuple of {kind.__name__}")
    values = cast("tuple[Any, ...]", answer)
    for value in values:
        if not isinstance(value, kind):
            raise _PluginFault(f"{hook} returned a tuple with {_kind_of(value)} in it, not only {kind.__name__}")
        if isinstance(value, Component) and not all(value.implementation.partition(":")):
            raise _PluginFault(f"{hook} registers {value.name} as {value.implementation!r}, not as module:attribute")
    return values


def _check_names(kind: str, values: tuple[Any, ...]) -> None:
    seen: set[str] = set()
    for value in values:
        words = value.name.split(" ") if kind == "commands" else [value.name]
        if not all(_is_name(word) for word in words):
            raise _PluginFault(
                f"{value.name!r} in {kind} is no name: lowercase letters and digits, joined by `-` or `.`"
            )
        if value.name in seen:
            raise _PluginFault(f"{value.name} is registered twice in {kind}")
        seen.add(value.name)


def _is_name(word: str) -> bool:
    parts = word.replace(".", "-").split("-")
    return all(part.isascii() and part.isalnum() and part.lower() == part for part in parts)


def _refuse_duplicates(candidate: Distribution, loaded: Sequence[Distribution]) -> None:
    for kind, values in candidate.registered.items():
        for other in loaded:
            taken = {value.name for value in other.registered.get(kind, ())} & {value.name for value in values}
            if taken:
                names = ", ".join(sorted(taken))
                raise _PluginFault(f"{names} in {kind} is registered by both {other.name} and {candidate.name}")


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _kind_of(value: Any) -> str:
    return f"{type(value).__name__} {value!r:.60}"


def _warning(broken: BrokenPlugin) -> Diagnostic:
    return Diagnostic(
        "broken-plugin",
        f"the plugin {broken.name} {broken.version} is left out: {broken.reason}",
        hint=f"update or remove {broken.name}",
        severity=Severity.WARNING,
    )
