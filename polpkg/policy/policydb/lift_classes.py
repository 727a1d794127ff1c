"""Classes and constraints of a policydb, as an ABI and as linked constraints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from polpkg.policy.abi import Abi, SecurityClass, find_abi
from polpkg.policy.ir.linked import Foreign, LinkedConstraint, LinkedDefault, LinkedNamedTransition, LinkedTerm
from polpkg.policy.ir.statements import ConstraintConnective, ConstraintOperator
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.ebitmap import Ebitmap, decode_bits

_CONNECTIVES = {connective.value: connective for connective in ConstraintConnective}
_OPERATORS = {operator.value: operator for operator in ConstraintOperator}
_FIRST_LEVEL_PAIR = 32


def lift_abi(policy: model.PolicyDb) -> Abi:
    """The ABI that `policy` was compiled for.

    When the classes begin with all those of a known ABI, it is that one, and the rest are user space's; otherwise its
    initial SIDs are called `sid1`, `sid2`, ...
    """
    classes = _classes(policy)
    sids = max((item.low for item in policy.object_contexts[0]), default=0)
    return _abi(classes, sids)


@cache
def _abi(classes: tuple[SecurityClass, ...], sids: int) -> Abi:
    from polpkg.policy.abi import read_releases

    for fingerprint in dict.fromkeys(release.fingerprint for release in reversed(read_releases())):
        known = find_abi(fingerprint)
        if known and classes[: len(known.classes)] == known.classes and sids <= len(known.initial_sids):
            return Abi(known.classes, known.initial_sids, user_space=classes[len(known.classes) :])
    return Abi(classes, tuple(f"sid{number}" for number in range(1, sids + 1)))


def _classes(policy: model.PolicyDb) -> tuple[SecurityClass, ...]:
    commons = {common.name: common.permissions for common in policy.commons.entries}
    return tuple(
        SecurityClass(datum.name, _names((*commons.get(datum.common, ()), *datum.permissions)))
        for datum in sorted(policy.classes.entries, key=lambda datum: datum.value)
    )


def lift_foreign(policy: model.PolicyDb, abi: Abi, types: list[int]) -> Foreign | None:
    """What a file has that no Xen takes: type transitions by name, and commons beside tables that no Xen has."""
    has_commons = bool(policy.commons.entries) and find_abi(abi.fingerprint) is None
    if not has_commons and not policy.filename_transitions:
        return None
    transitions = (
        LinkedNamedTransition(
            types[t.source - 1], types[t.target - 1], t.security_class - 1, types[t.result - 1], t.name
        )
        for t in policy.filename_transitions
    )
    commons = policy.commons.entries if has_commons else ()
    return Foreign(
        {common.name: _names(common.permissions) for common in commons},
        {datum.name: datum.common for datum in policy.classes.entries if datum.common and has_commons},
        tuple(sorted(transitions)),
    )


def lift_defaults(policy: model.PolicyDb) -> tuple[LinkedDefault, ...]:
    """Where new objects get their labels from; numbers that mean nothing, to Xen either, are left out."""
    found = (
        LinkedDefault(datum.value - 1, part, words[number])
        for datum in policy.classes.entries
        for (part, words), number in zip(layout.DEFAULTS.items(), datum.defaults, strict=False)
        if 0 < number < len(words)
    )
    return tuple(sorted(found, key=lambda default: default[:2]))


def _names(permissions: Iterable[model.PermissionDatum]) -> tuple[str, ...]:
    return tuple(permission.name for permission in sorted(permissions, key=lambda permission: permission.value))


def lift_constraints(
    policy: model.PolicyDb, types: list[int], roles: list[int], users: list[int]
) -> tuple[LinkedConstraint, ...]:
    """The constraints of every class; `types`, `roles` and `users` say what each number of the file becomes.

    Permissions that a class does not have are left out, as they are of rules.
    """
    numbers = {"t": types, "r": roles, "u": users}
    found = [
        _constraint(datum.value - 1, "constrain", node._replace(permissions=permissions), numbers)
        for datum in policy.classes.entries
        for node in datum.constraints
        if (permissions := node.permissions & (1 << datum.primary) - 1)
    ]
    found += [
        _constraint(datum.value - 1, "validatetrans", node._replace(permissions=0), numbers)
        for datum in policy.classes.entries
        for node in datum.transitions
    ]
    return tuple(sorted(found, key=lambda constraint: (constraint.security_class, constraint[2:3], str(constraint))))


def _constraint(
    security_class: int, keyword: str, node: model.ConstraintNode, numbers: dict[str, list[int]]
) -> LinkedConstraint:
    has_levels = any(
        item.kind == layout.EXPRESSION_WORDS and item.attribute >= _FIRST_LEVEL_PAIR for item in node.expression
    )
    expression = tuple(
        _CONNECTIVES[item.kind] if item.kind in _CONNECTIVES else _term(item, numbers) for item in node.expression
    )
    return LinkedConstraint("mls" + keyword if has_levels else keyword, security_class, node.permissions, expression)


def _term(item: model.ExpressionNode, numbers: dict[str, list[int]]) -> LinkedTerm:
    operator = _OPERATORS[item.operator]
    if item.kind == layout.EXPRESSION_WORDS:
        return LinkedTerm(layout.WORD_PAIRS[item.attribute][0], operator, layout.WORD_PAIRS[item.attribute][1])
    word = layout.NAMED_WORDS[item.attribute]
    names = _moved(item.names, numbers[word[0]])
    written = (_moved(item.written, numbers["t"]) or names) if word[0] == "t" else ()
    return LinkedTerm(word, operator, "", sum(1 << number for number in names), tuple(written))


def _moved(numbers: Ebitmap, to: Sequence[int]) -> list[int]:
    return sorted(to[number] for number in decode_bits(numbers) if to[number] >= 0)
