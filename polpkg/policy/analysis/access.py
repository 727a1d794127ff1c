"""What Xen would answer when it is asked for an access: rules, booleans, bounds and constraints together.

As `context_struct_compute_av` and `security_compute_sid` in Xen's xen/xsm/flask/ss/services.c.  Booleans have the
values that the policy starts with; levels (MLS) are left aside, so an answer is what type enforcement says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.rules_in_force import evaluate
from polpkg.policy.ir.linked import LinkedAvRule, LinkedTerm, LinkedTypeRule, bits
from polpkg.policy.ir.statements import (
    AvKind,
    ConstraintConnective,
    ConstraintOperator,
    TypeRuleKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.policy.ir.linked import LinkedConstraint, LinkedPolicy


class Subject(NamedTuple):
    """A context without its level, by number."""

    user: int
    role: int
    type: int


class AccessDecider:
    """Answers for one policy; what was worked out for a source is kept."""

    def __init__(self, policy: LinkedPolicy) -> None:
        """`policy`: whose answers."""
        self.policy = policy
        rules = tuple(_active_rules(policy))
        self._rules = tuple(r for r in rules if isinstance(r, LinkedAvRule) and r.kind is AvKind.ALLOW)
        self._transitions = tuple(
            r for r in rules if isinstance(r, LinkedTypeRule) and r.kind is TypeRuleKind.TYPE_TRANSITION
        )
        self._by_source: dict[int, tuple[LinkedAvRule, ...]] = {}

    def allowed(self, source: Subject, target: Subject, class_name: str) -> frozenset[str]:
        """The permissions of a class that `source` has on `target`."""
        number = self._class(class_name)
        mask = self._granted(source.type, target.type, number)
        parent = self.policy.types[source.type].bounds
        if parent >= 0:
            mask &= self._granted(parent, target.type, number)
        mask &= ~constrained(self.policy, source, target, number)
        names = self.policy.abi.all_classes[number].permissions
        return frozenset(names[bit] for bit in bits(mask)) - self._refused_by_roles(source, target, class_name)

    def _refused_by_roles(self, source: Subject, target: Subject, class_name: str) -> frozenset[str]:
        """A domain changes its role only where a role allow rule says so."""
        free = source.role == target.role or (source.role, target.role) in self.policy.role_allows
        return frozenset(() if free or class_name != "domain" else ("transition",))

    def holders(self, target: int, class_name: str, permission: str) -> tuple[int, ...]:
        """The types that rules grant a permission on the type `target`, by number."""
        number, expand = self._class(class_name), self.policy.expand
        bit = 1 << self.policy.abi.all_classes[number].permissions.index(permission)
        found = 0
        for rule in self._rules:
            if rule.security_class == number and rule.permissions & bit and expand(rule.target) >> target & 1:
                found |= expand(rule.source)
        return tuple(bits(found))

    def turning_into(self) -> dict[int, int]:
        """The type that may turn into a type, by that type: the label under which a guest is built."""
        number = self._class("domain")
        bit = 1 << self.policy.abi.all_classes[number].permissions.index("transition")
        found: dict[int, int] = {}
        for rule in self._rules:
            if rule.security_class == number and rule.permissions & bit:
                sources = self.policy.expand(rule.source)
                for target in bits(self.policy.expand(rule.target)):
                    source = next((s for s in bits(sources & ~(1 << target))), -1)
                    if source >= 0:
                        found.setdefault(target, source)
        return found

    def objects(self, source: int, class_name: str, permission: str) -> tuple[int, ...]:
        """The types on which rules grant the type `source` a permission, by number."""
        number = self._class(class_name)
        bit = 1 << self.policy.abi.all_classes[number].permissions.index(permission)
        found = 0
        for rule in self._rules_of(source):
            if rule.security_class == number and rule.permissions & bit:
                found |= self.policy.expand(rule.target)
        return tuple(bits(found))

    def transition(self, source: int, target: int, class_name: str) -> int:
        """The type of what `source` makes in relation to `target`.

        Without a rule that is the type of the source for a domain, and of the target for anything else.
        """
        number, expand = self._class(class_name), self.policy.expand
        for rule in self._transitions:
            if rule.security_class != number:
                continue
            if expand(rule.source) >> source & 1 and expand(rule.target) >> target & 1:
                return rule.result
        return source if class_name == "domain" else target

    def _class(self, name: str) -> int:
        return self.policy.abi.class_id(name) - 1

    def _granted(self, source: int, target: int, number: int) -> int:
        mask = 0
        for rule in self._rules_of(source):
            if rule.security_class == number and self.policy.expand(rule.target) >> target & 1:
                mask |= rule.permissions
        return mask

    def _rules_of(self, source: int) -> tuple[LinkedAvRule, ...]:
        rules = self._by_source.get(source)
        if rules is None:
            expand = self.policy.expand
            rules = self._by_source[source] = tuple(r for r in self._rules if expand(r.source) >> source & 1)
        return rules


def constrained(policy: LinkedPolicy, source: Subject, target: Subject, security_class: int) -> int:
    """The permissions of a class, as a bit set, that constraints refuse `source` on `target`, whatever rules say."""
    refused = 0
    for constraint in policy.constraints:
        concerns = constraint.security_class == security_class and constraint.keyword == "constrain"
        if concerns and constraint.permissions & ~refused and not _holds(constraint, source, target):
            refused |= constraint.permissions
    return refused


def _active_rules(policy: LinkedPolicy) -> Iterator[LinkedAvRule | LinkedTypeRule]:
    """All rules without a condition, and those whose condition holds when the policy is loaded."""
    yield from policy.rules
    yield from policy.type_rules
    defaults = {number: boolean.default for number, boolean in enumerate(policy.booleans)}
    for conditional in policy.conditionals:
        yield from conditional.then if evaluate(conditional.expression, defaults) else conditional.otherwise


def _holds(constraint: LinkedConstraint, source: Subject, target: Subject) -> bool:
    """Whether a constraint's expression, in postfix order, is true (`constraint_expr_eval`)."""
    words = {
        "u1": source.user, "r1": source.role, "t1": source.type,
        "u2": target.user, "r2": target.role, "t2": target.type,
    }  # fmt: skip
    stack: list[bool] = []
    for word in constraint.expression:
        if isinstance(word, LinkedTerm):
            stack.append(_compare(word, words))
        elif word is ConstraintConnective.NOT:
            stack.append(not stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(left and right if word is ConstraintConnective.AND else left or right)
    return stack.pop()


def _compare(term: LinkedTerm, words: dict[str, int]) -> bool:
    """One comparison.  Roles do not dominate each other in any policy that is written here: they are equal or not."""
    left = words[term.left]
    equal = left == words[term.right] if term.right else bool(term.names >> left & 1)
    match term.operator:
        case ConstraintOperator.NEQ:
            return not equal
        case ConstraintOperator.INCOMP:
            return not equal
        case _:
            return equal
