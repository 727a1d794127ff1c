"""Reading the arguments of statements, each by its kind.

Inside a macro a name may be a parameter; it then stands for what was passed, which was read where the call is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.policy.ir.statements import ConstraintOperator, ConstraintTerm, NameSet
from polpkg.policy.syntax.cil.expressions import (
    CONDITION_OPERATORS,
    CONNECTIVES,
    RESERVED,
    SetExpression,
    set_expression,
    to_postfix,
)
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.reader import Form
from polpkg.policy.syntax.cil.values import ContextForm, LevelForm, PermissionForm, RangeForm, SpanForm, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polpkg.diagnostics import Frame
    from polpkg.policy.ir.statements import BooleanExpression, ConstraintExpression
    from polpkg.policy.syntax.cil.reader import Node
    from polpkg.policy.syntax.cil.values import ContextValue, LevelValue, PermissionValue, RangeValue, Value

_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_LONGEST_NAME = 2048
_COMPARISONS = {
    "eq": ConstraintOperator.EQ,
    "neq": ConstraintOperator.NEQ,
    "dom": ConstraintOperator.DOM,
    "domby": ConstraintOperator.DOMBY,
    "incomp": ConstraintOperator.INCOMP,
}
_PARTNERS = {
    "u1": ("u2",),
    "r1": ("r2",),
    "t1": ("t2",),
    "l1": ("l2", "h1", "h2"),
    "l2": ("h2",),
    "h1": ("l2", "h2"),
}
"""Which words of constraints may be compared (`cil_verify_constraint_leaf_expr_syntax`)."""
_LEFT = frozenset(("u1", "u2", "u3", "r1", "r2", "r3", "t1", "t2", "t3", "l1", "l2", "h1", "h2"))
_UINT32 = 0xFFFFFFFF
_UINT64 = 0xFFFFFFFFFFFFFFFF


class Parameter(NamedTuple):
    """What a parameter of a macro stands for."""

    kind: str
    value: Value


class Scope(NamedTuple):
    """Where a statement is read: the macro stack, and the parameters there by name."""

    frame: Frame | None
    parameters: Mapping[str, Parameter]
    depth: int = 0


class Reference(NamedTuple):
    """The use of a name: of which kind, and which word it is."""

    kind: str
    name: str


class Arguments:
    """Reads arguments in a scope, and remembers which names they use in `used` and declare in `declared`."""

    def __init__(self, scope: Scope) -> None:
        """Nothing is used so far."""
        self.scope = scope
        self.used: dict[Reference, None] = {}
        self.declared: list[Reference] = []

    def read(self, form: Form, signature: str) -> tuple[Any, ...]:
        """All arguments of `form`; raises CilProblem for what is wrong."""
        kinds = signature.split()
        items = form.items
        if kinds[-1][0] == "[":
            last = kinds.pop().strip("[]")
            kinds += (last,) * (len(items) == len(kinds) + 2)
        if len(items) != len(kinds) + 1:
            self._check_count(form, kinds)
        return tuple(self.one(kind, items[n], form, n) for n, kind in enumerate(kinds, 1))

    def _check_count(self, form: Form, kinds: list[str]) -> None:
        if form.keyword == "typetransition" and len(form.items) == 6:
            message = "a type transition by name is not part of a policy for Xen"
            raise CilProblem(form, 4, message, "Xen has no named objects", "not-for-xen")
        wanted = " ".join(kind.removeprefix("new:").upper() for kind in kinds)
        message = f"`{form.keyword}` takes {len(kinds)} arguments, and has {len(form.items) - 1}"
        raise CilProblem(form, -1, message, f"({form.keyword} {wanted})")

    def one(self, kind: str, node: Node, form: Form, index: int) -> Any:
        """The argument `node`, which is item `index` of `form`."""
        if kind.startswith("new:"):
            return self._declare(kind[4:], node, form, index)
        if isinstance(node, str):
            parameter = self.scope.parameters.get(node)
            if parameter is not None and parameter.kind == _CLASSES_OF_KINDS.get(kind, kind):
                return parameter.value
        return READERS[kind](self, node, form, index)

    # Names

    def word(self, node: Node, form: Form, index: int) -> str:
        """A word, of whatever form."""
        if isinstance(node, str):
            return node
        raise CilProblem(form, index, "expected a name but found a list")

    def name(self, kind: str, node: Node, form: Form, index: int) -> str:
        """The name of something of `kind`."""
        word = self.word(node, form, index)
        parameter = self.scope.parameters.get(word)
        if parameter is not None and parameter.kind == kind and isinstance(parameter.value, str):
            return parameter.value
        self._check_spelling(word, form, index)
        self.used[Reference(kind, word)] = None
        return word

    def _check_spelling(self, word: str, form: Form, index: int) -> None:
        if word in RESERVED:
            raise CilProblem(form, index, f"`{word}` has a meaning of its own here and cannot be used as a name")
        if "." in word and _NAME.fullmatch(word.replace(".", "x")):
            message = f"`{word}` is a path into a block, and blocks are not supported yet"
            raise CilProblem(form, index, message, "write the name without dots", "unsupported-statement")
        if not _NAME.fullmatch(word) or len(word) >= _LONGEST_NAME:
            hint = "a letter, then letters, digits, `_` and `-`"
            raise CilProblem(form, index, f"`{word[:80]}` cannot be a name", hint)

    def _declare(self, kind: str, node: Node, form: Form, index: int) -> str:
        word = self.word(node, form, index)
        self._check_spelling(word, form, index)
        self.declared.append(Reference(kind, word))
        return word

    def truth(self, node: Node, form: Form, index: int) -> bool:
        """`true` or `false`"""
        if node not in ("true", "false"):
            raise CilProblem(form, index, "expected `true` or `false`")
        return node == "true"

    def words(self, node: Node, form: Form, index: int) -> Words:
        """A list of names, which may be empty."""
        if not isinstance(node, Form):
            raise CilProblem(form, index, f"expected a list but found `{node}`")
        words = tuple(self.word(item, node, n) for n, item in enumerate(node.items))
        unordered = words[:1] == ("unordered",)
        for n, word in enumerate(words):
            if n or not unordered:
                self._check_spelling(word, node, n)
        return Words(words[unordered:], unordered)

    def classes(self, node: Node, form: Form, index: int) -> Words:
        """A class, or a list of them."""
        if isinstance(node, str):
            return Words((self.name("class", node, form, index),))
        return Words(tuple(self.name("class", item, node, n) for n, item in enumerate(node.items)))

    def target(self, node: Node, form: Form, index: int) -> str:
        """The target of a rule: a type, or `self`."""
        if node == "self":
            return "self"
        if node in ("notself", "other"):
            message = f"`{node}` came with libsepol 3.6 and is not supported"
            raise CilProblem(form, index, message, code="unsupported-statement")
        return self.name("type", node, form, index)

    def string(self, node: Node, form: Form, index: int) -> str:
        """A word or a quoted string, without its quotes."""
        return self.word(node, form, index).strip('"')

    # Numbers

    def number(self, node: Node, form: Form, index: int) -> SpanForm:
        """One number of 32 bits."""
        found = self._integer(node, form, index, _UINT32)
        return SpanForm(found, found)

    def span(self, node: Node, form: Form, index: int, largest: int = _UINT32) -> SpanForm:
        """A number, or a list of two."""
        if isinstance(node, str):
            found = self._integer(node, form, index, largest)
            return SpanForm(found, found)
        if len(node.items) != 2:
            raise CilProblem(form, index, "expected a number, or two in a list")
        low, high = (self._integer(item, node, n, largest) for n, item in enumerate(node.items))
        if low > high:
            raise CilProblem(form, index, "this range ends before it begins")
        return SpanForm(low, high)

    def long_span(self, node: Node, form: Form, index: int) -> SpanForm:
        """The same with 64 bits."""
        return self.span(node, form, index, _UINT64)

    def _integer(self, node: Node, form: Form, index: int, largest: int) -> int:
        """As `strtoul` reads it; an interrupt is always decimal (`cil_gen_pirqcon`)."""
        word = self.word(node, form, index)
        decimal = form.keyword == "pirqcon"
        shape = r"\d{1,30}" if decimal else r"0[xX][0-9A-Fa-f]{1,30}|0[0-7]{0,30}|[1-9]\d{0,30}"
        if not re.fullmatch(shape, word, re.ASCII):
            raise CilProblem(form, index, f"expected a number but found `{word[:80]}`")
        base = 16 if word[:2] in ("0x", "0X") else 8 if word[0] == "0" and not decimal else 10
        if (value := int(word, base)) > largest:
            raise CilProblem(form, index, f"{word} is more than {largest:#x}, the largest number possible here")
        return value

    # Levels and contexts

    def level(self, node: Node, form: Form, index: int) -> LevelValue:
        """The name of a level, or the level itself."""
        return self.name("level", node, form, index) if isinstance(node, str) else self.level_form(node, form, index)

    def level_form(self, node: Node, form: Form, index: int) -> LevelForm:
        """`(s0 (c0 c1))`"""
        if not isinstance(node, Form) or not 1 <= len(node.items) <= 2:
            raise CilProblem(form, index, "expected a level", "(s0) or (s0 (c0 c1))")
        sensitivity = self.name("sensitivity", node.items[0], node, 0)
        if len(node.items) == 1:
            return LevelForm(sensitivity)
        categories = self.one("categories", node.items[1], node, 1)
        return LevelForm(sensitivity, categories)

    def range(self, node: Node, form: Form, index: int) -> RangeValue:
        """The name of a range, or the range itself."""
        return self.name("range", node, form, index) if isinstance(node, str) else self.range_form(node, form, index)

    def range_form(self, node: Node, form: Form, index: int) -> RangeForm:
        """`(LOW HIGH)`"""
        if not isinstance(node, Form) or len(node.items) != 2:
            raise CilProblem(form, index, "expected a range of levels", "((s0) (s1 (c0)))")
        low, high = (self.one("level", item, node, n) for n, item in enumerate(node.items))
        return RangeForm(low, high)

    def context(self, node: Node, form: Form, index: int) -> ContextValue:
        """The name of a context, or the context itself."""
        if isinstance(node, str):
            return self.name("context", node, form, index)
        return self.context_form(node, form, index)

    def context_form(self, node: Node, form: Form, index: int) -> ContextForm:
        """`(USER ROLE TYPE RANGE)`"""
        if not isinstance(node, Form) or len(node.items) != 4:
            raise CilProblem(form, index, "expected a context", "(system_u system_r dom0_t ((s0) (s0)))")
        user, role, type_ = (self.name(k, node.items[n], node, n) for n, k in enumerate(("user", "role", "type")))
        return ContextForm(user, role, type_, self.one("range", node.items[3], node, 3))

    # Sets and expressions

    def names(self, kind: str, node: Node, form: Form, index: int) -> SetExpression:
        """A set of names of one kind."""
        return set_expression(
            node, form, index, lambda word, parent, n: self.name(kind, word, parent, n), spans=kind == "category"
        )

    def permissions(self, node: Node, form: Form, index: int) -> PermissionValue:
        """The name of a set of permissions, or a class and permissions of it."""
        if isinstance(node, str):
            return self.name("permissions", node, form, index)
        if len(node.items) != 2:
            raise CilProblem(form, index, "expected a class and a list of permissions", "(domain (create pause))")
        security_class = self.name("class", node.items[0], node, 0)
        kind = f"permission of {security_class}"
        return PermissionForm(security_class, self.names(kind, node.items[1], node, 1))

    def condition(self, node: Node, form: Form, index: int) -> BooleanExpression:
        """An expression over booleans, or over tunables in a `tunableif`."""
        kind = "tunable" if form.keyword == "tunableif" else "boolean"

        def leaf(inner: Node, parent: Form, at: int) -> str:
            if isinstance(inner, Form) and len(inner.items) == 1:
                inner, parent, at = inner.items[0], inner, 0
            return self.name(kind, inner, parent, at)

        return to_postfix(node, form, index, CONDITION_OPERATORS, leaf)

    def constraint(self, node: Node, form: Form, index: int) -> ConstraintExpression:
        """The expression of a constraint."""
        return to_postfix(node, form, index, CONNECTIVES, self._term)

    def _term(self, node: Node, form: Form, index: int) -> ConstraintTerm:
        if not isinstance(node, Form) or len(node.items) != 3:
            raise CilProblem(form, index, "expected a comparison", "(eq u1 u2)")
        left, right = self.word(node.items[1], node, 1), node.items[2]
        operator = _COMPARISONS.get(node.keyword)
        if operator is None or left not in _LEFT:
            raise CilProblem(node, 0 if operator is None else 1, "this cannot be compared", "(eq u1 u2)")
        if isinstance(right, str) and right in _LEFT:
            self._check_pair(left, right, operator, node)
            return ConstraintTerm(left, operator, right)
        kind = {"u": "user", "r": "role", "t": "type"}.get(left[0])
        if kind is None or operator not in (ConstraintOperator.EQ, ConstraintOperator.NEQ):
            raise CilProblem(node, 2, f"`{left}` cannot be compared to names with `{node.keyword}`")
        items = (right,) if isinstance(right, str) else tuple(right.items)
        parent, offset = (node, 2) if isinstance(right, str) else (right, 0)
        names = tuple(self.name(kind, item, parent, offset + n) for n, item in enumerate(items))
        if not names:
            raise CilProblem(node, 2, "a set must not be empty")
        return ConstraintTerm(left, operator, NameSet(names))

    def _check_pair(self, left: str, right: str, operator: ConstraintOperator, form: Form) -> None:
        if right not in _PARTNERS.get(left, ()):
            raise CilProblem(form, 2, f"`{left}` cannot be compared to `{right}`")
        if left[0] in "ut" and operator not in (ConstraintOperator.EQ, ConstraintOperator.NEQ):
            raise CilProblem(form, 0, f"`{left}` and `{right}` can be equal or not, and nothing else")


def _named(kind: str) -> Callable[[Arguments, Node, Form, int], Value]:
    return lambda arguments, node, form, index: arguments.name(kind, node, form, index)


def _set_of(kind: str) -> Callable[[Arguments, Node, Form, int], Value]:
    return lambda arguments, node, form, index: arguments.names(kind, node, form, index)


_CLASSES_OF_KINDS = {
    "target": "type",
    "level-form": "",
    "range-form": "",
    "context-form": "",
    "permissions-name": "",
    "string": "",
}
"""The kind of parameter that an argument of another name takes; none where secilc takes the word as it is."""

READERS: dict[str, Callable[[Arguments, Node, Form, int], Value]] = {
    **{k: _named(k) for k in ("type", "role", "user", "class", "common", "boolean", "sid", "category", "sensitivity")},
    "permissions-name": _named("permissions"),
    "types": _set_of("type"),
    "roles": _set_of("role"),
    "categories": _set_of("category"),
    "word": Arguments.word,
    "words": Arguments.words,
    "truth": Arguments.truth,
    "classes": Arguments.classes,
    "target": Arguments.target,
    "string": Arguments.string,
    "number": Arguments.number,
    "span": Arguments.span,
    "long-span": Arguments.long_span,
    "level": Arguments.level,
    "level-form": Arguments.level_form,
    "range": Arguments.range,
    "range-form": Arguments.range_form,
    "context": Arguments.context,
    "context-form": Arguments.context_form,
    "permissions": Arguments.permissions,
    "condition": Arguments.condition,
    "constraint": Arguments.constraint,
}
"""How each kind of argument is read."""
