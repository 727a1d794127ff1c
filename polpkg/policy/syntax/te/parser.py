"""The statements of the policy language, one small method each.

`parse_te` reads a whole text; a statement that is wrong is reported and skipped, so that one run finds all errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from polpkg.policy.ir.statements import (
    AccessVector,
    AttributeDeclaration,
    AvRule,
    BooleanDeclaration,
    ClassDeclaration,
    CommonDeclaration,
    Conditional,
    ExpandAttribute,
    InitialSidContext,
    InitialSidDeclaration,
    NamedTransition,
    Optional,
    Permissive,
    Require,
    Statement,
    TypeAliasDeclaration,
    TypeAttribute,
    TypeBounds,
    TypeDeclaration,
    TypeRule,
)
from polpkg.policy.syntax.te.cursor import SyntaxProblem, shorten
from polpkg.policy.syntax.te.expressions import read_boolean_expression
from polpkg.policy.syntax.te.lexer import Located, Words
from polpkg.policy.syntax.te.plain import WORTH_WHILE, read_plainly
from polpkg.policy.syntax.te.roles import DEEPEST_BLOCK
from polpkg.policy.syntax.te.rules import RuleStatements
from polpkg.policy.syntax.te.words import STATEMENTS, XEN_REFUSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.diagnostics import Diagnostic, Place

_MOST_PROBLEMS = 100
"""After this many the rest of a text is not read: it is something else than policy."""


def parse_te(located: Located) -> tuple[tuple[Statement, ...], tuple[Diagnostic, ...]]:
    """All statements of a text, and what is wrong with the rest of it."""
    plain = read_plainly(located, read_piece) if len(located.text) >= WORTH_WHILE else None
    return parse_words(located) if plain is None else (tuple(plain), ())


def parse_words(located: Located) -> tuple[tuple[Statement, ...], tuple[Diagnostic, ...]]:
    """The same, word by word throughout."""
    parser = _Parser(Words(located))
    parser.parse()
    return tuple(parser.statements), tuple(parser.problems)


def read_piece(piece: Located, statements: list[Statement], *, is_last: bool) -> int:
    """Reads a piece of a text up to the first problem; in one that is not the last, also up to where no two words
    follow, since no statement looks further ahead.

    The offset where it stopped: the length of the piece when all of it was read.
    """
    words = Words(piece)
    parser = _Parser(words)
    done, count = 0, 0
    try:
        while parser.word:
            if not parser.accept(";"):
                parser.read_statement()
            if is_last or parser.at + 1 < words.end:
                done, count = parser.at, len(parser.statements)
    except SyntaxProblem:
        is_last = False
    statements += parser.statements[:count]
    return len(piece.text) if is_last else words.offset(done) if done else 0


class _Parser(RuleStatements):
    """Reads statements into `statements` and findings into `problems`."""

    __slots__ = ("_depth", "problems", "statements")

    def __init__(self, words: Words) -> None:
        super().__init__(words)
        self.statements: list[Statement] = []
        self.problems: list[Diagnostic] = []
        self._depth = 0

    def parse(self) -> None:
        """Reads to the end."""
        values = self.values
        while (word := values[self.at]) and len(self.problems) < _MOST_PROBLEMS:
            if word == ";":
                self.at += 1
                continue
            start = self.at
            try:
                self.read_statement()
            except SyntaxProblem as problem:
                if (cut := self._cut_off(start, problem)) is not None:
                    self._report(cut)
                    self.at = cut.index
                    continue
                self._report(problem)
                self._recover(start, problem)

    def _report(self, problem: SyntaxProblem) -> None:
        """Adds a finding; of what one call leaves out, the first."""
        new = problem.diagnostic(self.words)
        if new.code != "missing-argument" or all(
            (new.origin, new.message) != (known.origin, known.message) for known in self.problems
        ):
            self.problems.append(new)

    def read_statement(self) -> None:
        """Reads the statement that begins here.  Raises SyntaxProblem."""
        method = _METHODS.get(self.word) or self._unknown_statement()
        place = self.place()
        self.at += 1
        self.statements.append(method(self, place))

    def _cut_off(self, start: int, problem: SyntaxProblem) -> SyntaxProblem | None:
        """What to say instead when the statement at `start` ran on into the next fragment: its own one is wrong."""
        fragment = self._fragment(start)
        if problem.shown is not None or self._fragment(problem.index) == fragment:
            return None
        edge = problem.index
        while self._fragment(edge - 1) != fragment:
            edge -= 1
        message = f"the fragment ends before this `{self.values[start]}` statement does"
        cut = SyntaxProblem(edge, message, "is a `;` or a `}` missing?")
        cut.shown = start
        return cut

    def _fragment(self, index: int) -> str:
        return self.words.place(index).stack()[0].source.file

    def _recover(self, start: int, problem: SyntaxProblem) -> None:
        """Goes on after the statement that began at `start` and went wrong at the word of `problem`.

        It ends at its `;`, at the end of its block if it has one, and before a word that begins another statement.
        """
        values, first = self.values, self.values[start].lower()
        depth = values[start : problem.index].count("{") - values[start : problem.index].count("}")
        self.at = problem.index
        if problem.is_complete and self.word in _METHODS:
            return
        while word := values[self.at]:
            inside = depth > 0 and first in _WITH_BLOCK
            if not inside and self.at > start and word in _STATEMENTS and self._begins_another(first):
                return
            self.at += 1
            depth += {"{": 1, "}": -1}.get(word, 0)
            if word == ";" and not inside:
                return
            if word == "}" and (depth < 0 or (depth == 0 and first in _WITH_BLOCK and self.word.lower() != "else")):
                return

    def _begins_another(self, first: str) -> bool:
        """Whether the word under the cursor, one of `_STATEMENTS`, begins a statement that follows one of `first`."""
        if self.words.is_first_on_line(self.at):
            return self.word.lower() != "level"
        can_end = first in _WITHOUT_SEMICOLON or self.values[self.at - 1] in ("}", ")")
        return can_end and self.word.lower() not in _AMBIGUOUS

    def _unknown_statement(self) -> Callable[[_Parser, Place], Statement]:
        word = self.word.lower()
        if word in XEN_REFUSES and self.word in (word, word.upper()):
            message = f"`{self.word}` is not part of a policy for Xen"
            raise SyntaxProblem(self.at, message, f"Xen has no {XEN_REFUSES[word]}", "not-for-xen")
        if word == "neveraudit":
            message = "`neveraudit` is newer than the policies that Xen reads (policydb 30 at most)"
            raise SyntaxProblem(self.at, message, "use `dontaudit` rules", "not-for-xen")
        if self.values[self.at + 1] == "(":
            message = f"`{shorten(self.word)}` is not a statement, and no macro of this name is visible here"
            hint = "require the package that defines it, or check the spelling"
            raise SyntaxProblem(self.at, message, hint, "unknown-macro")
        problem = self.unexpected("a statement")
        if not problem.hint and self.word:
            from difflib import get_close_matches

            close = get_close_matches(self.word, sorted(STATEMENTS), 1)
            problem.hint = f"did you mean `{close[0]}`?" if close else ""
        raise problem

    # Classes, permissions, initial SIDs

    def class_(self, place: Place) -> Statement:
        name = self.read_name("a class")
        inherits = self.read_name("a common") if self.accept("inherits") or self.accept("INHERITS") else ""
        if self.word == "{":
            return AccessVector(place, name, inherits, self.read_name_block())
        return AccessVector(place, name, inherits, ()) if inherits else ClassDeclaration(place, name)

    def common(self, place: Place) -> Statement:
        return CommonDeclaration(place, self.read_name(), self.read_name_block())

    def sid(self, place: Place) -> Statement:
        name = self.read_name("an initial SID")
        if self.word and self.values[self.at + 1] == ":":
            return InitialSidContext(place, name, self.read_context())
        return InitialSidDeclaration(place, name)

    # Types

    def attribute(self, place: Place) -> Statement:
        name = self.read_name("an attribute")
        self.end()
        return AttributeDeclaration(place, name)

    def type_(self, place: Place) -> Statement:
        name = self.read_name("a type")
        aliases = self.read_aliases()
        attributes = self.read_names_with(",") if self.accept(",") else ()
        self.end()
        return TypeDeclaration(place, name, aliases, attributes)

    def typealias(self, place: Place) -> Statement:
        name = self.read_name("a type")
        if self.word.lower() != "alias":
            self.fail("`alias`")
        aliases = self.read_aliases()
        self.end()
        return TypeAliasDeclaration(place, name, aliases)

    def typeattribute(self, place: Place) -> Statement:
        name = self.read_name("a type")
        attributes = self.read_names_with(",")
        self.end()
        return TypeAttribute(place, name, attributes)

    def expandattribute(self, place: Place) -> Statement:
        names = self._plain_names("attributes")
        expand = self._truth()
        self.end()
        return ExpandAttribute(place, names, expand)

    def typebounds(self, place: Place) -> Statement:
        parent = self.read_name("a type")
        children = self.read_names_with(",")
        self.end()
        return TypeBounds(place, parent, children)

    def permissive(self, place: Place) -> Statement:
        name = self.read_name("a type")
        self.end()
        return Permissive(place, name)

    # Booleans and conditionals

    def bool_(self, place: Place) -> Statement:
        return self._boolean(place, tunable=False)

    def tunable(self, place: Place) -> Statement:
        return self._boolean(place, tunable=True)

    def _boolean(self, place: Place, *, tunable: bool) -> BooleanDeclaration:
        name = self.read_name("a tunable" if tunable else "a boolean")
        default = self._truth()
        self.end()
        return BooleanDeclaration(place, name, default, tunable)

    def _truth(self) -> bool:
        word = self.word.lower()
        if word not in ("true", "false"):
            self.fail("`true` or `false`")
        self.at += 1
        return word == "true"

    def if_(self, place: Place) -> Statement:
        expression = read_boolean_expression(self)
        then = self._branch()
        otherwise = self._branch() if self.accept("else") or self.accept("ELSE") else ()
        return Conditional(place, expression, then, otherwise)

    def _branch(self) -> tuple[AvRule | TypeRule, ...]:
        self.expect("{")
        rules: list[AvRule | TypeRule] = []
        while not self.accept("}"):
            method = _CONDITIONAL_METHODS.get(self.word)
            if method is None:
                if self.word in ("require", "REQUIRE"):
                    self._read_require()
                    continue
                if self.word in _METHODS:
                    message = f"`{self.word}` is not allowed inside `if`"
                    raise SyntaxProblem(self.at, message, "a conditional holds access vector and type rules only")
                self.fail("a rule or `}`")
            place, start = self.place(), self.at
            self.at += 1
            rule = method(self, place)
            if not isinstance(rule, (AvRule, TypeRule)):
                what = "type transitions by name" if isinstance(rule, NamedTransition) else "role rules"
                raise SyntaxProblem(start, f"{what} are not allowed inside `if`")
            rules.append(rule)
        return tuple(rules)

    # Blocks

    def module(self, place: Place) -> Statement:
        """The header of a loadable module, which says nothing that a package does not."""
        self.read_name("the name of a module")
        while self.word not in (";", ""):
            self.at += 1
        self.end()
        return Require(place, ())

    def optional(self, place: Place) -> Statement:
        body = self._block()
        otherwise = self._block() if self.accept("else") or self.accept("ELSE") else ()
        return Optional(place, body, otherwise)

    def _block(self) -> tuple[Statement, ...]:
        """The statements of an optional block, which holds declarations, rules, and blocks like itself."""
        start = self.at
        self.expect("{")
        self._depth += 1
        if self._depth > DEEPEST_BLOCK:
            raise SyntaxProblem(start, f"optional blocks may not be nested more than {DEEPEST_BLOCK} deep")
        outer, self.statements = self.statements, []
        try:
            while not self.accept("}"):
                self._read_inner()
            if not self.statements:
                raise SyntaxProblem(start, "an optional block must not be empty")
            return tuple(self.statements)
        finally:
            self.statements = outer
            self._depth -= 1

    def _read_inner(self) -> None:
        if self.accept(";"):
            return
        method = _BLOCK_METHODS.get(self.word)
        if method is None:
            if self.word in _METHODS:
                raise SyntaxProblem(self.at, f"`{self.word}` is not allowed inside `optional`")
            if self.word:
                method = self._unknown_statement()
            else:
                self.fail("a statement or `}`")
        place = self.place()
        self.at += 1
        self.statements.append(method(self, place))

    def _read_require(self) -> None:
        """A `require` inside `if` belongs to the block around it."""
        place = self.place()
        self.at += 1
        self.statements.append(self.require(place))

    def require(self, place: Place) -> Statement:
        self.expect("{")
        symbols: list[tuple[str, str]] = []
        permissions: list[tuple[str, str]] = []
        while not self.accept("}"):
            kind = self.word.lower()
            if kind not in _REQUIRABLE:
                self.fail("a kind of symbol (`type`, `attribute`, `role`, `class`, ...) or `}`")
            self.at += 1
            if kind == "class":
                name = self.read_name("a class")
                symbols.append((kind, name))
                permissions.extend((name, permission) for permission in self._plain_names("permissions"))
            else:
                symbols.extend((kind, name) for name in self.read_names_with(","))
            self.end()
        return Require(place, tuple(symbols), tuple(permissions))

    def _plain_names(self, what: str) -> tuple[str, ...]:
        start = self.at
        found = self.read_names()
        if found.star or found.complement or found.excluded:
            message = f"{what} are listed by name; `*`, `~` and `-` are not allowed here"
            raise SyntaxProblem(start, message)
        return found.names

    UNDERSCORED: ClassVar[frozenset[str]] = frozenset(("class", "type", "bool", "if"))


_REQUIRABLE = frozenset(
    ("class", "role", "type", "attribute", "attribute_role", "user", "bool", "tunable", "sensitivity", "category")
)
_WITH_BLOCK = frozenset(("if", "require", "optional", "dominance"))
_CONDITIONAL_WORDS = ("allow", "auditallow", "auditdeny", "dontaudit", "type_transition", "type_member", "type_change")
_BLOCK_WORDS = (
    *_CONDITIONAL_WORDS,
    *("attribute", "expandattribute", "type", "typealias", "typeattribute", "typebounds", "permissive", "bool"),
    *("tunable", "range_transition", "neverallow", "attribute_role", "role", "role_transition", "roleattribute"),
    *("if", "require", "optional", "user"),
)
"""What may stand in an optional block (`avrules_block` of checkpolicy's grammar)."""


def _methods() -> dict[str, Callable[[_Parser, Place], Statement]]:
    """The method of each statement word, in both of its spellings."""
    table: dict[str, Callable[[_Parser, Place], Statement]] = {}
    for word in STATEMENTS:
        method = getattr(_Parser, word + "_" if word in _Parser.UNDERSCORED else word, None)
        if method is not None:
            table[word] = table[word.upper()] = method
    return table


_METHODS = _methods()
_CONDITIONAL_METHODS = {w: _METHODS[w] for word in _CONDITIONAL_WORDS for w in (word, word.upper())}
_BLOCK_METHODS = {w: _METHODS[w] for word in _BLOCK_WORDS for w in (word, word.upper())}
_AMBIGUOUS = frozenset(("role", "type", "level", "class", "user"))
"""Words that begin a statement and also stand in the middle of others."""
_STATEMENTS = frozenset(w for word in STATEMENTS for w in (word, word.upper()))
_WITHOUT_SEMICOLON = frozenset(("class", "common", "sid", *(w for w in STATEMENTS if w.endswith("con"))))
