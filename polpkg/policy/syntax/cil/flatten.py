"""From nested lists to a flat list of statements: macros called, tunables decided, optionals told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.diagnostics import Diagnostic, Frame
from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.syntax.cil.arguments import Arguments, Parameter, Reference, Scope
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.reader import Form
from polpkg.policy.syntax.cil.signatures import (
    CONDITIONAL,
    LATER,
    NOT_FOR_XEN,
    PARAMETERS,
    SIGNATURES,
    STRUCTURES,
    UNSUPPORTED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.statements import BooleanExpression
    from polpkg.policy.syntax.cil.reader import Node

DEEPEST_STATEMENT = 50
"""Calls, optionals and conditions within one another."""
MOST_WORDS = 1_000_000
"""What all calls of macros may come to, in words and parentheses."""
MOST_PROBLEMS = 100
"""After this many the rest is not read: it is something else than policy."""


class Item(NamedTuple):
    """One statement, its arguments as their kinds say; `then` and `otherwise` are the branches of a `booleanif`."""

    keyword: str
    place: Place
    values: tuple[Any, ...]
    form: Form
    frame: Frame
    then: tuple[Item, ...] = ()
    otherwise: tuple[Item, ...] = ()


@dataclass(slots=True)
class Group:
    """The statements of one `optional`, or of none (`parent` is None and `place` too), with the names that they use."""

    parent: Group | None = None
    items: list[Item] = field(default_factory=list[Item])
    used: dict[Reference, None] = field(default_factory=dict[Reference, None])
    declared: list[Reference] = field(default_factory=list[Reference])


class _Macro(NamedTuple):
    form: Form
    parameters: tuple[tuple[str, str], ...]


class Flattener:
    """Reads the forms of all fragments of a package into `groups` and `problems`."""

    def __init__(self, forms: Sequence[Form]) -> None:
        """Reads everything."""
        self.problems: list[Diagnostic] = []
        self.groups: list[Group] = [Group()]
        self._macros: dict[str, _Macro] = {}
        self._tunables: dict[str, bool] = {}
        self._calling: list[str] = []
        self._words = 0
        self._is_stopped = False
        for form in forms:
            self._declare(form)
        self._into: list[Item] = self.groups[0].items
        for form in forms:
            self._read(form, self.groups[0], _scope(form), conditional=False)

    def report(self, problem: CilProblem, frame: Frame | None) -> None:
        """Keeps a finding."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem.diagnostic(frame))

    # Macros and tunables are known before anything is read

    def _declare(self, form: Form) -> None:
        work = [form]
        while work:
            form = work.pop()
            try:
                if form.keyword == "macro":
                    self._declare_macro(form)
                elif form.keyword == "tunable":
                    name, value = Arguments(_scope(form)).read(form, "new:tunable truth")
                    self._check_new(str(name), self._tunables, form)
                    self._tunables[str(name)] = value is True
            except CilProblem as problem:
                self.report(problem, None)
            if form.keyword == "optional":
                work.extend(item for item in reversed(form.items) if isinstance(item, Form))

    def _check_new(self, name: str, known: Iterable[str], form: Form) -> None:
        if name in known:
            raise CilProblem(form, 1, f"{form.keyword} `{name}` is declared already", code="duplicate-symbol")

    def _declare_macro(self, form: Form) -> None:
        if len(form.items) < 3 or not isinstance(form.items[2], Form):
            raise CilProblem(form, -1, "a macro has a name and a list of parameters", "(macro m ((type t)) ...)")
        name = str(Arguments(_scope(form)).one("new:macro", form.items[1], form, 1))
        self._check_new(name, self._macros, form)
        parameters = [_parameter(item, form.items[2], n) for n, item in enumerate(form.items[2].items)]
        if len({parameter for _, parameter in parameters}) < len(parameters):
            raise CilProblem(form, 2, "two parameters have one name", code="duplicate-symbol")
        self._macros[name] = _Macro(form, tuple(parameters))

    # Statements

    def _read(self, form: Form, group: Group, scope: Scope, *, conditional: bool) -> None:
        if self._is_stopped or len(self.problems) >= MOST_PROBLEMS:
            return
        try:
            self._read_statement(form, group, scope, conditional=conditional)
        except CilProblem as problem:
            self.report(problem, scope.frame)

    def _read_statement(self, form: Form, group: Group, scope: Scope, *, conditional: bool) -> None:
        keyword = form.keyword
        if keyword not in SIGNATURES and keyword not in STRUCTURES:
            raise _unknown(form)
        if conditional and keyword not in CONDITIONAL:
            raise CilProblem(form, 0, f"`{keyword}` may not stand under a condition")
        if keyword in SIGNATURES:
            arguments = Arguments(scope)
            values = arguments.read(form, SIGNATURES[keyword])
            _take(arguments, group)
            self._into.append(Item(keyword, form.place(-1, scope.frame), values, form, _frame(form, scope)))
            return
        if scope.depth >= DEEPEST_STATEMENT:
            message = f"statements are nested more than {DEEPEST_STATEMENT} deep"
            raise CilProblem(form, -1, message, code="expression-too-deep")
        scope = scope._replace(depth=scope.depth + 1)
        match keyword:
            case "optional":
                self._optional(form, group, scope)
            case "booleanif":
                self._booleanif(form, group, scope)
            case "tunableif":
                self._tunableif(form, group, scope, conditional=conditional)
            case "call":
                self._call(form, group, scope, conditional=conditional)
            case _:
                self._nested_declaration(form, group, scope)

    def _nested_declaration(self, form: Form, group: Group, scope: Scope) -> None:
        """Macros and tunables were read before; here only where they stand matters."""
        if scope.frame is not None and scope.frame.macro:
            raise CilProblem(form, 0, f"`{form.keyword}` may not stand in a macro")
        if len(form.items) > 1:
            group.declared.append(Reference(form.keyword, str(form.items[1])))

    def _body(self, forms: Iterable[Node], parent: Form, group: Group, scope: Scope, *, conditional: bool) -> None:
        for item in forms:
            if not isinstance(item, Form):
                raise CilProblem(parent, parent.items.index(item), f"expected a statement but found `{item}`")
            self._read(item, group, scope, conditional=conditional)

    def _optional(self, form: Form, group: Group, scope: Scope) -> None:
        if len(form.items) < 2:
            raise CilProblem(form, -1, "an optional has a name", "(optional o ...)")
        Arguments(scope).one("new:optional", form.items[1], form, 1)
        inner = Group(group)
        self.groups.append(inner)
        outer, self._into = self._into, inner.items
        self._body(form.items[2:], form, inner, scope, conditional=False)
        self._into = outer

    def _booleanif(self, form: Form, group: Group, scope: Scope) -> None:
        arguments = Arguments(scope)
        then, otherwise = self._branches(form)
        condition = arguments.one("condition", form.items[1], form, 1)
        _take(arguments, group)
        outer = self._into
        branches: list[tuple[Item, ...]] = []
        for branch in (then, otherwise):
            self._into = []
            if branch is not None:
                self._body(branch.items[1:], branch, group, scope, conditional=True)
            branches.append(tuple(self._into))
        self._into = outer
        outer.append(Item("booleanif", form.place(-1, scope.frame), (condition,), form, _frame(form, scope), *branches))

    def _branches(self, form: Form) -> tuple[Form | None, Form | None]:
        """The branches `true` and `false` of a condition."""
        found: dict[str, Form] = {}
        for n, item in enumerate(form.items[2:], 2):
            if not isinstance(item, Form) or item.keyword not in ("true", "false") or item.keyword in found:
                raise CilProblem(form, n, "expected `(true ...)` or `(false ...)`, each at most once")
            found[item.keyword] = item
        if not found:
            raise CilProblem(form, -1, f"`{form.keyword}` has a condition and a branch", "(booleanif b (true ...))")
        return found.get("true"), found.get("false")

    def _tunableif(self, form: Form, group: Group, scope: Scope, *, conditional: bool) -> None:
        branches = self._branches(form)
        expression: BooleanExpression = Arguments(scope).condition(form.items[1], form, 1)
        unknown = [n for n in expression if not isinstance(n, BooleanOperator) and n not in self._tunables]
        if unknown:
            message = f"tunable `{unknown[0]}` is not declared in the CIL fragments of this package"
            raise CilProblem(form, 1, message, code="unknown-tunable")
        branch = branches[0] if _decide(expression, self._tunables) else branches[1]
        if branch is not None:
            self._body(branch.items[1:], branch, group, scope, conditional=conditional)

    def _call(self, form: Form, group: Group, scope: Scope, *, conditional: bool) -> None:
        if len(form.items) not in (2, 3):
            raise CilProblem(form, -1, "a call has a name and a list of arguments", "(call m (a b))")
        arguments = Arguments(scope)
        name = arguments.word(form.items[1], form, 1)
        macro = self._macros.get(name)
        group.used[Reference("macro", name)] = None
        if macro is None:
            if group.parent is not None:
                return
            message = f"macro `{name}` is not defined in the CIL fragments of this package"
            raise CilProblem(form, 1, message, code="unknown-macro")
        if name in self._calling:
            raise CilProblem(form, 1, f"macro `{name}` calls itself", code="recursive-macro")
        self._count(macro.form, form)
        parameters = self._pass(macro, form, arguments)
        _take(arguments, group)
        frame = Frame(macro.form.text.source, name, form.place(-1, scope.frame))
        self._calling.append(name)
        inside = Scope(frame, parameters, scope.depth)
        self._body(macro.form.items[3:], macro.form, group, inside, conditional=conditional)
        self._calling.pop()

    def _count(self, macro: Form, form: Form) -> None:
        self._words += macro.size
        if self._words > MOST_WORDS:
            self._is_stopped = True
            message = f"the macros called here come to more than {MOST_WORDS:,} words"
            raise CilProblem(form, -1, message, code="too-much-expansion")

    def _pass(self, macro: _Macro, form: Form, arguments: Arguments) -> dict[str, Parameter]:
        """What each parameter of a macro stands for in this call."""
        passed = form.items[2] if len(form.items) == 3 else None
        if passed is not None and not isinstance(passed, Form):
            raise CilProblem(form, 2, "expected a list of arguments", "(call m (a b))")
        items = passed.items if passed is not None else []
        if len(items) != len(macro.parameters):
            message = f"macro `{form.items[1]}` takes {len(macro.parameters)} arguments, and gets {len(items)}"
            raise CilProblem(form, -1, message)
        return {
            name: Parameter(kind, arguments.one(kind, item, passed or form, n))
            for n, (item, (kind, name)) in enumerate(zip(items, macro.parameters, strict=True))
        }


