"""Expansion with placeholders for names: what comes out holds for every other choice of names, or it is given up.

A macro that is called for thousands of guests gives the same text each time, but for the names.  A `Trial` goes along
with one expansion in which placeholders stand for the names.  Where the text of a placeholder decides what happens, it
writes down what was decided; `Trial.holds_for` says whether it would be decided in the same way for other names.
Where it cannot know, the expansion ends with `NotAlike`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.invocation import NativeError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from polpkg.policy.syntax.m4.invocation import Invocation
    from polpkg.policy.syntax.m4.table import Macro, Native

_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")

_HARMLESS = frozenset({"dnl", "shift", "__file__", "__line__"})
"""Builtins that treat every text alike."""

_CHANGES = frozenset({"define", "undefine", "pushdef", "popdef", "errprint", "defn"})
"""Builtins that leave something behind, or hand on what cannot be followed."""


class NotAlike(Exception):  # noqa: N818 - not an error: the text has to be expanded for each choice of names
    """What is expanded depends on the names in a way that cannot be followed."""


class Trial:
    """One expansion in which `placeholders` stand for `names`; each contains `mark`, and nothing else does."""

    def __init__(self, mark: str, placeholders: Sequence[str], names: Sequence[str]) -> None:
        self._mark = mark
        self._placeholders = tuple(placeholders)
        self._names = tuple(names)
        self._words: set[str] = set()
        self._answers: dict[tuple[Macro, tuple[str, ...]], str] = {}
        self._comparisons: dict[tuple[str, str], bool] = {}
        self._formats: dict[str, Callable[..., str]] = {}

    def see(self, text: str) -> None:
        """Take note of text that is read: its words must not be macros, whatever the names are."""
        if self._mark in text:
            self._words.update(word for word in _WORD.findall(text) if self._mark in word)

    def fill(self, text: str, names: Sequence[str]) -> str:
        """`text` with `names` in place of the placeholders."""
        if self._mark not in text:
            return text
        filled = self._formats.get(text)
        if filled is None:
            filled = self._formats[text] = self._format(text)
        return filled(*names)

    def _format(self, text: str) -> Callable[..., str]:
        text = text.replace("{", "{{").replace("}", "}}")
        for number, placeholder in enumerate(self._placeholders):
            text = text.replace(placeholder, f"{{{number}}}")
        return text.format

    # What the processor asks

    def check_builtin(self, call: Invocation) -> None:
        """Follow a call of a builtin.  Raises `NotAlike`."""
        if call.name in _HARMLESS:
            return
        if call.name in _CHANGES:
            raise NotAlike
        texts = call.texts()
        if call.name == "ifdef":
            self.see(texts[0] if texts else "")
            self._refuse_tainted(word for word in texts[:1] if not _WORD.fullmatch(word))
        elif call.name == "ifelse":
            self._check_comparisons(texts)
        else:
            self._refuse_tainted(texts)

    def _refuse_tainted(self, texts: Iterable[str]) -> None:
        if any(self._mark in text for text in texts):
            raise NotAlike

    def _check_comparisons(self, texts: Sequence[str]) -> None:
        """`ifelse` compares up to the first pair that is equal."""
        at = 0
        while len(texts) - at >= 3:
            one, other = texts[at : at + 2]
            if self._mark in one or self._mark in other:
                self._comparisons[one, other] = one == other
            if one == other:
                return
            at += 3

    def ask(self, macro: Macro, native: Native, arguments: Sequence[str]) -> str:
        """What `native` says, asked with names and answered with placeholders.  Raises `NotAlike`."""
        if not any(self._mark in text for text in arguments):
            return native(arguments)
        real = [self.fill(text, self._names) for text in arguments]
        words = {self.fill(word, self._names): word for text in arguments for word in self._tainted_words(text)}
        try:
            answer = self._with_placeholders(native(real), words)
        except NativeError:
            raise NotAlike from None
        self._answers[macro, tuple(arguments)] = answer
        return answer

    def _tainted_words(self, text: str) -> list[str]:
        return [word for word in _WORD.findall(text) if self._mark in word]

    def _with_placeholders(self, answer: str, words: dict[str, str]) -> str:
        """`answer` with placeholders where it names what the arguments do, or something that begins with a name."""
        prefix = self._names[0]

        def exchange(found: re.Match[str]) -> str:
            word = found.group()
            if word in words:
                return words[word]
            if word == prefix or word.startswith(f"{prefix}_"):
                return self._placeholders[0] + word[len(prefix) :]
            return word

        return _WORD.sub(exchange, answer)

    # What was found

    def holds_for(self, names: Sequence[str], macros: Container[str]) -> bool:
        """Whether the expansion with these `names` is the one that was tried, with `names` for the placeholders."""
        fill = self.fill
        if any(fill(word, names) in macros for word in self._words):
            return False
        for (one, other), are_equal in self._comparisons.items():
            if (fill(one, names) == fill(other, names)) is not are_equal:
                return False
        try:
            return all(
                macro.native is not None and macro.native([fill(text, names) for text in texts]) == fill(answer, names)
                for (macro, texts), answer in self._answers.items()
            )
        except NativeError:
            return False
