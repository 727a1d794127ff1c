"""Typed reading of TOML and JSON tables, with every problem collected and placed.

A `Document` gathers problems; a `Table` answers for one table in it.  Readers ask a table for each key that they know
and call `finish`, which reports the keys that nobody asked for.  A problem never stops the reading: the asker gets the
default, and `Document.check` raises once for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from polpkg.diagnostics import Diagnostic, Origin
from polpkg.errors import PolicyError, PolpkgError
from polpkg.packages.names import did_you_mean
from polpkg.packages.versions import is_specifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.packages.toml_places import TomlPlace


_Kind = TypeVar("_Kind")


class Locator(Protocol):
    """Finds the line and column of a key path in the text that a document was read from."""

    def __call__(self, text: str, path: tuple[str, ...], /) -> TomlPlace:
        """The place of `path` in `text`; line 0 when it has none."""
        ...


class Document:
    """One text under reading.

    `kind` begins every error code (`manifest-...`), `error` is what `check` raises, `locate` finds lines (by
    default in TOML).  The lines of a `secret` document are never quoted.  `hint` goes with every problem that has
    none of its own.
    """

    def __init__(
        self,
        text: str,
        file: str,
        kind: str,
        *,
        package: str = "",
        error: type[PolpkgError] = PolicyError,
        locate: Locator | None = None,
        secret: bool = False,
        hint: str = "",
    ) -> None:
        self.text = text
        self.file = file
        self.kind = kind
        self.package = package
        self.problems: list[Diagnostic] = []
        self.error = error
        self._locate = locate
        self._secret = secret
        self._hint = hint

    def root(self, values: Mapping[str, object]) -> Table:
        """The outermost table."""
        return Table(self, (), values)

    def report(self, path: tuple[str, ...], problem: str, message: str, *, hint: str = "") -> None:
        """Note a problem at the key `path`; its code is the document's kind and `problem`."""
        place = self._place(path)
        origin = Origin(self.package, "", self.file, place.line, place.column)
        quoted = self.line(place.line)
        finding = Diagnostic(f"{self.kind}-{problem}", message, origin, hint or self._hint, quoted, place.column)
        if finding not in self.problems:
            self.problems.append(finding)

    def line(self, number: int) -> str:
        """The line `number`, from 1, as messages quote it: without the password of a URL; nothing for 0."""
        if not number or self._secret:
            return ""
        line = self.text.split("\n")[number - 1].rstrip("\r")
        return _without_passwords(line) if "://" in line and "@" in line else line

    def _place(self, path: tuple[str, ...]) -> TomlPlace:
        from polpkg.packages.toml_places import find_place

        return (self._locate or find_place)(self.text, path)

    def check(self) -> None:
        """Raise one error with all problems, in the order of their lines, if there are any."""
        if self.problems:
            raise self.error.of(sorted(self.problems, key=lambda p: p.origin.line if p.origin else 0))


def _without_passwords(line: str) -> str:
    """`line` with stars for what stands before the `@` in URLs."""
    import re

    return re.sub(r"(?<=://)[^/@\s]+(?=@)", lambda found: "*" * len(found[0]), line)


def read_toml(document: Document) -> Table:
    """The outermost table of a document that is TOML.

    Raises the document's error (`<kind>-syntax`) when it is not.
    """
    import tomli

    try:
        return document.root(tomli.loads(document.text))
    except tomli.TOMLDecodeError as error:
        raise _syntax_error(document, str(error)) from None
    except ValueError:
        raise _syntax_error(document, "A number has more digits than Python reads") from None
    except RecursionError:
        raise _syntax_error(document, "Values are nested too deeply") from None


def _syntax_error(document: Document, message: str) -> PolpkgError:
    import re

    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    lines = document.text.split("\n")
    line = int(found[1]) if found and found[1] else len(lines)
    column = int(found[2]) if found and found[2] else 0
    text = message[: found.start()] if found else message
    origin = Origin(document.package, "", document.file, line, column)
    finding = Diagnostic(
        f"{document.kind}-syntax",
        f"not valid TOML: {text[:1].lower()}{text[1:]}",
        origin,
        "",
        document.line(line),
        column,
    )
    return document.error.of([finding])


