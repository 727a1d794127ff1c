"""Statements that say who may do what, and what new objects are, one small method each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import (
    AvKind,
    AvRule,
    Constraint,
    NamedTransition,
    NameSet,
    PolicyCapability,
    RangeTransition,
    RoleAllow,
    Statement,
    TypeRule,
    TypeRuleKind,
)
from polpkg.policy.syntax.te.cursor import SyntaxProblem
from polpkg.policy.syntax.te.expressions import read_constraint_expression
from polpkg.policy.syntax.te.roles import RoleStatements

if TYPE_CHECKING:
    from polpkg.diagnostics import Place


class RuleStatements(RoleStatements):
    """A method for each word that begins such a statement; the cursor stands behind it."""

    __slots__ = ()

    # Rules

    def allow(self, place: Place) -> Statement:
        """`allow S T:C P;`, and between roles `allow R S;`"""
        source, target = self.read_names(), self.read_names()
        if self.accept(";"):
            return RoleAllow(place, source, target)
        return self._av_rule(place, AvKind.ALLOW, source, target)

    def _av_rule(self, place: Place, kind: AvKind, source: NameSet, target: NameSet) -> AvRule:
        self.expect(":")
        classes = self.read_classes()
        permissions = self.read_names()
        self.end()
        return AvRule(place, kind, source, target, classes, permissions)

    def auditallow(self, place: Place) -> Statement:
        """`auditallow S T:C P;`"""
        return self._av_rule(place, AvKind.AUDITALLOW, self.read_names(), self.read_names())

    def dontaudit(self, place: Place) -> Statement:
        """`dontaudit S T:C P;`"""
        return self._av_rule(place, AvKind.DONTAUDIT, self.read_names(), self.read_names())

    def auditdeny(self, place: Place) -> Statement:
        """The old way of saying `dontaudit` for all other permissions."""
        rule = self._av_rule(place, AvKind.DONTAUDIT, self.read_names(), self.read_names())
        said = rule.permissions
        others = NameSet() if said.star else said._replace(complement=not said.complement)
        return rule._replace(permissions=others)

    def neverallow(self, place: Place) -> Statement:
        """`neverallow S T:C P;`"""
        return self._av_rule(place, AvKind.NEVERALLOW, self.read_names(), self.read_names())

    def _type_rule(self, place: Place, kind: TypeRuleKind) -> TypeRule | NamedTransition:
        source, target = self.read_names(), self.read_names()
        self.expect(":")
        classes = self.read_classes()
        result = self.read_name("a type")
        if kind is TypeRuleKind.TYPE_TRANSITION and self.word.startswith('"'):
            name = self._read_object_name()
            self.end()
            return NamedTransition(place, source, target, classes, result, name)
        self.end()
        return TypeRule(place, kind, source, target, classes, result)

    def _read_object_name(self) -> str:
        """The name of an object in double quotes, as checkpolicy's scanner takes it."""
        name = self.word.strip('"')
        if not name or "/" in name:
            self.fail("a name without slashes in double quotes")
        self.at += 1
        return name

    def type_transition(self, place: Place) -> Statement:
        """`type_transition S T:C R;`, and for objects of one name `type_transition S T:C R "NAME";`."""
        return self._type_rule(place, TypeRuleKind.TYPE_TRANSITION)

    def type_member(self, place: Place) -> Statement:
        """`type_member S T:C R;`"""
        return self._type_rule(place, TypeRuleKind.TYPE_MEMBER)

    def type_change(self, place: Place) -> Statement:
        """`type_change S T:C R;`"""
        return self._type_rule(place, TypeRuleKind.TYPE_CHANGE)

    def range_transition(self, place: Place) -> Statement:
        """`range_transition S T:C RANGE;`"""
        source, target = self.read_names(), self.read_names()
        if not self.accept(":"):
            hint = "write `range_transition SOURCE TARGET : CLASS RANGE;`"
            raise SyntaxProblem(self.at, "a range transition for Xen names its class", hint)
        classes = self.read_classes()
        range_ = self.read_range()
        self.end()
        return RangeTransition(place, source, target, classes, range_)

    # Constraints

    def _constraint(self, place: Place, keyword: str) -> Statement:
        classes = self.read_classes()
        permissions = self.read_names() if keyword.endswith("constrain") else NameSet()
        expression = read_constraint_expression(self)
        self.end()
        return Constraint(place, keyword, classes, permissions, expression)

    def constrain(self, place: Place) -> Statement:
        """`constrain C P EXPRESSION;`"""
        return self._constraint(place, "constrain")

    def mlsconstrain(self, place: Place) -> Statement:
        """`mlsconstrain C P EXPRESSION;`"""
        return self._constraint(place, "mlsconstrain")

    def validatetrans(self, place: Place) -> Statement:
        """`validatetrans C EXPRESSION;`"""
        return self._constraint(place, "validatetrans")

    def mlsvalidatetrans(self, place: Place) -> Statement:
        """`mlsvalidatetrans C EXPRESSION;`"""
        return self._constraint(place, "mlsvalidatetrans")

    # The rest

    def policycap(self, place: Place) -> Statement:
        """`policycap NAME;`"""
        name = self.read_name("a policy capability")
        self.end()
        return PolicyCapability(place, name)
