"""Statements about roles, users, and where new objects get their labels from, one small method each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import (
    DefaultRule,
    NameSet,
    RoleAttribute,
    RoleAttributeDeclaration,
    RoleDeclaration,
    RoleDominance,
    RoleTransition,
    Statement,
    UserDeclaration,
)
from polpkg.policy.syntax.te.cursor import SyntaxProblem
from polpkg.policy.syntax.te.labels import LabelStatements

if TYPE_CHECKING:
    from polpkg.diagnostics import Place

DEEPEST_BLOCK = 32
"""Blocks in one another."""


class RoleStatements(LabelStatements):
    """A method for each word that begins such a statement; the cursor stands behind it."""

    __slots__ = ()

    # Roles and users

    def role(self, place: Place) -> Statement:
        """`role R, A, ...;` and `role R types T;`"""
        name = self.read_name("a role")
        types = self.read_names() if self.accept("types") or self.accept("TYPES") else NameSet()
        attributes = self.read_names_with(",") if types == NameSet() and self.accept(",") else ()
        self.end()
        return RoleDeclaration(place, name, types, attributes)

    def attribute_role(self, place: Place) -> Statement:
        """`attribute_role A;`"""
        name = self.read_name("a role attribute")
        self.end()
        return RoleAttributeDeclaration(place, name)

    def roleattribute(self, place: Place) -> Statement:
        """`roleattribute R A, ...;`"""
        name = self.read_name("a role")
        attributes = self.read_names_with(",")
        self.end()
        return RoleAttribute(place, name, attributes)

    def dominance(self, place: Place) -> Statement:
        """Of sensitivities, or of roles: `dominance { role R { role S; } }`"""
        if self.word != "{" or self.values[self.at + 1].lower() != "role":
            return super().dominance(place)
        self.at += 1
        pairs: list[tuple[str, str]] = []
        while not self.accept("}"):
            name = self._dominating_role(pairs, 0)
            pairs.append((name, name))
        return RoleDominance(place, tuple(pairs))

    def _dominating_role(self, pairs: list[tuple[str, str]], depth: int) -> str:
        """`role R;` or `role R { role S; ... }`: adds (R, S) to `pairs`, those of S first."""
        if depth > DEEPEST_BLOCK:
            raise SyntaxProblem(self.at, f"roles may not be nested more than {DEEPEST_BLOCK} deep")
        if self.word.lower() != "role":
            self.fail("`role` or `}`")
        self.at += 1
        name = self.read_name("a role")
        if not self.accept("{"):
            self.end()
            return name
        while not self.accept("}"):
            below = self._dominating_role(pairs, depth + 1)
            pairs.append((name, below))
        return name

    def role_transition(self, place: Place) -> Statement:
        """`role_transition R T:C R2;`"""
        source, target = self.read_names(), self.read_names()
        classes = self.read_classes() if self.accept(":") else ()
        result = self.read_name("a role")
        self.end()
        return RoleTransition(place, source, target, classes, result)

    def user(self, place: Place) -> Statement:
        """`user U roles R level L range R;`"""
        name = self.read_name("a user")
        if not (self.accept("roles") or self.accept("ROLES")):
            self.fail("`roles`")
        roles = self.read_names()
        level = self.read_level() if self.accept("level") or self.accept("LEVEL") else None
        range_ = self.read_range() if level and (self.accept("range") or self.accept("RANGE")) else None
        self.end()
        return UserDeclaration(place, name, roles, level, range_)

    # Defaults of new objects

    def _default(self, place: Place, part: str) -> Statement:
        classes = self.read_classes()
        words = [self._one_of("source", "target", *(("glblub",) if part == "range" else ()))]
        if part == "range" and words != ["glblub"]:
            words.append(self._one_of("low", "high", "low-high"))
        self.end()
        return DefaultRule(place, part, classes, " ".join(words))

    def _one_of(self, *words: str) -> str:
        word = self.word.lower()
        if word not in words:
            self.fail(" or ".join(f"`{known}`" for known in words))
        self.at += 1
        return word

    def default_user(self, place: Place) -> Statement:
        """`default_user C source;`"""
        return self._default(place, "user")

    def default_role(self, place: Place) -> Statement:
        """`default_role C source;`"""
        return self._default(place, "role")

    def default_type(self, place: Place) -> Statement:
        """`default_type C source;`"""
        return self._default(place, "type")

    def default_range(self, place: Place) -> Statement:
        """`default_range C source low;`"""
        return self._default(place, "range")
