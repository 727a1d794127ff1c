"""policy.toml: what a target is to have (DESIGN.md 4).

[packages]                             what to install: name to specifier, or to a path
vmv = ">=1,<2"
[options]
vmv = ["audit"]
[instances.vmv.tenant-a.guests.web]    package, instance, parameter, item
[booleans]                             values of booleans of the policy, instead of their packages' defaults
guest_writeconsole = false
[target]                               facts: xen, hypervisor, backend, boot, base, policydb-version, mls, permissive,
                                       keep
[indexes.site]                         url, trust, ca-file
[index-map]                            which index a name belongs to
[overrides]                            name to the specifier that counts instead of all that packages ask for
[expect.<ABI fingerprint>]             sha256 of the compiled policy
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.merge_conflict import refuse_conflict
from polpkg.packages.names import NAME_RULE, is_digest, is_name
from polpkg.packages.requirement import Requirement, canonical_specifier, is_path_text
from polpkg.packages.tables import Document, Table, read_toml
from polpkg.packages.versions import is_specifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.manifest import ParameterValue

_DIGEST_RULE = "write all 64 hexadecimal digits, in lower case"

PROJECT_FILE = "policy.toml"
"""The name of the file."""

DEFAULT_BASE = ("dom0",)
"""What every target has, unless policy.toml says otherwise."""


class TargetFacts(NamedTuple):
    """What policy.toml says about the target; empty, None or the default where it says nothing.

    `xen` is a release and `hypervisor` a file.  `base` are the packages that are always there.  `permissive` are types
    whose denials are logged and allowed, for a learning run.  `keep`: how many generations stay.
    """

    xen: str = ""
    hypervisor: str = ""
    backend: str = ""
    boot: str = ""
    base: tuple[str, ...] = DEFAULT_BASE
    policydb_version: int | None = None
    mls: bool = False
    permissive: tuple[str, ...] = ()
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class IndexSetting:
    """One index: where it is, whether it is trusted without a pinned root (`none`), and whose certificates count.

    `ca_file` is as it is written; a relative path is relative to the folder of policy.toml.
    """

    location: str
    trust: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """All of a policy.toml.

    `instances`: package to instance to the parameters that are set.  `booleans`: their values.  `file` and `text` place
    what is found wrong later.
    """

    packages: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    instances: Mapping[str, Mapping[str, Mapping[str, ParameterValue]]] = field(
        default_factory=dict[str, "Mapping[str, Mapping[str, ParameterValue]]"]
    )
    booleans: Mapping[str, bool] = field(default_factory=dict[str, bool])
    target: TargetFacts = field(default_factory=TargetFacts)
    indexes: Mapping[str, IndexSetting] = field(default_factory=dict[str, IndexSetting])
    index_map: Mapping[str, str] = field(default_factory=dict[str, str])
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    expect: Mapping[str, str] = field(default_factory=dict[str, str])
    file: str = field(default=PROJECT_FILE, compare=False)
    text: str = field(default="", compare=False, repr=False)

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What the packages and the base ask for, sorted."""
        asked = [_requirement(name, text) for name, text in self.packages.items()]
        base = (Requirement(name) for name in self.target.base if name not in self.packages)
        return tuple(sorted((*asked, *base)))


def _requirement(name: str, text: str) -> Requirement:
    return Requirement(name, "", text) if is_path_text(text) else Requirement(name, canonical_specifier(text))


def read_project(text: str, file: str = PROJECT_FILE) -> Project:
    """The project that `text` is.

    Raises `PolicyError` with every problem found (`project-...`).
    """
    document = Document(text, file, "project")
    refuse_conflict(document, "settle it by hand: remove one side, or both, and the markers")
    root = read_toml(document)
    project = Project(
        packages=_packages(root.table("packages")),
        options=read_options(root),
        instances=read_instances(root),
        booleans=root.boolean_map("booleans"),
        target=_target(root.table("target")),
        indexes={name: _index(table) for name, table in root.tables("indexes")},
        index_map=root.text_map("index-map"),
        overrides=_overrides(root.table("overrides")),
        expect={fingerprint: _expected(table, fingerprint) for fingerprint, table in root.tables("expect")},
        file=file,
        text=text,
    )
    root.finish()
    document.check()
    return project


def read_options(root: Table) -> dict[str, tuple[str, ...]]:
    """The options that `[options]` of a document turns on, by package."""
    options = root.table("options")
    return {name: _names(options, name, options.texts(name), "an option") for name in options.values}


