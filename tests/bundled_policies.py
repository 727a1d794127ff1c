"""The packages that come with polpkg and its plugins, linked for any hypervisor: for tests of what they grant."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from polpkg.diagnostics import Source
from polpkg.ops.assembly import assemble
from polpkg.ops.compiling import link_assembly
from polpkg.packages.claims import Claims, Owner
from polpkg.packages.project import Project
from polpkg.packages.source import read_package_directory
from polpkg.policy.abi import Abi, load_abi, read_releases, version_numbers
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import AvKind, BooleanOperator
from polpkg.policy.modules import PackageSource

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "polpkg/bundled"
FILES = {
    directory.name: read_package_directory(directory)
    for directory in (
        *(
            BUNDLED / name
            for name in (
                "xen-base",
                "domu",
                "dom0",
                "dom0less",
                "domu-isolated",
                "domu-nomigrate",
                "sealed-policy",
                "stubdom",
                "xenstoredom",
                "xen-compat",
            )
        ),
        *(ROOT / f"plugins/vmv/src/polpkg_vmv/packages/{name}" for name in ("score", "vmv")),
        *(ROOT / f"plugins/{name}/src/polpkg_{name}/packages/{name}" for name in ("netdom", "stordom")),
    )
}
"""Every package by name, each after what it requires."""

TENANTS = {"vmv": {tenant: {"guests": ("web", "db")} for tenant in ("tenant-a", "tenant-b")}}
"""Two verifiers with two kinds of guest each."""


def supported_versions() -> list[str]:
    """The first version with each table that the packages are meant for."""
    first: dict[str, str] = {}
    for release in read_releases():
        if version_numbers(release.version) >= (4, 14):
            first.setdefault(release.fingerprint, release.version)
    return list(first.values())


def link_bundled(xen: str | Abi, *names: str, instances=None, options=None, rules="", requires=(), moved=""):
    """Links the packages `names` with dom0 and what they require; the linked policy.

    `instances`, `options`: as in policy.toml.  `rules`: the fragment of one more package, `intruder`, which owns what
    is named `intruder_*` and requires all packages that there are and `requires`.  `moved`: a function that intruder_t
    owns wherever dom0 would.
    """
    abi = load_abi(xen) if isinstance(xen, str) else xen
    chosen = _closure({"dom0", *names})
    packages = tuple(files for name, files in FILES.items() if name in chosen)
    on = [SimpleNamespace(name=name, options=(options or {}).get(name, ())) for name in chosen]
    locked = SimpleNamespace(packages=packages, lock=SimpleNamespace(packages=on))
    assembly = assemble(locked, Project(instances=instances or {}))
    if rules:
        source = Source("policy/intruder.te", rules, "intruder", "1.0")
        intruder = PackageSource("intruder", "1.0", (source,), ("intruder_*",), frozenset(chosen))
        assembly = replace(assembly, sources=(*assembly.sources, intruder))
    if moved:
        assembly = replace(assembly, claims=_moved(assembly.claims, moved))
    policy, _ = link_assembly(assembly, abi)
    return policy


def _moved(claims: Claims, function: str) -> Claims:
    """The claims with intruder_t in place of dom0 as the owner of `function`."""

    def move(owners: tuple[Owner, ...]) -> tuple[Owner, ...]:
        return tuple(Owner("intruder_t", "intruder") if owner.name == "dom0" else owner for owner in owners)

    clients = {client: move(owners) for client, owners in claims.table[function].items()}
    return Claims(
        {**claims.table, function: clients},
        {**claims.ordinary, function: move(claims.ordinary[function])},
        {**claims.services, function: move(claims.services[function])},
    )


def _closure(names: set[str]) -> set[str]:
    required = {name for chosen in names for name in FILES[chosen].manifest.requires}
    return names if required <= names else _closure(names | required)


class Grants:
    """What a linked policy allows, with attributes expanded."""

    def __init__(self, policy) -> None:
        self.policy = policy
        self._always: dict[tuple[str, str, str], int] = defaultdict(int)
        self._possible: dict[tuple[str, str, str], int] = defaultdict(int)
        defaults = [boolean.default for boolean in policy.booleans]
        for rule in policy.rules:
            self._add(rule, self._always)
        for conditional in policy.conditionals:
            holds = _value(conditional.expression, defaults)
            for branch, in_force in ((conditional.then, holds), (conditional.otherwise, not holds)):
                for rule in branch:
                    self._add(rule, self._always if in_force else self._possible)

    def _add(self, rule, into) -> None:
        if not isinstance(rule, LinkedAvRule) or rule.kind is not AvKind.ALLOW:
            return
        types, name = self.policy.types, self.policy.abi.all_classes[rule.security_class].name
        for source in bits(self.policy.expand(rule.source)):
            for target in bits(self.policy.expand(rule.target)):
                into[types[source].name, types[target].name, name] |= rule.permissions

    def always(self, source: str, target: str, security_class: str) -> set[str]:
        """What is allowed as booleans are set by default."""
        return self._names(security_class, self._always.get((source, target, security_class), 0))

    def ever(self, source: str, target: str, security_class: str) -> set[str]:
        """What is allowed with some setting of the booleans."""
        key = (source, target, security_class)
        return self._names(security_class, self._always.get(key, 0) | self._possible.get(key, 0))

    def holders(self, target: str, *classes: str) -> set[str]:
        """Every type that is ever allowed anything on the target in one of the classes."""
        both = (*self._always.items(), *self._possible.items())
        return {s for (s, t, c), permissions in both if t == target and c in classes and permissions}

    def reached(self, source: str, *classes: str) -> set[str]:
        """Every type on which the source is ever allowed anything in one of the classes."""
        both = (*self._always.items(), *self._possible.items())
        return {t for (s, t, c), permissions in both if s == source and c in classes and permissions}

    def _names(self, security_class: str, permissions: int) -> set[str]:
        known = self.policy.abi.permissions(security_class)
        return {known[bit] for bit in bits(permissions)}


def _value(expression, setting) -> bool:
    """The value of a condition that is a boolean or its negation, as all in these packages are."""
    word, *negations = expression
    assert not isinstance(word, BooleanOperator)
    assert negations in ([], [BooleanOperator.NOT])
    return setting[word] is not bool(negations)
