"""Requirements: what a person or a package asks for.

A requirement is a name with a specifier (`vmv`, `vmv>=1.2,<2`) or a path to an archive or a package directory (`./vmv`,
`/srv/vmv-1.0.polpkg`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from polpkg.errors import UsageError
from polpkg.packages.names import NAME_RULE, is_name
from polpkg.packages.versions import is_any, is_specifier, satisfies

_PARTS = re.compile(r"\s*([^\s<>=!~,;@\[\]()*]+)\s*(.*?)\s*", re.DOTALL)

ARCHIVE_SUFFIX = ".polpkg"
"""How the file name of an archive ends."""


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """A name with a specifier, or a path.

    `specifier` is empty for any version.  `path` is set for a path requirement; its `name` is then empty until the
    package has been read: see `named`.
    """

    name: str
    specifier: str = ""
    path: str = ""

    def __str__(self) -> str:
        return self.path or f"{self.name}{self.specifier}"

    @property
    def is_path(self) -> bool:
        """Whether this is a path to an archive or a package directory."""
        return bool(self.path)

    def accepts(self, version: str) -> bool:
        """Whether `version` satisfies the specifier; a path takes the version that it finds."""
        return satisfies(version, self.specifier)

    def named(self, name: str) -> Requirement:
        """The same path requirement, now that the package at the path is known to be `name`."""
        return Requirement(name, self.specifier, self.path)


def is_path_text(text: str) -> bool:
    """Whether a requirement's text is a path: it begins with `./`, `../` or `/`, or ends in `.polpkg`."""
    return text.startswith(("./", "../", "/")) or text in (".", "..") or text.endswith(ARCHIVE_SUFFIX)


def parse_requirement(text: str) -> Requirement:
    """The requirement that `text` is.

    Raises `UsageError` (`malformed-requirement`) for anything else.
    """
    if is_path_text(text):
        return Requirement("", "", text)
    match = _PARTS.fullmatch(text)
    if match is None or not is_name(match[1]):
        raise UsageError(
            "malformed-requirement",
            f"`{text}` does not begin with a package name",
            hint=f"a name is {NAME_RULE}; a path begins with `./`, `../` or `/`",
        )
    name, specifier = match[1], match[2]
    if not is_specifier(specifier):
        raise UsageError(
            "malformed-requirement",
            f"`{specifier}` in `{text}` is not a version specifier",
            hint="write versions as in `vmv>=1.2,<2` or `vmv==1.2`",
        )
    return Requirement(name, canonical_specifier(specifier))


def canonical_specifier(specifier: str) -> str:
    """A valid specifier without blanks; empty for any version."""
    return "" if is_any(specifier) else "".join(specifier.split())
