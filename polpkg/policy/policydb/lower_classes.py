"""Classes of a policydb: the ABI's tables, and the constraints on each class.

Constraints follow libsepol's `write_cons_helper` (`write.c`); from version 29 on a comparison with types also carries
the types and attributes as they were written.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError
from polpkg.policy.ir.linked import Foreign, LinkedConstraint, LinkedPolicy, LinkedTerm
from polpkg.policy.ir.statements import ConstraintConnective
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.ebitmap import EMPTY, encode, encode_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DEPTH = 5
"""How many values Xen and libsepol stack while they evaluate a constraint (`CEXPR_MAXDEPTH`)."""

_PAIRS = {pair: number for number, pair in layout.WORD_PAIRS.items()}
_WORDS = {word: number for number, word in layout.NAMED_WORDS.items()}


def lower_commons(foreign: Foreign | None) -> model.SymbolTable[model.CommonDatum]:
    """The commons of a policy for no Xen, numbered in the order of their names."""
    commons = sorted(foreign.commons.items()) if foreign else []
    entries = (
        model.CommonDatum(name, number, len(permissions), _permissions(permissions))
        for number, (name, permissions) in enumerate(commons, 1)
    )
    return model.SymbolTable(len(commons), tuple(entries))


def lower_classes(policy: LinkedPolicy, version: int) -> model.SymbolTable[model.ClassDatum]:
    """The class table of `policy`.  Raises PolicyError `constraint-too-deep`, `constraint-words`."""
    constraints: defaultdict[int, set[model.ConstraintNode]] = defaultdict(set)
    transitions: defaultdict[int, set[model.ConstraintNode]] = defaultdict(set)
    for constraint in policy.constraints:
        node = _node(constraint, with_written=version >= layout.VERSION_DEVICE_TREE)
        kind = transitions if constraint.keyword.endswith("validatetrans") else constraints
        kind[constraint.security_class].add(node)
    defaults = _defaults(policy) if version >= layout.VERSION_DEVICE_TREE else {}
    ordinary = (0,) * len(layout.DEFAULTS) if version >= layout.VERSION_DEVICE_TREE else ()
    foreign = policy.foreign or Foreign()
    entries = [
        model.ClassDatum(
            name=security_class.name,
            value=number + 1,
            common=foreign.inherits.get(security_class.name, ""),
            primary=len(security_class.permissions),
            permissions=_permissions(
                security_class.permissions, len(foreign.commons.get(foreign.inherits.get(security_class.name, ""), ()))
            ),
            constraints=tuple(sorted(constraints[number])) if number in constraints else (),
            transitions=tuple(sorted(transitions[number])) if number in transitions else (),
            defaults=defaults.get(number, ordinary),
        )
        for number, security_class in enumerate(policy.abi.all_classes)
    ]
    return model.SymbolTable(len(entries), tuple(entries))


def _defaults(policy: LinkedPolicy) -> dict[int, tuple[int, ...]]:
    """For each class that has any, the number of the default of each part."""
    parts = list(layout.DEFAULTS)
    found: dict[int, tuple[int, ...]] = {}
    for security_class, part, value, _ in policy.defaults:
        row = found.get(security_class, (0,) * len(parts))
        at = parts.index(part)
        found[security_class] = (*row[:at], layout.DEFAULTS[part].index(value), *row[at + 1 :])
    return found


def _permissions(names: Sequence[str], inherited: int = 0) -> tuple[model.PermissionDatum, ...]:
    """Permissions with their numbers, but for the first `inherited` ones, which are those of a common."""
    return tuple(model.PermissionDatum(name, number) for number, name in enumerate(names[inherited:], inherited + 1))


def _node(constraint: LinkedConstraint, *, with_written: bool) -> model.ConstraintNode:
    expression = tuple(_expression_node(item, with_written=with_written) for item in constraint.expression)
    _check_depth(expression)
    return model.ConstraintNode(constraint.permissions, expression)


def _expression_node(term: LinkedTerm | ConstraintConnective, *, with_written: bool) -> model.ExpressionNode:
    if isinstance(term, ConstraintConnective):
        return model.ExpressionNode(int(term), 0, 0)
    operator = int(term.operator)
    if term.right:
        attribute = _PAIRS.get((term.left, term.right))
        if attribute is None:
            raise PolicyError("constraint-words", f"a constraint cannot compare {term.left} with {term.right}")
        return model.ExpressionNode(layout.EXPRESSION_WORDS, attribute, operator)
    written = encode_bits(sorted(set(term.written))) if with_written and term.left[0] == "t" else EMPTY
    return model.ExpressionNode(layout.EXPRESSION_NAMES, _WORDS[term.left], operator, encode(term.names), written)


def _check_depth(expression: tuple[model.ExpressionNode, ...]) -> None:
    depth = 0
    for node in expression:
        if node.kind in {layout.EXPRESSION_WORDS, layout.EXPRESSION_NAMES}:
            depth += 1
        elif node.kind != layout.EXPRESSION_NOT:
            depth -= 1
        if depth > MAX_DEPTH:
            raise PolicyError(
                "constraint-too-deep",
                f"a constraint needs more than {MAX_DEPTH} values at once; Xen refuses it",
                hint="write it as several constraints, or with the simpler part first",
            )
