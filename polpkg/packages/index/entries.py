"""Reads `index/<name>.jsonl`: the releases of a package, one JSON object a line.

A resolution reads tens of thousands of entries, so there are two ways to read a file.  The plain one checks every entry
as strictly as the other and is several times faster, but cannot say what is wrong: at the first doubt it gives up, and
the careful one reads the file again and names every problem with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from polpkg.errors import TrustError
from polpkg.packages.functions import FUNCTIONS
from polpkg.packages.index.release import Release, read_entry
from polpkg.packages.names import is_name
from polpkg.packages.tables import Document
from polpkg.packages.toml_places import TomlPlace
from polpkg.packages.versions import is_specifier, is_version

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: dict[str, Any] = {}
_NONE: list[str] = []
_HEXADECIMAL = "0123456789abcdef"
_HINT = "the index has to be mended by whoever runs it; `polpkg index build` makes one of archives"


class EntryReader:
    """Reads the entries of one index, and remembers which texts are known to be good."""

    def __init__(self, index: str) -> None:
        self._index = index
        self._versions: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._specifiers: dict[str, str] = {"": "", "*": "*"}

    def read(self, package: str, raw: bytes, file: str) -> tuple[Release, ...]:
        """The releases in `raw`, the content of the file of `package`; `file` names it in messages.

        Raises `TrustError` with every problem (`index-...`).
        """
        found = self._read_plainly(package, raw)
        return self._read_carefully(package, raw, file) if found is None else found

    def _read_plainly(self, package: str, raw: bytes) -> tuple[Release, ...] | None:
        from json import JSONDecoder

        decode = JSONDecoder().raw_decode
        releases: dict[str, Release] = {}
        start = 0
        try:
            text = raw.decode()
            while start < len(text):
                entry, end = decode(text, start)
                release = self._plain_release(package, entry)
                if release is None or release.version in releases or text[end : end + 1] not in ("\n", ""):
                    return None
                releases[release.version] = release
                start = end + 1
        except (ValueError, RecursionError, AttributeError, TypeError):
            return None
        return tuple(releases.values())

    def _plain_release(self, package: str, entry: dict[str, Any]) -> Release | None:
        """The release of an entry in which nothing is unusual; whatever is not as it must be raises or is None."""
        take = entry.pop
        name, version = take("name", ""), take("version", "")
        requires, functions, clients = take("requires", _NOTHING), take("functions", _NONE), take("clients", "")
        conflicts, options, xen = take("conflicts", _NOTHING), take("options", _NOTHING), take("xen", "")
        sha256, size = take("sha256", ""), take("size", 0)
        yanked, published = take("yanked", None), take("published", "")
        provided: tuple[str, ...] = tuple(functions)
        if (
            name != package
            or len(sha256) != 64
            or sha256.strip(_HEXADECIMAL)
            or not (type(requires) is type(conflicts) is type(options) is dict)
            or type(functions) is not list
            or type(size) is not int
            or size < 0
            or (type(yanked) is not str and yanked is not False and yanked is not None)
            or type(published) is not str
            or clients not in ("", "*")
            or (provided and not FUNCTIONS.keys() >= set(provided))
        ):
            return None
        return Release(
            package,
            self._versions.get(version) or self._version(version),
            self._index,
            self._specifier_map(requires) if requires else _NOTHING,
            provided,
            clients,
            self._specifier_map(conflicts) if conflicts else _NOTHING,
            self._options(options) if options else _NOTHING,
            self._specifiers[xen] if xen in self._specifiers else self._specifier(xen),
            sha256,
            size,
            yanked or "",
            published,
            entry or _NOTHING,
        )

    def _specifier_map(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        names, specifiers = self._names, self._specifiers
        return {
            names.get(name) or self._name(name): specifiers.get(value) or self._specifier(value)
            for name, value in values.items()
        }

    def _options(self, values: Mapping[str, Any]) -> Mapping[str, Mapping[str, str]]:
        return {name: self._specifier_map(table.get("requires", _NOTHING)) for name, table in values.items()}

    def _version(self, text: str) -> str:
        if not is_version(text):
            raise ValueError(text)
        return self._versions.setdefault(text, text)

    def _name(self, text: str) -> str:
        if not is_name(text):
            raise ValueError(text)
        return self._names.setdefault(text, text)

    def _specifier(self, text: str) -> str:
        if text not in self._specifiers and not is_specifier(text):
            raise ValueError(text)
        return self._specifiers.setdefault(text, text)

    def _read_carefully(self, package: str, raw: bytes, file: str) -> tuple[Release, ...]:
        releases: dict[str, Release] = {}
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if not line.strip():
                continue
            document = json_document(line, file, number)
            release = read_entry(document.root(json_object(document)), self._index, package)
            if release.version in releases:
                document.report((), "duplicate", f"{file} lists {release} twice")
            document.check()
            releases[release.version] = release
        return tuple(releases.values())


def json_document(raw: bytes, file: str, line: int = 1) -> Document:
    """A document for one line of JSON.  Raises `TrustError` (`index-not-utf-8`) when it is no text."""

    def locate(text: str, keys: tuple[str, ...]) -> TomlPlace:  # noqa: ARG001 - every key is on the one line
        return TomlPlace(line)

    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        document = Document("\n" * (line - 1), file, "index", error=TrustError, locate=locate, hint=_HINT)
        document.report((), "not-utf-8", f"{file} is not UTF-8 at byte {error.start} of line {line}")
        document.check()
        raise
    return Document("\n" * (line - 1) + text, file, "index", error=TrustError, locate=locate, hint=_HINT)


def json_value(document: Document) -> object:
    """The value that a document is.  Raises `TrustError` (`index-syntax`) when it is not JSON."""
    import json

    try:
        return json.loads(document.text)
    except (ValueError, RecursionError):
        document.report((), "syntax", f"{document.file} is not JSON")
        document.check()
        raise


def json_object(document: Document) -> dict[str, object]:
    """The JSON object that a document is.  Raises `TrustError` (`index-syntax`) when it is something else."""
    value = json_value(document)
    if not isinstance(value, dict):
        document.report((), "syntax", f"{document.file} is not a JSON object")
        document.check()
    return cast("dict[str, object]", value)
