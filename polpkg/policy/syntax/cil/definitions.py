"""What CIL names and other languages do not: levels, ranges, contexts, sets of permissions, categories and roles.

Everything here is looked up where a statement uses it, so a definition may come after its use.
"""

from __future__ import annotations

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.statements import Context, Level, LevelRange, NameSet
from polpkg.policy.syntax.cil.expressions import Everything, SetExpression, Span, members
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.values import LevelForm, PermissionForm, Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.policy.syntax.cil.flatten import Item
    from polpkg.policy.syntax.cil.values import ContextValue, LevelValue, PermissionValue, RangeValue

_LONGEST_CHAIN = 50
"""Names that stand for names that stand for names."""

Permissions: TypeAlias = tuple[tuple[str, NameSet], ...]
"""Classes, each with permissions of it."""


class Definitions:
    """The definitions of all statements that stay."""

    def __init__(self, items: Iterable[Item], classes: Mapping[str, tuple[str, ...]]) -> None:
        """Collects from `items`; `classes` are those of the hypervisor."""
        self.items: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            self.items[item.keyword].append(item)
        own = self._own_classes()
        self.classes: Mapping[str, tuple[str, ...]] = own or classes
        self._maps = self._read_maps()
        self._levels = self._one_each("level")
        self._ranges = self._one_each("levelrange")
        self._contexts = self._one_each("context")
        self._category_sets = self._one_each("categoryset")
        self._permission_sets = self._several("classpermissionset")
        self._declared_sets = {item.values[0] for item in self.items["classpermission"]}
        self._categories = {item.values[0]: item.values[0] for item in self.items["category"]}
        for item in self.items["categoryaliasactual"]:
            self._categories[item.values[0]] = item.values[1]
        self._category_order: dict[str, int] | None = None
        self._role_sets = self._several("roleattributeset")
        self.role_attributes = {item.values[0] for item in self.items["roleattribute"]}
        self.all_roles = frozenset(item.values[0] for item in self.items["role"])
        self._roles: dict[str, frozenset[str]] = {}

    def _one_each(self, keyword: str) -> dict[str, Item]:
        return {item.values[0]: item for item in reversed(self.items[keyword])}

    def _several(self, keyword: str) -> dict[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in self.items[keyword]:
            found.setdefault(item.values[0], []).append(item)
        return found

    def _own_classes(self) -> dict[str, tuple[str, ...]]:
        """The classes that are declared here, with the permissions of their commons."""
        commons = {item.values[0]: _names(item, 1) for item in self.items["common"]}
        inherited = {item.values[0]: item.values[1] for item in self.items["classcommon"]}
        return {
            item.values[0]: (*commons.get(inherited.get(item.values[0], ""), ()), *_names(item, 1))
            for item in self.items["class"]
        }

    # Orders

    def order(self, keyword: str, declared: Mapping[str, Item]) -> list[str]:
        """The names of all statements `keyword` in one order; raises CilProblem when they do not say one."""
        items = self.items[keyword]
        if not items:
            if declared:
                item = next(iter(declared.values()))
                raise CilProblem(item.form, -1, f"there is no `{keyword}`", f"({keyword} ({' '.join(declared)}))")
            return []
        graph: TopologicalSorter[str] = TopologicalSorter()
        loose: dict[str, None] = {}
        for item in items:
            words = item.values[1 if len(item.values) > 1 else 0]
            if not isinstance(words, Words):
                continue
            if words.unordered:
                loose.update(dict.fromkeys(words.names))
                continue
            for before, after in zip(words.names, words.names[1:], strict=False):
                graph.add(after, before)
            for name in words.names:
                graph.add(name)
        found = _only_order(graph, items[0], keyword)
        found += [name for name in loose if name not in set(found)]
        self._check_order(found, declared, items[0], keyword)
        return found

    def _check_order(self, found: list[str], declared: Mapping[str, Item], first: Item, keyword: str) -> None:
        known = set(found)
        for name in found:
            if name not in declared:
                raise CilProblem(first.form, 1, f"`{name}` is in the order and not declared", code="unknown-name")
        for name, item in declared.items():
            if name not in known:
                raise CilProblem(item.form, 1, f"`{name}` is not in the `{keyword}`")

    # Levels and contexts

    def level(self, value: LevelValue, item: Item, depth: int = 0) -> Level:
        """A level with its names looked up."""
        if isinstance(value, LevelForm):
            return Level(value.sensitivity, self.spans(value.categories, item))
        found = self._levels.get(value)
        if found is None or depth > _LONGEST_CHAIN:
            raise _unknown("level", value, item)
        return self.level(found.values[1], found, depth + 1)

    def range(self, value: RangeValue, item: Item) -> LevelRange:
        """A range with its names looked up."""
        if isinstance(value, str):
            found = self._ranges.get(value)
            if found is None:
                raise _unknown("levelrange", value, item)
            return self.range(found.values[1], found)
        return LevelRange(self.level(value.low, item), self.level(value.high, item))

    def context(self, value: ContextValue, item: Item, *, mls: bool) -> Context:
        """A context with its names looked up; without MLS it has no range."""
        if isinstance(value, str):
            found = self._contexts.get(value)
            if found is None:
                raise _unknown("context", value, item)
            return self.context(found.values[1], found, mls=mls)
        return Context(value.user, value.role, value.type, self.range(value.range, item) if mls else None)

    # Categories

    def spans(self, expression: SetExpression, item: Item) -> tuple[tuple[str, str], ...]:
        """A set of categories as spans; one that needs an order needs the categories to be declared here."""
        if not expression:
            return ()
        leaf = expression[0]
        if len(expression) == 1 and isinstance(leaf, Span):
            return ((leaf.first, leaf.last),)
        if len(expression) == 1 and isinstance(leaf, tuple) and not any(name in self._category_sets for name in leaf):
            return tuple((name, name) for name in leaf)
        order = self.category_order()
        chosen = self._chosen(expression, item, 0)
        return _runs([name for name in order if name in chosen], order)

    def category_order(self) -> dict[str, int]:
        """The categories that are declared here, by number."""
        if self._category_order is None:
            declared = {item.values[0]: item for item in self.items["category"]}
            self._category_order = {name: n for n, name in enumerate(self.order("categoryorder", declared))}
        return self._category_order

    def _chosen(self, expression: SetExpression, item: Item, depth: int) -> frozenset[str]:
        order = self.category_order()

        def of(leaf: tuple[str, ...] | Span) -> frozenset[str]:
            if isinstance(leaf, Span):
                first, last = (order.get(self._categories.get(name, ""), -1) for name in leaf)
                if min(first, last) < 0 or first > last:
                    raise CilProblem(item.form, -1, f"there is no range of categories {leaf.first} to {leaf.last}")
                return frozenset(list(order)[first : last + 1])
            return frozenset(name for word in leaf for name in self._category(word, item, depth))

        return members(expression, frozenset(order), of)

    def _category(self, name: str, item: Item, depth: int) -> frozenset[str]:
        known = self._categories.get(name)
        if known is not None:
            return frozenset((known,))
        found = self._category_sets.get(name)
        if found is None or depth > _LONGEST_CHAIN:
            raise _unknown("category", name, item)
        return self._chosen(found.values[1], found, depth + 1)

    # Roles

    def roles(self, name: str) -> tuple[str, ...]:
        """The roles that a role or role attribute stands for."""
        if name not in self.role_attributes:
            return (name,)
        return tuple(sorted(self._members_of(name, 0)))

    def _members_of(self, name: str, depth: int) -> frozenset[str]:
        if name not in self.role_attributes:
            return frozenset((name,))
        if name not in self._roles:
            found: frozenset[str] = frozenset()
            for item in self._role_sets.get(name, ()):
                if depth > _LONGEST_CHAIN:
                    message = f"role attribute `{name}` is defined by itself"
                    raise CilProblem(item.form, 1, message, code="attribute-cycle")
                expression: SetExpression = item.values[1]
                found |= members(expression, self.all_roles, lambda leaf: self._union_of_roles(leaf, depth))
            self._roles[name] = found
        return self._roles[name]

    def _union_of_roles(self, leaf: tuple[str, ...] | Span, depth: int) -> frozenset[str]:
        return frozenset(role for name in leaf for role in self._members_of(name, depth + 1))

    # Permissions

    def _read_maps(self) -> dict[str, dict[str, list[Item]]]:
        """Class maps: for each its permissions, and what each is mapped to."""
        found: dict[str, dict[str, list[Item]]] = {
            item.values[0]: {name: [] for name in _names(item, 1)} for item in self.items["classmap"]
        }
        for item in self.items["classmapping"]:
            name, permission = item.values[0], item.values[1]
            if permission not in found.get(name, ()):
                message = f"class map `{name}` has no permission `{permission}`"
                raise CilProblem(item.form, 2, message, code="unknown-permission")
            found[name][permission].append(item)
        return found

    def class_names(self, name: str) -> tuple[str, ...]:
        """The classes that a class or class map stands for."""
        if name not in self._maps:
            return (name,)
        mapped = (item for items in self._maps[name].values() for item in items)
        pairs = (pair for item in mapped for pair in self.permissions(item.values[2], item))
        return tuple(dict.fromkeys(security_class for security_class, _ in pairs))

    def permissions(self, value: PermissionValue, item: Item, depth: int = 0) -> Permissions:
        """Classes with their permissions, maps and names looked up."""
        if depth > _LONGEST_CHAIN:
            raise CilProblem(item.form, -1, "these permissions are defined by themselves", code="attribute-cycle")
        if isinstance(value, str):
            if value not in self._declared_sets:
                raise _unknown("classpermission", value, item)
            found = self._permission_sets.get(value, [])
            return self._together(found, 1, depth)
        if value.security_class not in self._maps:
            return ((value.security_class, self._permission_names(value)),)
        mapped = self._maps[value.security_class]
        chosen = members(value.permissions, frozenset(mapped), frozenset)
        if unknown := sorted(chosen - mapped.keys()):
            message = f"class map `{value.security_class}` has no permission `{unknown[0]}`"
            raise CilProblem(item.form, -1, message, code="unknown-permission")
        return self._together([i for name in sorted(chosen) for i in mapped[name]], 2, depth)

    def _together(self, items: Iterable[Item], argument: int, depth: int) -> Permissions:
        pairs = (pair for i in items for pair in self.permissions(i.values[argument], i, depth + 1))
        return tuple(dict.fromkeys(pairs))

    def _permission_names(self, value: PermissionForm) -> NameSet:
        expression = value.permissions
        leaf = expression[0]
        if expression == (Everything.ALL,):
            return NameSet(star=True)
        if len(expression) == 1 and isinstance(leaf, tuple):
            return NameSet(tuple(leaf))
        everything = self.classes.get(value.security_class, ())
        named = [name for leaf in expression if isinstance(leaf, tuple) for name in leaf]
        if unknown := [name for name in named if name not in everything]:
            return NameSet(tuple(unknown))
        chosen = members(expression, frozenset(everything), frozenset)
        return NameSet(tuple(name for name in everything if name in chosen))


def _names(item: Item, index: int) -> tuple[str, ...]:
    value = item.values[index]
    return value.names if isinstance(value, Words) else ()


def _unknown(keyword: str, name: str, item: Item) -> CilProblem:
    message = f"{keyword} `{name}` is not declared in the CIL fragments of this package"
    return CilProblem(item.form, -1, message, code=f"unknown-{keyword}")


def _only_order(graph: TopologicalSorter[str], item: Item, keyword: str) -> list[str]:
    """The order of a graph that leaves no choice."""
    try:
        graph.prepare()
    except CycleError as error:
        name: str = error.args[1][0]
        raise CilProblem(item.form, 0, f"`{name}` comes before itself in the `{keyword}`") from None
    found: list[str] = []
    while graph.is_active():
        ready = graph.get_ready()
        if len(ready) > 1:
            message = f"the `{keyword}` does not say whether `{ready[0]}` or `{ready[1]}` comes first"
            raise CilProblem(item.form, 0, message)
        found.extend(ready)
        graph.done(*ready)
    return found


def _runs(names: list[str], order: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Neighbours in `order` together."""
    found: list[tuple[str, str]] = []
    for name in names:
        if found and order[found[-1][1]] + 1 == order[name]:
            found[-1] = (found[-1][0], name)
        else:
            found.append((name, name))
    return tuple(found)
