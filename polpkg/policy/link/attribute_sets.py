"""Pass `attribute_sets`: attributes that are given as expressions over others get their types.

As in CIL (`cil_typeattribute_to_bitmap` of libsepol): an attribute named in an expression stands for its types, so sets
are evaluated in the order in which they need each other, and one that needs itself is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from polpkg.policy.ir.statements import AttributeSet, SetOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.binder import Binder

_Everything: TypeAlias = None
_Leaf: TypeAlias = "tuple[int, ...] | _Everything"


class _Bound(NamedTuple):
    """One `AttributeSet` by number."""

    place: Place
    expression: tuple[_Leaf | SetOperator, ...]


def evaluate_attribute_sets(modules: Iterable[PolicyModule], binder: Binder) -> None:
    """Adds what the `AttributeSet` statements say to `Binder.members`, which has all other members already."""
    sets: dict[int, list[_Bound]] = {}
    for module in modules:
        for statement in module.others:
            if isinstance(statement, AttributeSet):
                _collect(statement, module, binder, sets)
    if not sets:
        return
    for target in _in_order(sets, binder):
        for bound in sets.get(target, ()):
            binder.members[target] = binder.members.get(target, 0) | _value(bound, binder)


def _collect(statement: AttributeSet, module: PolicyModule, binder: Binder, sets: dict[int, list[_Bound]]) -> None:
    place = statement.place
    target = binder.type_number(statement.name, module, place)
    if target is None:
        return
    if target not in binder.attributes:
        message = f"`{statement.name}` is a type; an attribute is needed here"
        binder.report.error(place, "not-an-attribute", message, word=statement.name)
        return
    words: list[_Leaf | SetOperator] = []
    for word in statement.expression:
        if isinstance(word, SetOperator):
            words.append(word)
        elif word.star:
            words.append(None)
        else:
            numbers = (binder.type_number(name, module, place) for name in word.names)
            words.append(tuple(n for n in numbers if n is not None))
    sets.setdefault(target, []).append(_Bound(place, tuple(words)))


def _in_order(sets: dict[int, list[_Bound]], binder: Binder) -> Iterator[int]:
    """The attributes, each after those that its expressions name."""
    from graphlib import CycleError, TopologicalSorter

    needs = {target: {n for b in found for n in _numbers(b) if n in sets} for target, found in sets.items()}
    try:
        yield from tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        cycle: list[int] = error.args[1]
        names = " needs ".join(f"`{binder.type_names[number]}`" for number in reversed(cycle[:6]))
        message = f"attributes are defined by each other: {names}"
        binder.report.error(sets[cycle[0]][0].place, "attribute-cycle", message)


def _numbers(bound: _Bound) -> Iterator[int]:
    for word in bound.expression:
        if isinstance(word, tuple):
            yield from word


def _value(bound: _Bound, binder: Binder) -> int:
    stack: list[int] = []
    for word in bound.expression:
        if word is None:
            stack.append(binder.all_types)
        elif isinstance(word, tuple):
            stack.append(_union(word, binder))
        elif word is SetOperator.NOT:
            stack.append(binder.all_types & ~stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(_combine(word, left, right))
    return stack[0]


def _union(numbers: tuple[int, ...], binder: Binder) -> int:
    found = 0
    for number in numbers:
        found |= binder.expand(number)
    return found


def _combine(operator: SetOperator, left: int, right: int) -> int:
    if operator is SetOperator.AND:
        return left & right
    return left | right if operator is SetOperator.OR else left ^ right
