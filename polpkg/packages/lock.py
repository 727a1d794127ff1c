"""The lock file: exactly which archives, by digest, and who owns which function (DESIGN.md 4).

It is made from index data alone, so that one lock serves hosts with different hypervisors, and written canonically: one
table for each package, sorted by name, so that two people's changes merge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError, UsageError
from polpkg.packages.functions import FUNCTIONS
from polpkg.packages.merge_conflict import refuse_conflict
from polpkg.packages.order import requirement_order
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.tables import Document, Table, read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from polpkg.packages.index.release import Release
    from polpkg.packages.resolver.request import Resolution

FORMAT = 1
"""The version of the format that is written, and the newest that is read."""

LOCK_FILE = "policy.lock"
"""The name of the lock file."""

_DOM0 = "dom0"
_HEADING = "# Written by polpkg: change policy.toml and run `polpkg lock` instead of editing this.\n"


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a lock.

    `index` is the name of the index, never a URL.  `requires` includes what the options that are on require.  `clients`
    is `*` when the package claims its functions for every client.  `extra`: keys of a newer polpkg, kept as they are.
    """

    name: str
    version: str
    sha256: str
    index: str
    requires: tuple[Requirement, ...] = ()
    options: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    clients: str = ""
    extra: Mapping[str, object] = field(default_factory=dict[str, object])

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Lockfile:
    """All of a lock: packages by name, and keys of a newer polpkg, kept as they are.

    `overrides`: those of policy.toml that it was made with.  `file` and `text` place what is found wrong with it later.
    """

    packages: tuple[LockedPackage, ...]
    extra: Mapping[str, object] = field(default_factory=dict[str, object])
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    file: str = field(default=LOCK_FILE, compare=False)
    text: str = field(default="", compare=False, repr=False)

    @property
    def versions(self) -> Mapping[str, str]:
        """Name to version."""
        return {package.name: package.version for package in self.packages}

    @property
    def functions(self) -> Mapping[str, str]:
        """Who owns each function for an ordinary client, as far as index data tell: see `function_owners`."""
        return function_owners(self.packages)

    def get(self, name: str) -> LockedPackage | None:
        """The package `name`, None when it is not locked."""
        return next((package for package in self.packages if package.name == name), None)

    def in_order(self) -> tuple[LockedPackage, ...]:
        """The packages, each after those that it requires, ties by name."""
        names = requirement_order({p.name: [r.name for r in p.requires] for p in self.packages})
        by_name = {package.name: package for package in self.packages}
        return tuple(by_name[name] for name in names)


def function_owners(packages: Iterable[LockedPackage]) -> dict[str, str]:
    """Function to the packages that claim it for every client, joined by commas; `dom0` where none does."""
    claims: dict[str, list[str]] = {}
    for package in sorted(packages, key=lambda package: package.name):
        for function in package.functions if package.clients == "*" else ():
            claims.setdefault(function, []).append(package.name)
    return {function: ", ".join(claims.get(function, (_DOM0,))) for function in FUNCTIONS}


def locked_release(release: Release, options: tuple[str, ...] = ()) -> LockedPackage:
    """How a lock has `release`, of which the digest is known, with `options` on."""
    return LockedPackage(
        release.name,
        release.version,
        release.sha256,
        release.index,
        release.requirements_with(options),
        options,
        tuple(sorted(release.functions)),
        release.clients,
    )


def lock_of(
    resolution: Resolution,
    sealed: Callable[[Release], Release],
    *,
    extra: Mapping[str, object] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Lockfile:
    """The lock of a resolution; `sealed` completes a release with the digest of its archive, as `Catalog.sealed` does.

    `extra` are the unknown keys of the lock that this one replaces, `overrides` those that the resolution was made
    with: the lock names the ones that are about its packages.
    """
    packages = [locked_release(sealed(package.release), package.options) for package in resolution.packages]
    in_use = {name: text for name, text in (overrides or {}).items() if any(p.name == name for p in packages)}
    return Lockfile(tuple(sorted(packages, key=lambda package: package.name)), extra or {}, in_use)


def render_lock(lock: Lockfile) -> str:
    """The text of a lock; the same lock always gives the same text."""
    from polpkg.packages.toml_writer import toml_lines

    lines = [_HEADING, f"format = {FORMAT}", *toml_lines(dict(sorted(lock.extra.items()))), ""]
    lines += ["[functions]", *toml_lines(lock.functions)]
    if lock.overrides:
        lines += ["", "[overrides]", *toml_lines(dict(sorted(lock.overrides.items())))]
    for package in lock.packages:
        lines += ["", "[[package]]", *toml_lines(_package_values(package))]
    return "\n".join(lines) + "\n"


def _package_values(package: LockedPackage) -> dict[str, object]:
    values: dict[str, object] = {
        "name": package.name,
        "version": package.version,
        "index": package.index,
        "sha256": package.sha256,
        "requires": [str(requirement) for requirement in package.requires],
        "options": list(package.options),
        "functions": list(package.functions),
        "clients": package.clients,
    }
    present = {key: value for key, value in values.items() if value}
    return present | dict(sorted(package.extra.items()))


_KNOWN_TABLES = frozenset(("format", "functions", "overrides", "package"))
_KNOWN = frozenset(("name", "version", "index", "sha256", "requires", "options", "functions", "clients"))


def read_lock(text: str, file: str = LOCK_FILE) -> Lockfile:
    """The lock that `text` is.

    Raises `PolicyError` (`lock-...`) when it is damaged, or of a newer format.
    """
    document = Document(text, file, "lock")
    refuse_conflict(document, "settle policy.toml, remove this file and run `polpkg lock`")
    root = read_toml(document)
    _check_format(root)
    packages = tuple(sorted((_read_package(table) for table in root.table_list("package")), key=lambda p: p.name))
    for one, other in pairwise(packages):
        if one.name == other.name:
            root.report("package", "duplicate", f"`{one.name}` is locked twice")
    overrides = root.specifiers("overrides")
    document.check()
    extra = {key: value for key, value in root.values.items() if key not in _KNOWN_TABLES}
    return Lockfile(packages, extra, overrides, file, text)


def _check_format(root: Table) -> None:
    found = root.integer("format")
    if found is None:
        root.report("format", "missing-key", "`format` is missing")
    elif found > FORMAT:
        origin = root.document
        raise PolicyError(
            "lock-format",
            f"{origin.file} has format {found}, and this polpkg reads up to {FORMAT}",
            hint="use the polpkg that wrote it, or a newer one",
        )


def _read_package(table: Table) -> LockedPackage:
    package = LockedPackage(
        table.text("name", required=True),
        table.text("version", required=True),
        table.text("sha256", required=True),
        table.text("index", required=True),
        tuple(_read_requirements(table)),
        table.texts("options"),
        table.texts("functions"),
        table.choice("clients", ("*",)),
        {key: value for key, value in table.values.items() if key not in _KNOWN},
    )
    if len(package.sha256) != 64 or package.sha256.strip("0123456789abcdef"):
        table.report("sha256", "bad-digest", f"the digest of `{package.name}` is not a SHA-256 in hexadecimal")
    return package


def _read_requirements(table: Table) -> Iterator[Requirement]:
    for text in table.texts("requires"):
        try:
            yield parse_requirement(text)
        except UsageError as error:
            table.report("requires", "bad-requirement", error.message)
