"""One release of a package, as an index describes it: all that resolving needs, without the archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.packages.functions import FUNCTIONS
from polpkg.packages.names import NAME_RULE, is_digest, is_name
from polpkg.packages.requirement import Requirement, canonical_specifier
from polpkg.packages.versions import is_specifier, is_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.manifest import Manifest
    from polpkg.packages.tables import Table


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a package in one index.

    `requires`, `conflicts`: name to specifier.  `options`: option to what it requires.  `clients` is `*` when the
    functions are claimed for every client.  `xen`: the specifier of hypervisor releases.  `sha256` and `size` describe
    the archive and are empty and 0 where it has not been built yet (`Index.sealed` fills them in).  `yanked`: the
    reason, empty when it is not.  `extra`: the other keys of the index entry: `summary`, and those that this version of
    polpkg does not know.
    """

    name: str
    version: str
    index: str
    requires: Mapping[str, str] = field(default_factory=dict[str, str])
    functions: tuple[str, ...] = ()
    clients: str = ""
    conflicts: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, "Mapping[str, str]"])
    xen: str = ""
    sha256: str = ""
    size: int = 0
    yanked: str = ""
    published: str = ""
    extra: Mapping[str, object] = field(default_factory=dict[str, object], compare=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def summary(self) -> str:
        """What the package is, in one line; empty when the index does not tell."""
        text = self.extra.get("summary", "")
        return text if isinstance(text, str) else ""

    def requires_with(self, options: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """What it requires when `options` are on, those among them that it has: name to specifiers, sorted."""
        requires: dict[str, tuple[str, ...]] = {}
        for table in (self.requires, *(self.options.get(option, {}) for option in sorted(set(options)))):
            for name, specifier in table.items():
                requires[name] = tuple(sorted({*requires.get(name, ()), canonical_specifier(specifier)}))
        return dict(sorted(requires.items()))

    def requirements_with(self, options: Iterable[str]) -> tuple[Requirement, ...]:
        """The same as requirements, as a lock has them."""
        requires = self.requires_with(options)
        return tuple(Requirement(name, ",".join(filter(None, texts))) for name, texts in requires.items())


def release_of(manifest: Manifest, index: str, *, sha256: str = "", size: int = 0) -> Release:
    """The release that a manifest describes."""
    return Release(
        name=manifest.name,
        version=manifest.version,
        index=index,
        requires=manifest.requires,
        functions=manifest.functions.provides,
        clients=manifest.functions.clients,
        conflicts=manifest.conflicts,
        options={name: option.requires for name, option in manifest.options.items()},
        xen=manifest.xen,
        sha256=sha256,
        size=size,
        extra={"summary": manifest.summary} if manifest.summary else {},
    )


def specifier_texts(specifiers: Mapping[str, str]) -> str:
    """Names with specifiers in words that are equal when the meaning is: `lib>=1,<2, other`."""
    return ", ".join(f"{name}{canonical_specifier(text)}" for name, text in sorted(specifiers.items()))


def entry_of(release: Release) -> dict[str, object]:
    """The index entry of a release: one JSON object, in a fixed order of keys, unknown ones last."""
    return {
        "name": release.name,
        "version": release.version,
        "requires": dict(sorted(release.requires.items())),
        "functions": sorted(release.functions),
        "clients": release.clients,
        "conflicts": dict(sorted(release.conflicts.items())),
        "options": {name: {"requires": dict(sorted(spec.items()))} for name, spec in sorted(release.options.items())},
        "xen": release.xen,
        "sha256": release.sha256,
        "size": release.size,
        "yanked": release.yanked or False,
        "published": release.published,
        **dict(sorted(release.extra.items())),
    }


_KNOWN = frozenset(entry_of(Release("", "", "")))


def read_entry(entry: Table, index: str, name: str) -> Release:
    """The release that an index entry for package `name` describes; problems go to the entry's document."""
    release = Release(
        name=entry.text("name", required=True),
        version=entry.text("version", required=True),
        index=index,
        requires=entry.specifiers("requires"),
        functions=entry.texts("functions"),
        clients=entry.choice("clients", ("*",)),
        conflicts=entry.specifiers("conflicts"),
        options={option: table.specifiers("requires") for option, table in entry.tables("options")},
        xen=entry.text("xen"),
        sha256=entry.text("sha256", required=True),
        size=entry.integer("size") or 0,
        yanked=_yanked(entry),
        published=entry.text("published"),
        extra={key: value for key, value in entry.values.items() if key not in _KNOWN},
    )
    _check(entry, release, name)
    return release


def _yanked(entry: Table) -> str:
    value = entry.values.get("yanked", False)
    if isinstance(value, bool):
        return "no reason given" if value else ""
    return entry.text("yanked")


def _check(entry: Table, release: Release, name: str) -> None:
    if release.name != name and isinstance(entry.values.get("name"), str):
        entry.report("name", "wrong-value", f"the entry is for `{release.name}`, in the file of `{name}`")
    if isinstance(entry.values.get("version"), str) and not is_version(release.version):
        entry.report("version", "bad-version", f"`{release.version}` is not a version")
    if not is_specifier(release.xen):
        entry.report("xen", "bad-specifier", f"`{release.xen}` is not a version specifier")
    if isinstance(entry.values.get("sha256"), str) and not is_digest(release.sha256):
        entry.report("sha256", "bad-digest", f"`{release.sha256}` is not a SHA-256 in lowercase hexadecimal")
    for required in (*release.requires, *release.conflicts):
        if not is_name(required):
            hint = f"a name is {NAME_RULE}"
            entry.report("requires", "bad-name", f"`{required}` cannot be the name of a package", hint=hint)
    for function in release.functions:
        if function not in FUNCTIONS:
            entry.report("functions", "unknown-function", f"there is no function `{function}`")