_KINDS: dict[type, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "a table",
}


class Table:
    """One table: typed answers for the keys asked for, and `finish` for those that were not."""

    def __init__(self, document: Document, path: tuple[str, ...], values: Mapping[str, object]) -> None:
        self.document = document
        self.path = path
        self.values = values
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def report(self, key: str, problem: str, message: str, *, hint: str = "") -> None:
        """Note a problem at `key` of this table, or at the table itself when `key` is empty."""
        path = (*self.path, key) if key else self.path
        self.document.report(path, problem, message, hint=hint)

    def name_of(self, key: str) -> str:
        """How messages call `key`: its dotted path."""
        return ".".join((*self.path, key))

    def finish(self) -> None:
        """Report the keys that nobody asked for, each with the nearest key there is."""
        for key in self.values:
            if key not in self._asked:
                self.report(
                    key, "unknown-key", f"unknown key `{self.name_of(key)}`", hint=did_you_mean(key, self._asked)
                )

    def value(self, key: str, kind: type[_Kind]) -> _Kind | None:
        """The value of `key` if it is there and of `kind`; a value of another kind is a problem."""
        self._asked.add(key)
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
            return value
        self.report(key, "wrong-type", f"`{self.name_of(key)}` must be {_KINDS[kind]}, and is {_kind_of(value)}")
        return None

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """The string at `key`."""
        if required and self.values.get(key) is None:
            self.report("", "missing-key", f"`{self.name_of(key)}` is missing")
        found = self.value(key, str)
        return default if found is None else found

    def boolean(self, key: str, *, default: bool = False) -> bool:
        """True or false at `key`."""
        found = self.value(key, bool)
        return default if found is None else found

    def integer(self, key: str) -> int | None:
        """The whole number at `key`."""
        return self.value(key, int)

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings at `key`; empty when there is none."""
        found = cast("list[object]", self.value(key, list) or [])
        if all(isinstance(item, str) for item in found):
            return tuple(cast("list[str]", found))
        self.report(key, "wrong-type", f"`{self.name_of(key)}` must be a list of strings")
        return ()

    def table(self, key: str) -> Table:
        """The table at `key`; an empty one when there is none."""
        found = cast("dict[str, object]", self.value(key, dict) or {})
        return Table(self.document, (*self.path, key), found)

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables inside the table at `key`, with their names."""
        outer = self.table(key)
        for name in outer.values:
            yield name, outer.table(name)

    def table_list(self, key: str) -> Iterator[Table]:
        """The tables of the list at `key` (`[[key]]`)."""
        for item in cast("list[object]", self.value(key, list) or []):
            if isinstance(item, dict):
                yield Table(self.document, (*self.path, key), cast("dict[str, object]", item))
            else:
                self.report(key, "wrong-type", f"`{self.name_of(key)}` must be a list of tables")

    def text_map(self, key: str) -> dict[str, str]:
        """The table of strings at `key`."""
        inner = self.table(key)
        return {name: inner.text(name) for name in inner.values}

    def boolean_map(self, key: str) -> dict[str, bool]:
        """The table of true and false at `key`."""
        inner = self.table(key)
        return {name: inner.boolean(name) for name in inner.values}

    def specifiers(self, key: str) -> dict[str, str]:
        """The table of name to version specifier at `key`."""
        inner = self.table(key)
        found = {name: inner.text(name) for name in inner.values}
        for name, specifier in found.items():
            if not is_specifier(specifier):
                inner.report(
                    name,
                    "bad-specifier",
                    f"`{specifier}` is not a version specifier",
                    hint='write versions as in ">=1.2,<2"; "*" means any',
                )
        return found

    def choice(self, key: str, choices: Iterable[str], default: str = "") -> str:
        """The string at `key`, which must be one of `choices`."""
        found = self.text(key, default)
        allowed = tuple(choices)
        if key in self.values and found != default and found not in allowed:
            self.report(
                key,
                "wrong-value",
                f"`{self.name_of(key)}` cannot be `{found}`",
                hint=did_you_mean(found, allowed) or f"one of: {', '.join(allowed)}",
            )
            return default
        return found


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")