def _scope(form: Form) -> Scope:
    return Scope(form.text.frame, {})


def _frame(form: Form, scope: Scope) -> Frame:
    return scope.frame or form.text.frame


def _take(arguments: Arguments, group: Group) -> None:
    group.used.update(arguments.used)
    group.declared.extend(arguments.declared)


def _parameter(node: Node, form: Form, index: int) -> tuple[str, str]:
    if not isinstance(node, Form) or len(node.items) != 2:
        raise CilProblem(form, index, "expected a parameter", "(type t)")
    kind = PARAMETERS.get(node.keyword)
    if kind is None:
        hint = ", ".join(sorted(PARAMETERS))
        raise CilProblem(node, 0, "this is no kind of parameter that is supported here", hint)
    return kind, str(Arguments(_scope(node)).one("new:parameter", node.items[1], node, 1))


def _decide(expression: BooleanExpression, values: dict[str, bool]) -> bool:
    stack: list[bool] = []
    for word in expression:
        if not isinstance(word, BooleanOperator):
            stack.append(values[word])
        elif word is BooleanOperator.NOT:
            stack.append(not stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            results = {
                BooleanOperator.AND: left and right,
                BooleanOperator.OR: left or right,
                BooleanOperator.EQ: left == right,
            }
            stack.append(results.get(word, left != right))
    return stack[0]


def _unknown(form: Form) -> CilProblem:
    keyword = form.keyword
    if not keyword:
        return CilProblem(form, -1, "expected a statement, which begins with a word")
    if keyword in LATER:
        message = f"`{keyword}` is not supported yet: {LATER[keyword]} come later"
        return CilProblem(form, 0, message, "write the statements out, or call a macro", "unsupported-statement")
    if keyword in NOT_FOR_XEN:
        message = f"`{keyword}` is not part of a policy for Xen"
        return CilProblem(form, 0, message, f"Xen has no {NOT_FOR_XEN[keyword]}", "not-for-xen")
    if keyword in UNSUPPORTED:
        return CilProblem(form, 0, f"`{keyword}` statements are not supported", code="unsupported-statement")
    from difflib import get_close_matches

    close = get_close_matches(keyword[:40], [*SIGNATURES, *STRUCTURES], 1)
    hint = f"did you mean `{close[0]}`?" if close else ""
    return CilProblem(form, 0, f"`{keyword[:80]}` is not a statement of CIL", hint)