def read_instances(root: Table) -> dict[str, dict[str, dict[str, ParameterValue]]]:
    """The instances in `[instances]` of a document: package to instance to the parameters that are set."""
    return {name: _instances(table) for name, table in root.tables("instances")}


def _packages(table: Table) -> dict[str, str]:
    packages = {name: table.text(name) for name in table.values}
    for name, text in packages.items():
        if not is_path_text(text) and not is_specifier(text):
            table.report(
                name,
                "bad-specifier",
                f"`{text}` is not a version specifier",
                hint='write versions as in ">=1.2,<2", a path as in "./vmv"; "*" means any',
            )
        _check_name(table, name, name, "a package")
    return packages


def _check_name(table: Table, key: str, name: str, what: str) -> None:
    if not is_name(name):
        table.report(key, "bad-name", f"`{name}` cannot be the name of {what}", hint=f"a name is {NAME_RULE}")


def _overrides(table: Table) -> dict[str, str]:
    found = {name: table.text(name) for name in table.values}
    for name, specifier in found.items():
        _check_name(table, name, name, "a package")
        if not is_specifier(specifier):
            hint = 'write versions as in ">=1.2,<2"; "*" lets any version through'
            table.report(name, "bad-specifier", f"`{specifier}` is not a version specifier", hint=hint)
    return {name: canonical_specifier(text) or "*" for name, text in found.items() if is_specifier(text)}


def _names(table: Table, key: str, names: Iterable[str], what: str) -> tuple[str, ...]:
    found = tuple(sorted(set(names)))
    for name in found:
        _check_name(table, key, name, what)
    return found


def _instances(package: Table) -> dict[str, dict[str, ParameterValue]]:
    instances: dict[str, dict[str, ParameterValue]] = {}
    for name in package.values:
        _check_name(package, name, name, "an instance")
        table = package.table(name)
        instances[name] = {key: _parameter_value(table, key) for key in table.values}
    return instances


def _parameter_value(table: Table, key: str) -> ParameterValue:
    """A value as it is written: the items of a table and of a list alike become a tuple of names."""
    value = table.values[key]
    if isinstance(value, dict):
        items = dict(table.tables(key))
        for item in items.values():
            item.finish()
        return tuple(sorted(items))
    if isinstance(value, list):
        return table.texts(key)
    if isinstance(value, (bool, int)):
        return value
    return table.text(key)


def _target(table: Table) -> TargetFacts:
    facts = TargetFacts(
        xen=table.text("xen"),
        hypervisor=table.text("hypervisor"),
        backend=table.text("backend"),
        boot=table.text("boot"),
        base=table.texts("base") if "base" in table else DEFAULT_BASE,
        policydb_version=table.integer("policydb-version"),
        mls=table.boolean("mls"),
        permissive=tuple(sorted(set(table.texts("permissive")))),
        keep=table.integer("keep"),
    )
    if facts.keep is not None and facts.keep < 1:
        table.report("keep", "bad-value", f"`{table.name_of('keep')}` is the number of generations to keep: at least 1")
    table.finish()
    return facts


def _index(table: Table) -> IndexSetting:
    setting = IndexSetting(table.text("url", required=True), table.choice("trust", ("none",)), table.text("ca-file"))
    table.finish()
    if "://" in setting.location:
        _check_url(table, setting.location)
    return setting


def _check_url(table: Table, url: str) -> None:
    from polpkg.packages.transport.urls import is_http, what_is_wrong

    if is_http(url) and (wrong := what_is_wrong(url)):
        hint = "policy.toml is shared: credentials go into the keyring or the environment"
        table.report("url", "bad-url", f"`{table.name_of('url')}` {wrong}", hint=hint)


def _expected(table: Table, fingerprint: str) -> str:
    """A demand with a slip in it would be met by every policy, so nothing but two whole digests will do."""
    sha256 = table.text("sha256", required=True)
    if sha256 and not is_digest(sha256):
        table.report("sha256", "bad-digest", f"`{sha256}` is not the sha256 of a policy", hint=_DIGEST_RULE)
    if not is_digest(fingerprint):
        hint = f"{_DIGEST_RULE}; `polpkg probe` and `polpkg status --json` show it"
        table.report("sha256", "bad-fingerprint", f"`{fingerprint}` is not the fingerprint of an ABI", hint=hint)
    table.finish()
    return sha256
