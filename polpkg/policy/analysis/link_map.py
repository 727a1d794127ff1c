"""The link map: every rule of a linked policy and its origin, as the JSON document that a generation keeps.

    {"format": 1,
     "origins": [[package, version, file, line, column, [[macro, file, line], ...]], ...],
     "rules": [[kind, source, target, class, "perm perm ...", condition, origin], ...],
     "type_rules": [[kind, source, target, class, result, condition, origin], ...]}

Names, not numbers; `origin` is a position in `origins`, -1 when there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.diagnostics import MacroUse, Origin
from polpkg.errors import PolicyError
from polpkg.policy.analysis.view import PolicyView, TracedRule, TracedTypeRule
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind, TypeRuleKind

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedPolicy

FORMAT = 1

_WORDS: dict[int, str] = {kind: kind.name.lower() for kind in (*AvKind, *TypeRuleKind)}


def write_link_map(view: PolicyView) -> bytes:
    """The document for `view`; equal views give equal bytes."""
    import json

    writer = _Writer(view.policy)
    rules = [writer.rule(rule) for rule in view.rules]
    type_rules = [writer.type_rule(rule) for rule in view.type_rules]
    origins = list(writer.origins)
    document = {"format": FORMAT, "origins": origins, "rules": rules, "type_rules": type_rules}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class _Writer:
    """Names for the numbers of a policy, and the origins that were met; a large policy has few different ones."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self.origins: dict[Origin, int] = {}
        self._numbers: dict[int, tuple[int, Origin]] = {}
        self._names = [symbol.name for symbol in policy.types]
        self._classes = policy.abi.all_classes
        self._permissions: dict[tuple[int, int], str] = {}

    def rule(self, rule: TracedRule) -> list[object]:
        """One entry of `rules`."""
        kind, source, target, number, permissions, condition, origin = rule
        names, word, granted = self._names, _WORDS[kind], self._granted(number, permissions)
        named = self._classes[number].name
        return [word, names[source], names[target], named, granted, condition, self._origin(origin)]

    def type_rule(self, rule: TracedTypeRule) -> list[object]:
        """One entry of `type_rules`."""
        kind, source, target, number, result, condition, origin = rule
        names, named = self._names, self._classes[number].name
        return [_WORDS[kind], names[source], names[target], named, names[result], condition, self._origin(origin)]

    def _granted(self, number: int, permissions: int) -> str:
        known = self._permissions.get((number, permissions))
        if known is None:
            names = self._classes[number].permissions
            known = self._permissions[number, permissions] = " ".join(names[bit] for bit in bits(permissions))
        return known

    def _origin(self, origin: Origin | None) -> int:
        """The number of an origin; first looked up by its identity, since an origin is long."""
        if origin is None:
            return -1
        known = self._numbers.get(id(origin))
        if known is None:
            number = self.origins.setdefault(origin, len(self.origins))
            known = self._numbers[id(origin)] = (number, origin)
        return known[0]


def read_link_map(data: bytes, policy: LinkedPolicy) -> PolicyView:
    """The view of `policy`, a policy that was read back, with the origins that its link map has.

    Raises PolicyError (`damaged-link-map`) when the map does not belong to the policy.
    """
    import json

    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            message = f"the link map has format {document['format']}, and this polpkg reads {FORMAT}"
            raise PolicyError("link-map-format", message, hint="use a newer polpkg")
        origins = [_read_origin(o) for o in document["origins"]]
        rules = tuple(_read_rule(r, policy, origins) for r in document["rules"])
        type_rules = tuple(_read_type_rule(r, policy, origins) for r in document["type_rules"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        message = f"the link map does not belong to this policy: {error}"
        raise PolicyError("damaged-link-map", message, hint="`polpkg verify` says what changed") from None
    return PolicyView(policy, rules, type_rules)


def _read_origin(value: list[Any]) -> Origin:
    package, version, file, line, column, macros = value
    return Origin(package, version, file, line, column, tuple(MacroUse(*m) for m in macros))


def _type(policy: LinkedPolicy, name: str) -> int:
    number = policy.number_of_type(name)
    if number < 0:
        raise KeyError(name)
    return number


def _read_rule(value: list[Any], policy: LinkedPolicy, origins: list[Origin]) -> TracedRule:
    kind, source, target, class_name, permissions, condition, origin = value
    found = 0
    for permission in permissions.split():
        found |= 1 << policy.abi.permission_bit(class_name, permission)
    return TracedRule(
        AvKind[kind.upper()],
        _type(policy, source),
        _type(policy, target),
        policy.abi.class_id(class_name) - 1,
        found,
        condition,
        origins[origin] if origin >= 0 else None,
    )


def _read_type_rule(value: list[Any], policy: LinkedPolicy, origins: list[Origin]) -> TracedTypeRule:
    kind, source, target, class_name, result, condition, origin = value
    return TracedTypeRule(
        TypeRuleKind[kind.upper()],
        _type(policy, source),
        _type(policy, target),
        policy.abi.class_id(class_name) - 1,
        _type(policy, result),
        condition,
        origins[origin] if origin >= 0 else None,
    )
