"""Pass `bind`: names to numbers and sets to bit sets, once for every distinct set.

The semantics of sets are libsepol's (`type_set_expand` in `expand.c`): attributes stay attributes unless the set has
exclusions, `*` or `~`, or the rule demands types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.abi import describe_availability
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.quick import bit_set
from polpkg.policy.link.symbols import OBJECT_ROLE, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.diagnostics import Place
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.statements import NameSet
    from polpkg.policy.link.dependencies import Dependencies
    from polpkg.policy.link.report import Report
    from polpkg.policy.link.symbols import Declaration, SymbolTable


UNKNOWN = -1
"""In place of a bit set that nobody has asked for."""


class TypeSet:
    """A bound set of types.

    `has_self` and `not_self` say whether `self` was included or excluded.  One of the two forms of a set is made when
    it is asked for: sets for assertions are large, and their numbers are not; rules are about single types, and in a
    large policy their bit sets would be what most of the memory goes to.
    """

    __slots__ = ("_types", "_written", "has_self", "not_self")

    def __init__(
        self, written: tuple[int, ...] | None, types: int, *, has_self: bool = False, not_self: bool = False
    ) -> None:
        """`written` are the numbers to write in rules, None when they are those of `types`; `types` is `UNKNOWN` when
        all that is written are types.
        """
        self._written, self._types = written, types
        self.has_self, self.not_self = has_self, not_self

    @property
    def symbols(self) -> tuple[int, ...]:
        """The numbers to write in rules, attributes among them."""
        if self._written is None:
            self._written = tuple(bits(self._types))
        return self._written

    @property
    def types(self) -> int:
        """The bit set of types that the set stands for."""
        if self._types == UNKNOWN:
            self._types = bit_set(self._written or ())
        return self._types


class _BoundSet:
    """A set, the packages that declare what is in it, and the last module that may use all of it."""

    __slots__ = ("covered", "found", "packages")

    def __init__(self, found: TypeSet, packages: frozenset[str]) -> None:
        self.found, self.packages = found, packages
        self.covered: PolicyModule | None = None


class Binder:
    """Knows the number of every name.  A name that is not known is reported once and bound to nothing."""

    def __init__(self, abi: Abi, table: SymbolTable, dependencies: Dependencies, report: Report) -> None:
        """Numbers the symbols of `table` by name."""
        self.abi = abi
        self.report = report
        self._table = table
        self._dependencies = dependencies
        self.type_names = tuple(sorted(n for n, d in table.types.items() if d.kind is not Kind.ALIAS))
        roles = (n for n, d in table.roles.items() if n != OBJECT_ROLE and d.kind is Kind.ROLE)
        self.role_names = (OBJECT_ROLE, *sorted(roles))
        self.user_names = tuple(sorted(table.users))
        self.boolean_names = tuple(sorted(table.booleans.keys() - table.tunables))
        self.types = _numbers(self.type_names)
        self.roles = _numbers(self.role_names)
        self.users = _numbers(self.user_names)
        self.booleans = _numbers(self.boolean_names)
        self._add_aliases()
        kinds = [table.types[name].kind for name in self.type_names]
        self.attributes = frozenset(n for n, kind in enumerate(kinds) if kind is Kind.ATTRIBUTE)
        self.attribute_bits = bit_set(self.attributes)
        self.all_types = ((1 << len(kinds)) - 1) & ~self.attribute_bits
        self.members: dict[int, int] = {}
        self.written_out = 0
        self.role_members = {n: 0 for n, d in table.roles.items() if d.kind is Kind.ROLE_ATTRIBUTE}
        self._sets: tuple[dict[NameSet, _BoundSet], dict[NameSet, _BoundSet]] = ({}, {})
        self._permissions: dict[tuple[NameSet, str], int] = {}
        self._unknown: set[tuple[str, str]] = set()

    def _add_aliases(self) -> None:
        """Aliases of what is no type are left out; `assign_attributes` reports them."""
        known = self._table.types
        for name in known:
            target, seen = name, {""}
            while target in known and known[target].kind is Kind.ALIAS and target not in seen:
                seen.add(target)
                target = known[target].target
            if target != name and target in known and known[target].kind is Kind.TYPE:
                self.types[name] = self.types[target]

    # Names

    def type_number(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a type or attribute."""
        return self._number("type", self.types, self._table.types, name, module, place)

    def role_number(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a role."""
        if name == OBJECT_ROLE:
            return 0
        return self._number("role", self.roles, self._table.roles, name, module, place)

    def regular_role(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a role, which must not be an attribute."""
        if name in self.role_members:
            self.report.error(place, "not-a-role", f"`{name}` is a role attribute; a role is needed here", word=name)
            return None
        return self.role_number(name, module, place)

    def role_set(self, names: Iterable[str], module: PolicyModule, place: Place) -> int:
        """The bit set of roles that `names` stand for, attributes expanded."""
        found = 0
        for name in names:
            if name in self.role_members:
                self._dependencies.check(name, self._table.roles[name], module, place)
                found |= self.role_members[name]
            elif (number := self.role_number(name, module, place)) is not None:
                found |= 1 << number
        return found

    def user_number(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a user."""
        return self._number("user", self.users, self._table.users, name, module, place)

    def is_tunable(self, name: str) -> bool:
        """Whether `name` is a tunable, which has been decided and has no number."""
        return name in self._table.tunables

    def boolean_number(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a boolean."""
        return self._number("boolean", self.booleans, self._table.booleans, name, module, place)

    def _number(
        self,
        what: str,
        numbers: Mapping[str, int],
        declarations: Mapping[str, Declaration],
        name: str,
        module: PolicyModule,
        place: Place,
    ) -> int | None:
        number = numbers.get(name)
        if number is None:
            self._unknown_name(what, name, declarations, place)
            return None
        self._dependencies.check(name, declarations[name], module, place)
        return number

    def _unknown_name(self, what: str, name: str, known: Iterable[str], place: Place) -> None:
        if (what, name) in self._unknown:
            return
        self._unknown.add((what, name))
        message = f"{what} `{name}` is not declared by any package here"
        self.report.error(place, f"unknown-{what}", message, _nearest(name, known), word=name)

    def single_type(self, name: str, module: PolicyModule, place: Place) -> int | None:
        """The number of a type, which must not be an attribute."""
        number = self.type_number(name, module, place)
        if number in self.attributes:
            self.report.error(place, "not-a-type", f"`{name}` is an attribute; a type is needed here", word=name)
            return None
        return number

    # Sets of types

    def expand(self, number: int) -> int:
        """The bit set of types that the type or attribute `number` stands for."""
        return self.members.get(number, 0) if number in self.attributes else 1 << number

    def type_set(
        self, names: NameSet, module: PolicyModule, place: Place, *, only_types: bool = False, allow_self: bool = False
    ) -> TypeSet:
        """Binds a set; with `only_types` all attributes are expanded, `allow_self` is for the targets of rules."""
        bound = self._sets[only_types].get(names)
        if bound is None:
            found = self._bind_set(names, place, only_types=only_types)
            bound = self._sets[only_types][names] = _BoundSet(found, frozenset(self._declarers(names)))
        found = bound.found
        if not allow_self and (found.has_self or found.not_self):
            self.report.error(place, "syntax-error", "`self` is allowed as the target of a rule only")
        if bound.covered is not module:
            if self._dependencies.covers(bound.packages, module):
                bound.covered = module
            else:
                self._check_names(names, module, place)
        return found

    def _check_names(self, names: NameSet, module: PolicyModule, place: Place) -> None:
        for name in (*names.names, *names.excluded):
            if (declaration := self._table.types.get(name)) is not None:
                self._dependencies.check(name, declaration, module, place)

    def is_bound_for(self, names: NameSet, module: PolicyModule) -> bool:
        """Whether `type_set` has bound `names` already, and `module` may use them wherever it stands."""
        bound = self._sets[False].get(names)
        return bound is not None and bound.covered is module

    def handed_to(self, module: PolicyModule, names: Iterable[str]) -> frozenset[str] | None:
        """Those of `names`, types and attributes, that `module` may use in macros only, since these are handed them.

        None when it may not use some of them, or when that depends on the macro.
        """
        packages = {name: self._table.types[name].package for name in names}
        covered = {p for p in set(packages.values()) if self._dependencies.covers(frozenset((p,)), module)}
        others = frozenset(name for name, package in packages.items() if package not in covered)
        return others if self._dependencies.are_handed(others) else None

    def rule_symbols(self, found: TypeSet) -> tuple[int, ...]:
        """The numbers of `found` to write in rules: attributes that `expandattribute` dissolves are written out."""
        if not self.written_out:
            return found.symbols
        types = (t for n in found.symbols for t in (bits(self.expand(n)) if self.written_out >> n & 1 else (n,)))
        return tuple(dict.fromkeys(types))

    def _declarers(self, names: NameSet) -> Iterator[str]:
        for name in (*names.names, *names.excluded):
            if (declaration := self._table.types.get(name)) is not None:
                yield declaration.package

    def _bind_set(self, names: NameSet, place: Place, *, only_types: bool) -> TypeSet:
        included = self._symbols(names.names, place)
        excluded = self._symbols(names.excluded, place)
        has_self, not_self = "self" in names.names, "self" in names.excluded
        if not (excluded or names.star or names.complement):
            if self.attributes.isdisjoint(included) and (len(included) == 1 or not only_types):
                return TypeSet(tuple(dict.fromkeys(included)), UNKNOWN, has_self=has_self, not_self=not_self)
            written = None if only_types else tuple(dict.fromkeys(included))
            return TypeSet(written, self._union(included), has_self=has_self, not_self=not_self)
        types = self.all_types if names.star else self._union(included)
        if excluded:
            types &= ~self._union(excluded)
        if names.complement:
            types ^= self.all_types
        return TypeSet(None, types, has_self=has_self, not_self=not_self)

    def _union(self, numbers: tuple[int, ...]) -> int:
        """The types that `numbers` stand for."""
        attributes = self.attributes.intersection(numbers) if len(numbers) > 1 else numbers
        found = 0
        for number in attributes:
            found |= self.expand(number)
        return found if len(attributes) == len(numbers) else found | bit_set(n for n in numbers if n not in attributes)

    def _symbols(self, names: tuple[str, ...], place: Place) -> tuple[int, ...]:
        found: list[int] = []
        for name in names:
            number = self.types.get(name)
            if number is not None:
                found.append(number)
            elif name != "self":
                self._unknown_name("type", name, self._table.types, place)
        return tuple(found)

    # Classes and permissions

    def class_number(self, name: str, place: Place) -> int | None:
        """The position of a class in `Abi.all_classes`."""
        if self.abi.has_class(name):
            return self.abi.class_id(name) - 1
        self._unknown_class(name, place)
        return None

    def _unknown_class(self, name: str, place: Place) -> None:
        if ("class", name) in self._unknown:
            return
        self._unknown.add(("class", name))
        availability = describe_availability(name)
        message = f"class `{name}` does not exist in {_hypervisor(self.abi)}; it exists {availability}"
        hint = f"guard the rule: ifdef(`xen_class_{name}', ...)"
        if availability.startswith(_NOWHERE):
            message = f"class `{name}` exists {availability}"
            hint = (
                _nearest(name, (known.name for known in self.abi.all_classes)) or "see the classes with `query classes`"
            )
        self.report.error(place, "unknown-class", message, hint, word=name)

    def permission_bits(self, names: NameSet, class_name: str, place: Place) -> int:
        """The bit set of permissions of one class."""
        key = (names, class_name)
        found = self._permissions.get(key)
        if found is None:
            found = self._permissions[key] = self._bind_permissions(names, class_name, place)
        return found

    def _bind_permissions(self, names: NameSet, class_name: str, place: Place) -> int:
        abi = self.abi
        everything = (1 << len(abi.permissions(class_name))) - 1
        if names.star:
            return everything
        found = 0
        for name in names.names:
            if abi.has_permission(class_name, name):
                found |= 1 << abi.permission_bit(class_name, name)
            else:
                self._unknown_permission(name, class_name, place)
        if names.excluded:
            message = "permissions are listed by name; `-` is not allowed among them"
            self.report.error(place, "syntax-error", message, "write `~{ ... }` for all others")
        return everything & ~found if names.complement else found

    def _unknown_permission(self, name: str, class_name: str, place: Place) -> None:
        if (class_name, name) in self._unknown:
            return
        self._unknown.add((class_name, name))
        availability = describe_availability(class_name, name)
        about = f"permission `{name}` of class `{class_name}`"
        message = f"{about} does not exist in {_hypervisor(self.abi)}; it exists {availability}"
        hint = f"guard it: ifdef(`xen_perm_{class_name}_{name}', ...)"
        if availability.startswith(_NOWHERE):
            message = f"{about} exists {availability}"
            hint = self._other_permission(name, class_name)
        self.report.error(place, "unknown-permission", message, hint, word=name)

    def _other_permission(self, name: str, class_name: str) -> str:
        """A hint to a class that has the permission, or to one of the class that is spelt alike."""
        others = [known.name for known in self.abi.all_classes if name in known.permissions]
        if others:
            return f"class `{others[0]}` has it"
        return _nearest(name, self.abi.permissions(class_name)) or f"see the permissions of class `{class_name}`"


def _nearest(name: str, known: Iterable[str]) -> str:
    """A hint to the name that is spelt most alike; empty when there is none."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1)
    return f"did you mean `{close[0]}`?" if close else ""


_NOWHERE = "in no known"


def _hypervisor(abi: Abi) -> str:
    return f"Xen {abi.version}" if abi.version else "this hypervisor"


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
