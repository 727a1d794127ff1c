"""What a policy holds besides its rules, section by section, as names with properties in words.

What has no name of its own (a constraint, a device label) is its own text, without properties.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.backends.conf import ConfWriter
from polpkg.policy.ir.linked import LinkedTerm, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polpkg.policy.ir.linked import LinkedConstraint, LinkedPolicy

Properties = dict[str, frozenset[str]]


def describe(section: str, policy: LinkedPolicy) -> Properties:
    """Everything in one of the sections of `SECTIONS`, with its properties."""
    return _DESCRIBE[section](policy)


def _types(policy: LinkedPolicy) -> Properties:
    found: Properties = {}
    for symbol in policy.types:
        if not symbol.is_attribute:
            words = [f"alias {name}" for name in symbol.aliases]
            words += ["permissive"] if symbol.permissive else []
            words += [f"bounded by {policy.types[symbol.bounds].name}"] if symbol.bounds >= 0 else []
            found[symbol.name] = frozenset(words)
    return found


def _attributes(policy: LinkedPolicy) -> Properties:
    return {symbol.name: _type_names(policy, symbol.members) for symbol in policy.types if symbol.is_attribute}


def _roles(policy: LinkedPolicy) -> Properties:
    return {role.name: _type_names(policy, role.types) for role in policy.roles}


def _users(policy: LinkedPolicy) -> Properties:
    writer = ConfWriter(policy)
    found: Properties = {}
    for user in policy.users:
        words = [policy.roles[number].name for number in bits(user.roles)]
        if policy.mls and user.level and user.range:
            words += [f"level {writer.level(user.level)}", f"range {writer.range(user.range)}"]
        found[user.name] = frozenset(words)
    return found


def _booleans(policy: LinkedPolicy) -> Properties:
    return {boolean.name: frozenset(("true" if boolean.default else "false",)) for boolean in policy.booleans}


def _role_rules(policy: LinkedPolicy) -> Properties:
    """Role rules and range transitions."""
    writer = ConfWriter(policy)
    roles, types, classes = writer.names.roles, writer.names.types, writer.names.classes
    found = [f"allow {roles[source]} {roles[target]};" for source, target in policy.role_allows]
    found += [
        f"role_transition {roles[r.role]} {types[r.type]}:{classes[r.security_class]} {roles[r.result]};"
        for r in policy.role_transitions
    ]
    found += [
        f"range_transition {types[r.source]} {types[r.target]}:{classes[r.security_class]} {writer.range(r.range)};"
        for r in policy.range_transitions
    ]
    return _texts(found)


def _constraints(policy: LinkedPolicy) -> Properties:
    writer = ConfWriter(policy)
    return _texts(line for item in policy.constraints for line in writer.constraint(_with_types(item)))


def _with_types(constraint: LinkedConstraint) -> LinkedConstraint:
    """With types in place of attributes."""
    terms = (t._replace(written=()) if isinstance(t, LinkedTerm) else t for t in constraint.expression)
    return constraint._replace(expression=tuple(terms), place=None)


def _contexts(policy: LinkedPolicy) -> Properties:
    """Initial SIDs and devices."""
    writer = ConfWriter(policy)
    return _texts((*writer.initial_sids(), *map(writer.object_context, policy.object_contexts)))


def _levels(policy: LinkedPolicy) -> Properties:
    """Sensitivities with the categories that they may have, and categories."""
    if not policy.mls:
        return {}
    names = [category.name for category in policy.categories]
    found: Properties = {
        f"sensitivity {number} {symbol.name}": frozenset(
            (*(f"alias {alias}" for alias in symbol.aliases), *(names[bit] for bit in bits(symbol.categories)))
        )
        for number, symbol in enumerate(policy.sensitivities)
    }
    for category in policy.categories:
        found[f"category {category.name}"] = frozenset(f"alias {alias}" for alias in category.aliases)
    return found


def _capabilities(policy: LinkedPolicy) -> Properties:
    return _texts(policy.capabilities)


def _texts(lines: Iterable[str]) -> Properties:
    return {" ".join(line.split()): frozenset() for line in lines}


def _type_names(policy: LinkedPolicy, members: int) -> frozenset[str]:
    return frozenset(policy.types[number].name for number in bits(members))


_DESCRIBE: dict[str, Callable[[LinkedPolicy], Properties]] = {
    "types": _types,
    "attributes": _attributes,
    "roles": _roles,
    "users": _users,
    "booleans": _booleans,
    "role_rules": _role_rules,
    "constraints": _constraints,
    "contexts": _contexts,
    "levels": _levels,
    "capabilities": _capabilities,
}

SECTIONS = tuple(_DESCRIBE)
"""The sections, in the order in which a person reads them."""
