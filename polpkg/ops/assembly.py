"""From packages to what the policy wing reads: their fragments, instances, owners and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import MANIFEST, Origin, Source
from polpkg.errors import PolicyError
from polpkg.packages.claims import Claims, claims_of
from polpkg.packages.functions import FUNCTIONS
from polpkg.packages.instances import Instance, check_names, check_present, instances_of
from polpkg.packages.toml_places import find_place
from polpkg.policy.modules import Environment, PackageSource
from polpkg.policy.templates import SLOTS, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.resolution import Locked
    from polpkg.packages.manifest import Manifest, ParameterValue
    from polpkg.packages.project import Project
    from polpkg.packages.source import PackageFiles
    from polpkg.policy.abi import Abi

_KINDS = (".if", ".te", ".cons", ".cil")


@dataclass(frozen=True, slots=True)
class Owners:
    """The claims of packages as the policy wing asks for them."""

    claims: Claims

    def owners(self, function: str, client: str) -> tuple[str, ...]:
        """The types that own `function` for `client`."""
        return self.claims.owners(function, client)

    def clients(self, function: str, owner: str) -> tuple[str, ...]:
        """The clients for which `owner` owns `function`."""
        return self.claims.clients(function, owner)

    def functions(self) -> tuple[str, ...]:
        """Every function there is."""
        return tuple(FUNCTIONS)


class OptionBoolean(NamedTuple):
    """A value that an option, `package:option`, gives to a boolean, and where it says so."""

    name: str
    value: bool
    option: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Assembly:
    """Packages, put together for linking, and the policy.toml that asks for them.

    `booleans`: what the options that are on say about them.
    """

    packages: tuple[PackageFiles, ...]
    instances: dict[str, tuple[Instance, ...]]
    claims: Claims
    sources: tuple[PackageSource, ...]
    project: Project
    booleans: tuple[OptionBoolean, ...] = ()

    def environment(self, abi: Abi, *, mls: bool) -> Environment:
        """What the expansion of these packages depends on."""
        parameters = {
            (instance.prefix, name): _parameter_text(value)
            for instances in self.instances.values()
            for instance in instances
            for name, value in instance.parameters.items()
        }
        return Environment(abi, Owners(self.claims), parameters, mls)

    @property
    def handed(self) -> frozenset[str]:
        """The types of owners and clients, which macros may be handed."""
        table = self.claims.table
        owners = {owner.type for clients in table.values() for found in clients.values() for owner in found}
        ordinary = {owner.type for found in self.claims.ordinary.values() for owner in found}
        clients = {client for clients in table.values() for client in clients if client != "*"}
        return frozenset(owners | ordinary | clients) - {""}


def assemble(locked: Locked, project: Project) -> Assembly:
    """Puts the packages of a lock together.

    Raises PolicyError for instances and claims that do not fit, and for an imported tree beside other packages.
    """
    packages = locked.packages
    _check_imported(packages)
    check_present(project, (p.manifest.name for p in packages))
    instances = {p.manifest.name: instances_of(p.manifest, project) for p in packages}
    check_names(i for found in instances.values() for i in found)
    claims = claims_of((p.manifest, instances[p.manifest.name]) for p in packages)
    options = {p.name: frozenset(p.options) for p in locked.lock.packages}
    sources = tuple(
        package_source(p, instances[p.manifest.name], options.get(p.manifest.name, frozenset())) for p in packages
    )
    booleans = tuple(b for p in packages for b in _booleans(p, options.get(p.manifest.name, frozenset())))
    return Assembly(packages, instances, claims, sources, project, booleans)


def _booleans(package: PackageFiles, options: frozenset[str]) -> Iterator[OptionBoolean]:
    manifest = package.manifest
    for option in sorted(options):
        for name, value in manifest.options[option].booleans.items():
            place = find_place(package.text(MANIFEST), ("options", option, "booleans", name))
            origin = Origin(manifest.name, manifest.version, MANIFEST, place.line, place.column)
            yield OptionBoolean(name, value, f"{manifest.name}:{option}", origin)


def _check_imported(packages: tuple[PackageFiles, ...]) -> None:
    own = [p.manifest.name for p in packages if p.manifest.own_abi]
    others = [p.manifest.name for p in packages if not p.manifest.own_abi]
    if own and others:
        message = f"`{own[0]}` brings tables of its own, and cannot be linked together with `{others[0]}`"
        hint = "for a target, say base = [] under [target] in policy.toml"
        raise PolicyError("imported-tree-not-alone", message, hint=hint)


def package_source(package: PackageFiles, instances: tuple[Instance, ...], options: frozenset[str]) -> PackageSource:
    """The fragments of a package, then what its instances call, then its assertions."""
    manifest = package.manifest
    paths = manifest.fragments(package.files, options)
    if not manifest.fragment_order:
        paths = tuple(sorted(paths, key=lambda path: _KINDS.index(path[path.rindex(".") :])))
    fragments = [Source(path, package.text(path), manifest.name, manifest.version) for path in paths]
    text = package.text(MANIFEST)
    lines = dict(_assertion_lines(manifest, text))
    return PackageSource(
        manifest.name,
        manifest.version,
        tuple(fragments),
        manifest.owns,
        frozenset(_required(manifest, options)),
        manifest.macros,
        own_tables=manifest.own_abi,
        assertions=tuple((line, name) for name, line in lines.items()),
        dialect=manifest.dialect,
        units=(*_calls(manifest, text, instances), *_assertions(manifest, lines, instances)),
    )


def _required(manifest: Manifest, options: frozenset[str]) -> Iterator[str]:
    yield from manifest.requires
    for option in options:
        yield from manifest.options[option].requires


def _calls(manifest: Manifest, text: str, instances: tuple[Instance, ...]) -> Iterator[Unit]:
    """What the instances become, each call on the line of polpkg.toml that demands it."""
    if manifest.instance is None:
        return
    line = find_place(text, ("instance", "template")).line
    file = _manifest_source(manifest)
    for instance in instances:
        for call in instance.calls:
            slots = SLOTS[: len(call.arguments)]
            if len(slots) == len(call.arguments):
                yield Unit(file, line, f"{call.macro}({', '.join(slots)})", call.arguments)
            else:
                yield Unit(file, line, f"{call.macro}({', '.join(call.arguments)})")


def _assertion_lines(manifest: Manifest, text: str) -> Iterator[tuple[str, int]]:
    for name in manifest.assertions:
        yield name, find_place(text, ("assertions", name)).line


def _assertions(manifest: Manifest, lines: dict[str, int], instances: tuple[Instance, ...]) -> Iterator[Unit]:
    """Each assertion once per instance, and where it names `$item`, once per item of the instance."""
    file = _manifest_source(manifest)
    for name, call in manifest.assertions.items():
        wanted = [word for word in ("$prefix", "$item") if word in call]
        text = call
        for slot, word in zip(SLOTS, wanted, strict=False):
            text = text.replace(word, slot)
        found = dict.fromkeys(
            tuple(names[word] for word in wanted) for instance in instances for names in _names(wanted, instance)
        )
        yield from (Unit(file, lines[name], text, names) for names in found)


def _names(wanted: list[str], instance: Instance) -> Iterator[dict[str, str]]:
    """What the words of an assertion stand for, once for each item if it names items."""
    if "$item" not in wanted:
        yield {"$prefix": instance.prefix}
        return
    for stem in instance.guest_prefixes:
        yield {"$prefix": instance.prefix, "$item": stem.removeprefix(f"{instance.prefix}_")}


def _manifest_source(manifest: Manifest) -> Source:
    return Source(MANIFEST, "", manifest.name, manifest.version)


def _parameter_text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)
