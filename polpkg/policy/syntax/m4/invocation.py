"""A call of a builtin or native macro, as the function that carries it out sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.errors import PolicyError
    from polpkg.policy.syntax.m4.limits import Limits
    from polpkg.policy.syntax.m4.processor import Processor
    from polpkg.policy.syntax.m4.provenance import Level, Text
    from polpkg.policy.syntax.m4.table import Macro


class NativeError(Exception):
    """A native macro was called wrongly; the processor adds the place and makes a `PolicyError` of it."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Argument:
    """One argument: text, or the builtin or native macro that `defn` gave (then the text is empty)."""

    __slots__ = ("macro", "text")

    def __init__(self, text: Text, macro: Macro | None = None) -> None:
        self.text = text
        self.macro = macro


class Invocation:
    """A call of `name` with `arguments`, at `offset` of `level`, in text that the package `author` wrote."""

    __slots__ = ("arguments", "author", "level", "name", "offset", "processor", "root")

    def __init__(
        self,
        processor: Processor,
        name: str,
        arguments: Sequence[Argument],
        level: Level,
        offset: int,
        author: str,
        root: int,
    ) -> None:
        self.processor = processor
        self.name = name
        self.arguments = arguments
        self.level = level
        self.offset = offset
        self.author = author
        self.root = root

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> str:
        """The text of an argument, counting from 0; empty when there are not so many."""
        return self.arguments[index].text.text if index < len(self.arguments) else ""

    @property
    def limits(self) -> Limits:
        """The bounds to keep."""
        return self.processor.limits

    def texts(self) -> list[str]:
        """The text of every argument."""
        return [argument.text.text for argument in self.arguments]

    def warn(self, text: str) -> None:
        """Record what GNU m4 would warn of."""
        self.processor.warn(text, self.level, self.offset)

    def error(self, code: str, message: str, hint: str = "") -> PolicyError:
        """An error at the place of the call, to be raised."""
        return self.processor.error(code, message, self.level, self.offset, hint)
