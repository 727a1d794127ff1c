"""From the sources of packages to their modules: expand, parse, and hand on what each package exports.

A package's module depends on its own sources, the macros that its requirements export, the ABI, the owners of functions
and the parameters of its instances, and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Note, Origin, Source
from polpkg.errors import PolicyError
from polpkg.policy.functions import SHOWN_MACROS, NoOwners, Owners, owner_macros, parameter_macro, refuse
from polpkg.policy.ir.module import MacroUse, PolicyModule
from polpkg.policy.ir.statements import AttributeDeclaration
from polpkg.policy.owner_assertions import assertion_macros
from polpkg.policy.syntax.m4 import MacroTable, NativeError, expand
from polpkg.policy.syntax.refpolicy import RefpolicyText
from polpkg.policy.syntax.te import PlainText, parse_te
from polpkg.policy.templates import WORTH_WHILE, Expanded, Unit, expand_package, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.kept import Kept, Store

_SUPPORT = Path(__file__).with_name("syntax") / "support.m4"
_OURS = Source("polpkg", "")
_CIL = ".cil"
_INTERFACES = ".if"

WORTH_LOOKING = 8192
"""A package with fewer characters of source, macros for others aside, is expanded faster than it is looked for."""

WORTH_KEEPING = 500
"""What a package comes to is not written down when it is fewer statements."""

MLS_SENSITIVITIES = 16
MLS_CATEGORIES = 256
"""Sizes of an MLS policy, as Xen's own Makefile sets them."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """The sources of one package, ready to be expanded.

    `fragments` are read in the order given, those in CIL together after the others.  `requires` are the packages
    required directly.  An imported tree brings its own tables and support macros (`own_tables`): it is expanded with
    nothing but `definitions` and what the parts of the same tree export, may redefine macros, and uses names as it
    likes.  `assertions` are the names of assertions by their line in polpkg.toml.  `dialect` is `refpolicy` for a tree
    that is put together as refpolicy's are.  `units` are the calls that instances and assertions become, after the
    fragments.
    """

    package: str
    version: str
    fragments: tuple[Source, ...]
    owns: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict[str, str])
    own_tables: bool = False
    assertions: tuple[tuple[int, str], ...] = ()
    dialect: str = ""
    units: tuple[Unit, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether this is a policy.conf, which went through m4 before it was imported."""
        return self.own_tables and len(self.fragments) == 1 and self.fragments[0].file.endswith(".conf")

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """All text that is expanded."""
        return (*self.fragments, *(unit.source for unit in self.units))

    @property
    def has_cil(self) -> bool:
        """Whether a fragment is written in CIL."""
        return any(fragment.file.endswith(_CIL) for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class Environment:
    """What expansion may depend on besides the sources; `parameters` by prefix and name."""

    abi: Abi
    owners: Owners = field(default_factory=NoOwners)
    parameters: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    mls: bool = False


def build_modules(
    packages: Sequence[PackageSource], environment: Environment, store: Store | None = None
) -> tuple[PolicyModule, ...]:
    """The module of every package; `packages` come in requirement order, requirements first.

    `store` keeps what large packages come to.  Raises PolicyError with the findings of all packages.
    """
    natives = _natives(environment)
    kept = None if store is None or not any(map(_is_worth_keeping, packages)) else _kept(store, environment, natives)
    base = _base_table(environment, natives)
    exports: dict[str, MacroTable] = {}
    modules: list[PolicyModule] = []
    problems: list[Diagnostic] = []
    visible_to: dict[str, frozenset[str]] = {}
    for package in packages:
        seen = _requirement_closure(package, visible_to)
        table = _imported_table(package, environment) if package.own_tables else base
        for name in (name for name in exports if name in seen):
            table = table.with_table(exports[name])
        if package.is_plain:
            statements, found = parse_te(PlainText(package.fragments[0]))
            modules.append(_module(package, statements, ()))
            problems.extend(found)
            continue
        visible = [name for name in exports if name in seen]
        key = kept.key(_described(package), visible) if kept and _is_worth_keeping(package) else None
        found_before = kept.get(key, package.all_sources, table) if kept and key else None
        if kept and found_before:
            exports[package.package] = found_before.exports
            kept.export(package.package, found_before.exports)
            problems.extend([] if package.own_tables else _redefinitions(package, exports, seen))
            modules.append(_module(package, found_before.statements, found_before.uses))
            continue
        try:
            if kept:
                kept.begin()
            expanded = _expand(package, table, partial(_attributes, modules))
        except PolicyError as error:
            problems.extend(error.diagnostics)
            continue
        exports[package.package] = expanded.table.owned_by({package.package})
        if kept:
            kept.export(package.package, exports[package.package])
        if not package.own_tables:
            problems.extend(_redefinitions(package, exports, seen))
        statements = expanded.statements
        problems.extend(expanded.problems)
        if package.has_cil:
            others = [statements, *(m.statements for m in modules if package.own_tables or m.package in seen)]
            more, found = _read_cil(package, others, environment)
            statements = (*statements, *more)
            problems.extend(found)
        uses = tuple(MacroUse(c.name, c.owner, c.caller, c.place) for c in expanded.calls if c.owner and c.caller)
        modules.append(_module(package, statements, uses, expanded.warnings))
        if kept and key and len(statements) >= WORTH_KEEPING and not (expanded.problems or expanded.warnings):
            kept.put(key, statements, uses, exports[package.package], _attributes(modules))
    if problems:
        raise PolicyError.of(problems)
    return tuple(modules)


def _attributes(modules: Iterable[PolicyModule]) -> frozenset[str]:
    return frozenset(s.name for m in modules for s in m.others if isinstance(s, AttributeDeclaration))


def _macro_fragments(package: PackageSource) -> tuple[Source, ...]:
    """The fragments that m4 expands: all but those in CIL."""
    return tuple(fragment for fragment in package.fragments if not fragment.file.endswith(_CIL))


def _read_cil(
    package: PackageSource, others: Iterable[Sequence[Statement]], environment: Environment
) -> tuple[tuple[Statement, ...], tuple[Diagnostic, ...]]:
    """The CIL fragments of a package; `others` are the statements of what it may use."""
    from polpkg.policy.syntax.cil import CilContext, declared_names, read_cil

    fragments = [fragment for fragment in package.fragments if fragment.file.endswith(_CIL)]
    abi = environment.abi
    classes = {security_class.name: security_class.permissions for security_class in abi.all_classes}
    declared = frozenset(name for statements in others for name in declared_names(statements))
    return read_cil(fragments, CilContext(classes, abi.initial_sids, declared, environment.mls))


def _expand(package: PackageSource, table: MacroTable, attributes: Callable[[], frozenset[str]]) -> Expanded:
    """The statements of a package, those in CIL apart."""
    if not package.dialect:
        return expand_package(_macro_fragments(package), package.units, table, attributes)
    text = RefpolicyText((*package.fragments, *(unit.source for unit in package.units)), table)
    statements, problems = parse_te(text)
    return Expanded(statements, problems, text.expansion.calls, text.expansion.table, said(text.expansion))


def _module(
    package: PackageSource,
    statements: Sequence[Statement],
    uses: tuple[MacroUse, ...],
    warnings: tuple[Diagnostic, ...] = (),
) -> PolicyModule:
    requires = None if package.own_tables else package.requires
    name, version = package.package, package.version
    return PolicyModule(name, version, statements, package.owns, requires, uses, package.assertions, warnings)


def _requirement_closure(package: PackageSource, visible_to: dict[str, frozenset[str]]) -> frozenset[str]:
    """The packages whose macros may be met while `package` is expanded: its requirements and theirs."""
    found = package.requires.union(*(visible_to.get(name, frozenset()) for name in package.requires))
    visible_to[package.package] = found
    return found


def _redefinitions(package: PackageSource, exports: Mapping[str, MacroTable], seen: frozenset[str]) -> list[Diagnostic]:
    """A macro has one defining package, as an identifier has."""
    problems: list[Diagnostic] = []
    for other in sorted(seen):
        theirs = exports.get(other)
        for name in exports[package.package] if theirs is not None else ():
            if theirs is None or (first := theirs.get(name)) is None:
                continue
            mine = exports[package.package].get(name)
            if mine is None or not mine.marks:
                continue
            message = f"macro `{name}` is already defined by package `{other}`"
            note = Note(f"defined in {other}: {first.source.file}:{first.line}")
            origin = _origin(mine.source, mine.line, mine.column)
            problems.append(Diagnostic("duplicate-macro", message, origin, "choose another name", notes=(note,)))
    return problems


def _origin(source: Source, line: int, column: int) -> Origin:
    return Origin(source.package, source.version, source.file, line, column)


@cache
def _support_table() -> MacroTable:
    text = _SUPPORT.read_text(encoding="utf-8")
    return expand((Source("support.m4", text),), MacroTable.standard()).table


def _imported_table(package: PackageSource, environment: Environment) -> MacroTable:
    mls = {"enable_mls": ""} if environment.mls and "enable_mcs" not in package.definitions else {}
    return MacroTable.standard().with_definitions({**package.definitions, **mls}, _OURS)


def _natives(environment: Environment) -> dict[str, Callable[[Sequence[str]], str]]:
    """What every package may ask about owners, parameters and the hypervisor."""
    natives = owner_macros(environment.owners)
    natives["parameter"] = parameter_macro(environment.parameters)
    natives["refuse"] = refuse
    natives |= assertion_macros(environment.owners, environment.abi)
    natives["xen_at_least"] = _xen_at_least(environment.abi)
    return natives


def _is_worth_keeping(package: PackageSource) -> bool:
    """Whether to look for a package among those expanded before.

    Many calls of one kind are repeated faster than they are read; what CIL means depends on the statements of others.
    """
    if package.is_plain or package.has_cil or len(package.units) >= WORTH_WHILE:
        return False
    texts = (fragment.text for fragment in package.fragments if not fragment.file.endswith(_INTERFACES))
    return sum(map(len, texts)) >= WORTH_LOOKING


def _kept(store: Store, environment: Environment, natives: dict[str, Callable[[Sequence[str]], str]]) -> Kept:
    from polpkg.policy.kept import Kept

    return Kept(store, environment.abi, natives, mls=environment.mls)


def _described(package: PackageSource) -> list[object]:
    """All of a package that its expansion depends on."""
    return [
        package.package,
        package.version,
        [[fragment.file, fragment.package, fragment.version, fragment.text] for fragment in package.fragments],
        sorted(package.definitions.items()),
        package.own_tables,
        package.dialect,
        [[unit.file.file, unit.file.text, unit.line, unit.text, list(unit.names)] for unit in package.units],
    ]


def _base_table(environment: Environment, natives: Mapping[str, Callable[[Sequence[str]], str]]) -> MacroTable:
    """The macros that every package sees: the support macros, the ABI's, the owners' and the parameters'."""
    definitions = {
        "self_contained_policy": "",
        "mls_num_sens": str(MLS_SENSITIVITIES),
        "mls_num_cats": str(MLS_CATEGORIES),
    }
    if environment.mls:
        definitions["enable_mls"] = ""
    for security_class in environment.abi.all_classes:
        definitions[f"xen_class_{security_class.name}"] = ""
        for permission in security_class.permissions:
            definitions[f"xen_perm_{security_class.name}_{permission}"] = ""
    for sid in environment.abi.initial_sids:
        definitions[f"xen_sid_{sid}"] = ""
    return _support_table().with_definitions(definitions, _OURS).with_natives(natives, shown=SHOWN_MACROS)


def _xen_at_least(abi: Abi) -> Callable[[Sequence[str]], str]:
    """`xen_at_least(MAJOR, MINOR, POINT)`: 1 or 0; with two arguments more, the first or the second of them."""

    def xen_at_least(arguments: Sequence[str]) -> str:
        words = [a.strip() for a in arguments[:3]]
        if not all(w.isascii() and w.isdigit() and len(w) < 10 for w in words):
            given = ", ".join(w[:80] for w in words)
            raise NativeError(
                "not-a-version", f"`xen_at_least` takes numbers, such as xen_at_least(4, 20, 1), not {given}"
            )
        if not abi.version_numbers:
            raise NativeError(
                "unknown-version",
                "the version of this hypervisor is not known",
                hint="ask for what matters instead: ifdef(`xen_perm_CLASS_PERMISSION', ...)",
            )
        holds = abi.version_numbers >= tuple(int(w) for w in words)
        if len(arguments) > 3:
            return (*arguments[3:5], "")[0 if holds else 1]
        return "1" if holds else "0"

    return xen_at_least
