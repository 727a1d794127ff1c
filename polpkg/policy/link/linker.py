"""The passes, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError
from polpkg.policy.ir.linked import BooleanSymbol, LinkedPolicy
from polpkg.policy.ir.statements import NameSet, PolicyCapability, Require
from polpkg.policy.link.assertions import check_assertions
from polpkg.policy.link.attribute_sets import evaluate_attribute_sets
from polpkg.policy.link.binder import Binder
from polpkg.policy.link.blocks import resolve_blocks
from polpkg.policy.link.bounds import check_bounds
from polpkg.policy.link.constraints import link_constraints
from polpkg.policy.link.defaults import link_defaults
from polpkg.policy.link.dependencies import Dependencies
from polpkg.policy.link.labels import ContextLinker, link_range_transitions, link_users
from polpkg.policy.link.levels import Levels
from polpkg.policy.link.own_abi import own_tables
from polpkg.policy.link.report import Report
from polpkg.policy.link.roles import assign_role_attributes, link_roles
from polpkg.policy.link.rules import LinkedRules, check_unused, link_rules
from polpkg.policy.link.symbols import collect_symbols
from polpkg.policy.link.types import assign_attributes, check_room, link_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.linked import Foreign
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.symbols import SymbolTable


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """How to link.

    `mls`: with multi-level security.  `complete`: every initial SID must have a context, as Xen demands; a package that
    is checked on its own need not be complete.  `handed`: types that macros may be handed without a requirement, the
    owners and clients of functions.  `for_target`: the policy is to be installed; without, a policy whose tables are
    those of no known Xen is linked all the same, and what a Xen would refuse in it is a warning.
    """

    mls: bool = False
    complete: bool = True
    handed: frozenset[str] = frozenset()
    for_target: bool = True


@dataclass(frozen=True, slots=True)
class LinkResult:
    """A policy, and what a person should know about it."""

    policy: LinkedPolicy
    warnings: tuple[Diagnostic, ...]


def link(modules: Sequence[PolicyModule], abi: Abi, options: LinkOptions | None = None) -> LinkResult:
    """Links `modules` into one policy for `abi`.

    Raises PolicyError with every finding when something does not fit, and TargetError when the modules bring tables of
    their own that the hypervisor of `abi` would refuse.
    """
    options = options or LinkOptions()
    report = Report()
    report.warnings.extend(warning for module in modules for warning in module.warnings)
    tables = own_tables(modules, abi, for_target=options.for_target)
    report.is_foreign = tables.foreign is not None
    if tables.foreign is not None:
        _warn_of_tables(modules, tables.refusal, abi, report)
    resolved = resolve_blocks(modules, report)
    modules = resolved.modules
    table = collect_symbols(modules, report)
    dependencies = Dependencies(modules, options.handed, report)
    binder = Binder(tables.abi, table, dependencies, report)
    check_room(binder, table)
    for module in modules:
        dependencies.check_macros(module)
    assign_attributes(modules, binder)
    evaluate_attribute_sets(modules, binder)
    assign_role_attributes(modules, binder)
    policy = _link_all(modules, binder, table, options, tables.foreign)
    _check_requires(modules, binder)
    check_unused(resolved.dropped, resolved.untaken, binder)
    if not report.errors:
        check_bounds(policy, report)
        check_assertions(policy, report)
    if report.errors:
        raise PolicyError.of(_in_order(report.errors))
    return LinkResult(policy, tuple(report.warnings))


def _link_all(
    modules: Sequence[PolicyModule],
    binder: Binder,
    table: SymbolTable,
    options: LinkOptions,
    foreign: Foreign | None,
) -> LinkedPolicy:
    levels = Levels(modules, binder.report, mls=options.mls)
    roles = link_roles(modules, table, binder)
    users = link_users(modules, table, binder, levels)
    contexts = ContextLinker(binder, roles, users, levels)
    rules: LinkedRules = link_rules(modules, binder)
    return LinkedPolicy(
        abi=binder.abi,
        types=link_types(modules, table, binder),
        roles=roles,
        users=users,
        booleans=_booleans(binder, table),
        rules=rules.rules,
        type_rules=rules.type_rules,
        conditionals=rules.conditionals,
        neverallows=rules.neverallows,
        constraints=link_constraints(modules, binder, mls=options.mls),
        initial_sids=contexts.initial_sids(modules, complete=options.complete),
        object_contexts=contexts.object_contexts(modules),
        role_allows=rules.role_allows,
        role_transitions=rules.role_transitions,
        range_transitions=tuple(link_range_transitions(modules, binder, levels)),
        sensitivities=levels.sensitivities(),
        categories=levels.categories(),
        capabilities=_capabilities(modules, binder.report),
        defaults=link_defaults(modules, binder),
        mls=options.mls,
        foreign=replace(foreign, transitions=rules.named_transitions) if foreign else None,
    )


def _warn_of_tables(modules: Sequence[PolicyModule], refusal: str, abi: Abi, report: Report) -> None:
    place = next(s.place for m in modules for s in m.statements[:1])
    xen = f"Xen {abi.version}" if abi.version else "this hypervisor"
    message = f"the tables of this policy are those of no known Xen: {refusal} ({xen})"
    report.warn(place, "foreign-tables", message, "it can be linked and looked at, but not installed")


def _booleans(binder: Binder, table: SymbolTable) -> tuple[BooleanSymbol, ...]:
    return tuple(BooleanSymbol(name, table.defaults[name], table.booleans[name].place) for name in binder.boolean_names)


def _capabilities(modules: Sequence[PolicyModule], report: Report) -> tuple[str, ...]:
    found: set[str] = set()
    for module in modules:
        for statement in module.others:
            if isinstance(statement, PolicyCapability):
                message = f"policy capability `{statement.name}` is read by Xen and never used"
                report.warn(statement.place, "ignored-by-xen", message)
                found.add(statement.name)
    return tuple(sorted(found))


def _check_requires(modules: Sequence[PolicyModule], binder: Binder) -> None:
    """What a `require` block asks for must be there."""
    for module in modules:
        for statement in module.others:
            if isinstance(statement, Require):
                for kind, name in statement.symbols:
                    _check_required(kind, name, statement, module, binder)
                for name, permission in statement.permissions:
                    if binder.abi.has_class(name):
                        binder.permission_bits(NameSet((permission,)), name, statement.place)


def _check_required(kind: str, name: str, statement: Require, module: PolicyModule, binder: Binder) -> None:
    match kind:
        case "type" | "attribute":
            binder.type_number(name, module, statement.place)
        case "role" | "attribute_role":
            binder.role_set((name,), module, statement.place)
        case "user":
            binder.user_number(name, module, statement.place)
        case "class":
            binder.class_number(name, statement.place)
        case "bool" | "tunable" if not binder.is_tunable(name):
            binder.boolean_number(name, module, statement.place)
        case _:
            pass


def _in_order(errors: list[Diagnostic]) -> list[Diagnostic]:
    """By package, file and line, each finding once."""
    seen: dict[tuple[object, ...], Diagnostic] = {}
    for error in errors:
        seen.setdefault((error.code, error.message, error.origin), error)
    return sorted(
        seen.values(),
        key=lambda e: (e.origin.package, e.origin.file, e.origin.line, e.origin.column) if e.origin else ("", "", 0, 0),
    )
