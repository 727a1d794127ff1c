"""Pass `types`: attributes get their members, types their bounds, roles their types."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Note
from polpkg.errors import PolicyError
from polpkg.policy.ir.linked import TypeSymbol
from polpkg.policy.ir.quick import bit_set
from polpkg.policy.ir.statements import (
    ExpandAttribute,
    Permissive,
    TypeAliasDeclaration,
    TypeAttribute,
    TypeBounds,
    TypeDeclaration,
)
from polpkg.policy.link.symbols import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.binder import Binder
    from polpkg.policy.link.symbols import SymbolTable

_ABOUT_TYPES = frozenset((TypeDeclaration, TypeAttribute, TypeAliasDeclaration))

LARGEST_TYPE_NUMBER = 65_535
"""Types and attributes of one policy: access vector table keys are 16 bits wide (`avtab_key_t` in libsepol)."""


def assign_attributes(modules: Sequence[PolicyModule], binder: Binder) -> None:
    """Fills `Binder.members` from declarations and `typeattribute` statements; what has aliases must be a type."""
    found: dict[int, list[int]] = {}
    for module in modules:
        for statement in module.others:
            if type(statement) not in _ABOUT_TYPES:
                continue
            match statement:
                case TypeDeclaration(place, name, _, attributes) | TypeAttribute(place, name, attributes):
                    if attributes:
                        _add_to_attributes(name, attributes, module, place, binder, found)
                case TypeAliasDeclaration(place, name):
                    binder.single_type(name, module, place)
                case _:
                    pass
    binder.members.update((attribute, bit_set(types)) for attribute, types in found.items())
    _mark_written_out(modules, binder)


def _mark_written_out(modules: Iterable[PolicyModule], binder: Binder) -> None:
    """Finds the attributes that rules are written out for; where two statements differ, they are not (checkpolicy)."""
    never = 0
    for module in modules:
        for statement in module.others:
            if not isinstance(statement, ExpandAttribute):
                continue
            for name in statement.names:
                number = binder.type_number(name, module, statement.place)
                if number is None:
                    continue
                if number not in binder.attributes:
                    message = f"`{name}` is a type; an attribute is needed here"
                    binder.report.error(statement.place, "not-an-attribute", message, word=name)
                elif statement.expand:
                    binder.written_out |= 1 << number
                else:
                    never |= 1 << number
    binder.written_out &= ~never


def _add_to_attributes(
    name: str,
    attributes: tuple[str, ...],
    module: PolicyModule,
    place: Place,
    binder: Binder,
    found: dict[int, list[int]],
) -> None:
    number = binder.single_type(name, module, place)
    for attribute in attributes:
        target = binder.type_number(attribute, module, place)
        if number is None or target is None:
            continue
        if target not in binder.attributes:
            message = f"`{attribute}` is a type; an attribute is needed here"
            binder.report.error(place, "not-an-attribute", message)
            continue
        found.setdefault(target, []).append(number)


def link_types(modules: Iterable[PolicyModule], table: SymbolTable, binder: Binder) -> tuple[TypeSymbol, ...]:
    """The types and attributes of the linked policy, in the order of their numbers."""
    bounds: dict[int, int] = {}
    permissive: set[int] = set()
    for module in modules:
        for statement in module.others:
            match statement:
                case TypeBounds(place, parent, children):
                    _bind_bounds(parent, children, module, place, binder, bounds)
                case TypeDeclaration(place, name) if "." in name:
                    _bind_bounds(name.rpartition(".")[0], (name,), module, place, binder, bounds)
                case Permissive(place, name):
                    number = binder.single_type(name, module, place)
                    if number is not None:
                        permissive.add(number)
                        _judge_permissive(name, number, module, place, table, binder)
                case _:
                    pass
    aliases = _aliases_by_number(table, binder)
    return tuple(
        TypeSymbol(
            name,
            table.types[name].kind is Kind.ATTRIBUTE,
            tuple(sorted(aliases.get(number, ()))),
            0 if binder.written_out >> number & 1 else binder.members.get(number, 0),
            bounds.get(number, -1),
            number in permissive,
            table.types[name].place,
        )
        for number, name in enumerate(binder.type_names)
    )


def _judge_permissive(
    name: str, number: int, module: PolicyModule, place: Place, table: SymbolTable, binder: Binder
) -> None:
    """A package may switch off the enforcement of its own types, with a warning, and of nobody else's: no assertion
    would see it.
    """
    owner = table.types[binder.type_names[number]].package
    if module.requires is not None and owner != module.package:
        message = f"package `{module.package}` may not make type `{name}` of package `{owner}` permissive"
        binder.report.error(
            place, "foreign-permissive", message, "only the package that declares a type may", word=name
        )
        return
    message = f"type `{name}` is permissive: its denials are logged and allowed"
    binder.report.warn(place, "permissive-type", message, "for learning runs only")


def _bind_bounds(
    parent: str, children: tuple[str, ...], module: PolicyModule, place: Place, binder: Binder, bounds: dict[int, int]
) -> None:
    above = binder.single_type(parent, module, place)
    for child in children:
        number = binder.single_type(child, module, place)
        if number is None or above is None:
            continue
        if bounds.setdefault(number, above) != above:
            message = f"type `{child}` is already bounded by `{binder.type_names[bounds[number]]}`"
            binder.report.error(place, "bounded-twice", message)


def _aliases_by_number(table: SymbolTable, binder: Binder) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, declaration in table.types.items():
        if declaration.kind is Kind.ALIAS and name in binder.types:
            found.setdefault(binder.types[name], []).append(name)
    return found


def check_room(binder: Binder, table: SymbolTable) -> None:
    """Sees that a policydb has room for all types and attributes, before anything is done with them.

    Raises PolicyError `too-many-types`, which says which package declares most.
    """
    count = len(binder.type_names)
    if count <= LARGEST_TYPE_NUMBER:
        return
    declared = Counter(table.types[name].package for name in binder.type_names)
    package, most = declared.most_common(1)[0]
    message = f"the policy has {count:,} types and attributes; a policydb holds at most {LARGEST_TYPE_NUMBER:,}"
    note = Note(f"package `{package}` declares {most:,} of them")
    hint = "every kind of guest costs three types (itself, its own view, its channels): let several guests share one"
    place = next(d.place for d in table.types.values() if d.package == package)
    raise PolicyError.of([Diagnostic.at(place, "too-many-types", message, hint=hint, notes=(note,))])
