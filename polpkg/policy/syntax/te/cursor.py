"""A position in a list of words, and the small productions that every statement uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from polpkg.diagnostics import Diagnostic, Note
from polpkg.policy.ir.statements import Context, Level, LevelRange, NameSet
from polpkg.policy.syntax.te.lexer import Words, is_identifier, is_number
from polpkg.policy.syntax.te.words import RESERVED

if TYPE_CHECKING:
    from polpkg.diagnostics import Place


_LONGEST_SHOWN = 80


def shorten(word: str) -> str:
    """`word` as a message quotes it: a text that is no policy may be one word of many megabytes."""
    return word if len(word) <= _LONGEST_SHOWN else f"{word[:_LONGEST_SHOWN]}..."


class SyntaxProblem(Exception):  # noqa: N818 - a signal inside the parser, turned into a Diagnostic
    """Word `index` is not what the grammar wants."""

    is_complete = False
    """Whether the statement was all there but for its `;`."""
    shown: int | None = None
    """The word to point at when that is not the one where reading stopped."""

    def __init__(self, index: int, message: str, hint: str = "", code: str = "syntax-error") -> None:
        """Remembers what `diagnostic` needs."""
        super().__init__(message)
        self.index, self.message, self.hint, self.code = index, message, hint, code

    def diagnostic(self, words: Words) -> Diagnostic:
        """The finding to report: inside a macro that lacks an argument, most likely that."""
        place = words.place(self.index if self.shown is None else self.shown)
        for step in place.stack():
            frame = step.frame
            if frame.missing and frame.called_at is not None:
                message = f"macro `{frame.macro}` uses argument {frame.missing}, which this call leaves out"
                note = Note(f"without it: {self.message}", place.origin())
                return Diagnostic.at(frame.called_at, "missing-argument", message, notes=(note,))
        return Diagnostic.at(place, self.code, self.message, hint=self.hint)


class Cursor:
    """Reads words one after another; every `read_` method consumes what it returns or raises `SyntaxProblem`."""

    __slots__ = ("at", "values", "words")

    def __init__(self, words: Words) -> None:
        """Stands on the first word."""
        self.words = words
        self.values = words.values
        self.at: int = 0

    @property
    def word(self) -> str:
        """The word under the cursor; empty at the end."""
        return self.values[self.at]

    def place(self) -> Place:
        """Where the word under the cursor is."""
        return self.words.place(self.at)

    def fail(self, expected: str) -> NoReturn:
        """Says that something else was expected here."""
        raise self.unexpected(expected)

    def unexpected(self, expected: str, *, a_name: bool = False) -> SyntaxProblem:
        """The problem that something else was expected here: `a_name` of what `expected` says."""
        word = self.word
        found = f"`{shorten(word)}`" if word else "the end of the text"
        hint = ""
        if a_name and word in RESERVED:
            hint = f"`{word}` is a word of the policy language and cannot be used as a name"
        elif word == ")":
            hint = "a macro that is not defined, or called with too many arguments, is left in the text like this"
        elif word == "(":
            name = shorten(self.values[self.at - 1])
            hint = f"`{name}` is not a macro here: is the package that defines it among the requirements?"
        return SyntaxProblem(self.at, f"expected {expected} but found {found}", hint)

    def accept(self, word: str) -> bool:
        """Moves past `word` if it is there."""
        if self.values[self.at] == word:
            self.at += 1
            return True
        return False

    def expect(self, word: str) -> None:
        """Moves past `word`, which must be there."""
        if self.values[self.at] != word:
            self.fail(f"`{word}`")
        self.at += 1

    def read_name(self, what: str = "a name") -> str:
        """An identifier."""
        word = self.values[self.at]
        if not is_identifier(word):
            raise self.unexpected(what, a_name=True)
        self.at += 1
        return word

    def read_number(self, largest: int) -> int:
        """A number in decimal, octal (leading 0) or hexadecimal (0x), as `strtoul` reads it."""
        word = self.word
        if not is_number(word) or "_" in word:
            self.fail("a number")
        try:
            value = int(word, 16 if word[:2] == "0x" else 8 if word[0] == "0" and len(word) > 1 else 10)
        except ValueError:
            self.fail("a number")
        if value > largest:
            raise SyntaxProblem(self.at, f"{word} is more than {largest:#x}, the largest number possible here")
        self.at += 1
        return value

    def read_names_with(self, separator: str) -> tuple[str, ...]:
        """One identifier or more, separated by `separator`."""
        found = [self.read_name()]
        while self.accept(separator):
            found.append(self.read_name())
        return tuple(found)

    def read_name_block(self) -> tuple[str, ...]:
        """`{ a b c }`, without `-` and without nesting."""
        self.expect("{")
        found = [self.read_name()]
        while not self.accept("}"):
            found.append(self.read_name("a name or `}`"))
        return tuple(found)

    def read_names(self) -> NameSet:
        """A set: `a`, `a -b`, `{ a -b { c d } }`, `*`, `~a`, `~{ a b }` (`names` of the grammar)."""
        word = self.values[self.at]
        if word == "*":
            self.at += 1
            return NameSet(star=True)
        complement = word == "~"
        if complement:
            self.at += 1
        if self.values[self.at] == "{":
            names, excluded = self._read_nested()
            return NameSet(names, excluded, complement=complement)
        name = self.read_name("a name or `{`")
        if self.values[self.at] == "-" and not complement:
            self.at += 1
            return NameSet((name,), (self.read_name(),))
        return NameSet((name,), complement=complement)

    def _read_nested(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        self.at += 1
        depth = 1
        names: list[str] = []
        excluded: list[str] = []
        values = self.values
        while depth:
            word = values[self.at]
            if word == "{":
                depth += 1
            elif word == "}":
                if values[self.at - 1] == "{":
                    raise SyntaxProblem(self.at - 1, "a set must not be empty")
                depth -= 1
            elif word == "-":
                self.at += 1
                excluded.append(self.read_name())
                continue
            else:
                names.append(self.read_name("a name or `}`"))
                continue
            self.at += 1
        return tuple(names), tuple(excluded)

    def read_classes(self) -> tuple[str, ...]:
        """A set of classes, which has no `*`, `~` or `-`."""
        start = self.at
        found = self.read_names()
        if found.star or found.complement or found.excluded:
            raise SyntaxProblem(start, "classes are listed by name; `*`, `~` and `-` are not allowed here")
        return found.names

    def read_level(self) -> Level:
        """`s0` or `s0:c0.c3,c5`."""
        sensitivity = self.read_name("a sensitivity")
        spans: list[tuple[str, str]] = []
        if self.accept(":"):
            for word in self.read_names_with(","):
                low, _, high = word.partition(".")
                spans.append((low, high or low))
        return Level(sensitivity, tuple(spans))

    def read_range(self) -> LevelRange:
        """`L` or `L - H`."""
        low = self.read_level()
        return LevelRange(low, self.read_level() if self.accept("-") else low)

    def read_context(self) -> Context:
        """`user:role:type[:range]`."""
        user = self.read_name("a user")
        self.expect(":")
        role = self.read_name("a role")
        self.expect(":")
        type_ = self.read_name("a type")
        return Context(user, role, type_, self.read_range() if self.accept(":") else None)

    def read_aliases(self) -> tuple[str, ...]:
        """`alias a`, `alias { a b }` or nothing."""
        if not (self.accept("alias") or self.accept("ALIAS")):
            return ()
        start = self.at
        found = self.read_names()
        if found.star or found.complement or found.excluded:
            raise SyntaxProblem(start, "aliases are listed by name; `*`, `~` and `-` are not allowed here")
        return found.names

    def end(self) -> None:
        """The `;` that ends most statements."""
        if self.values[self.at] != ";":
            raise self._missing_end()
        self.at += 1

    def _missing_end(self) -> SyntaxProblem:
        """Points behind what was read, unless there is more on the same line."""
        problem = self.unexpected("`;`")
        if not self.word or self.words.is_first_on_line(self.at):
            problem = SyntaxProblem(self.at, f"expected `;` after `{shorten(self.values[self.at - 1])}`")
            problem.shown = self.at - 1
        problem.is_complete = True
        return problem
