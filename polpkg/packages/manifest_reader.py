"""Reads `polpkg.toml` into a `Manifest`, reporting everything that is wrong with it at once, each at its line."""

from __future__ import annotations

import re
from itertools import filterfalse
from typing import TYPE_CHECKING

from polpkg.packages.functions import FUNCTIONS, NOBODY
from polpkg.packages.manifest import (
    Functions,
    InstanceTemplate,
    Manifest,
    Option,
    Parameter,
    ParameterType,
    ParameterValue,
)
from polpkg.packages.names import NAME_RULE, did_you_mean, is_identifier, is_name, is_policy_word
from polpkg.packages.settings import fits_as_item
from polpkg.packages.tables import Document, Table, read_toml
from polpkg.packages.versions import is_specifier, is_version

if TYPE_CHECKING:
    from collections.abc import Mapping

MANIFEST_FILE = "polpkg.toml"
"""The name of the manifest inside a package."""

_PREFIX_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*\*?|\*")


def read_manifest(text: str, file: str = MANIFEST_FILE) -> Manifest:
    """The manifest that `text` is; `file` names it in messages.

    Raises `PolicyError` with every problem found (`manifest-...`).
    """
    document = Document(text, file, "manifest")
    root = read_toml(document)
    manifest = _manifest(root)
    root.finish()
    document.check()
    return manifest


def _manifest(root: Table) -> Manifest:
    package = root.table("package")
    name = _package_name(package)
    xen = root.table("xen")
    fragments = root.table("fragments")
    manifest = Manifest(
        name=name,
        version=_version(package),
        summary=package.text("summary"),
        license=package.text("license"),
        role=_optional_name(package, "role"),
        owns=_owned_prefixes(package),
        requires=_requirements(root, "requires", name),
        xen=_xen_specifier(xen),
        own_abi=xen.choice("abi", ("own",)) == "own",
        functions=_functions(root.table("functions")),
        conflicts=_requirements(root, "conflicts", name),
        options={key: _option(key, table, name) for key, table in root.tables("options")},
        instance=_instance(root.table("instance")) if "instance" in root else None,
        assertions=root.text_map("assertions"),
        macros=_macros(root),
        fragment_order=_file_names(fragments, "order"),
        dialect=fragments.choice("dialect", ("refpolicy",)),
    )
    for table in (package, xen, fragments):
        table.finish()
    return manifest


def _package_name(package: Table) -> str:
    name = package.text("name", required=True)
    if name and not is_name(name):
        package.report("name", "bad-name", f"`{name}` cannot be the name of a package", hint=f"a name is {NAME_RULE}")
    elif is_policy_word(name):
        package.report("name", "reserved-name", f"`{name}` is a word of the policy language")
    return name


def _version(package: Table) -> str:
    version = package.text("version", required=True)
    if version and not is_version(version):
        package.report("version", "bad-version", f"`{version}` is not a version", hint="write versions as in 1.0.2")
    return version


def _optional_name(table: Table, key: str) -> str:
    name = table.text(key)
    if name and not is_name(name):
        table.report(key, "bad-name", f"`{name}` cannot be a {key}", hint=f"a name is {NAME_RULE}")
    return name


def _owned_prefixes(package: Table) -> tuple[str, ...]:
    prefixes = package.texts("owns")
    for prefix in prefixes:
        if not _PREFIX_PATTERN.fullmatch(prefix):
            package.report(
                "owns",
                "bad-prefix",
                f"`{prefix}` is not an identifier or an identifier prefix",
                hint='write "vmv_*" for all that begin with vmv_',
            )
    return prefixes


def _requirements(table: Table, key: str, package: str) -> dict[str, str]:
    found = table.specifiers(key)
    inner = table.table(key)
    for name in found:
        if not is_name(name):
            inner.report(name, "bad-name", f"`{name}` cannot be the name of a package", hint=f"a name is {NAME_RULE}")
        elif name == package:
            inner.report(
                name, "requires-itself", f"`{package}` names itself in [{inner.name_of(name)[: -len(name) - 1]}]"
            )
    return found


def _xen_specifier(xen: Table) -> str:
    specifier = xen.text("versions")
    if not is_specifier(specifier):
        xen.report(
            "versions",
            "bad-specifier",
            f"`{specifier}` is not a version specifier",
            hint='write versions as in ">=4.14"',
        )
    return specifier


def _functions(table: Table) -> Functions:
    provides = table.texts("provides")
    for name in provides:
        if name not in FUNCTIONS:
            table.report(
                "provides",
                "unknown-function",
                f"there is no function `{name}`",
                hint=did_you_mean(name, FUNCTIONS) or f"functions are: {', '.join(FUNCTIONS)}",
            )
    clients = table.choice("clients", ("*",))
    functions = Functions(provides, clients, _identifiers(table, "guests"), table.choice("owner", (NOBODY,)) == "")
    table.finish()
    return functions


def _identifiers(table: Table, key: str) -> tuple[str, ...]:
    names = table.texts(key)
    for name in names:
        if not is_identifier(name):
            table.report(key, "bad-identifier", f"`{name}` is not an identifier")
    return names


def _option(name: str, table: Table, package: str) -> Option:
    if not is_name(name):
        table.report("", "bad-name", f"`{name}` cannot be the name of an option", hint=f"a name is {NAME_RULE}")
    booleans = table.boolean_map("booleans")
    for boolean in filterfalse(is_identifier, booleans):
        table.table("booleans").report(boolean, "bad-identifier", f"`{boolean}` is not an identifier")
    requires, fragments = _requirements(table, "requires", package), _file_names(table, "fragments")
    option = Option(name, requires, fragments, booleans, table.text("help"))
    table.finish()
    return option


def _file_names(table: Table, key: str) -> tuple[str, ...]:
    paths = table.texts(key)
    for path in paths:
        parts = path.split("/")
        if parts[0] != "policy" or len(parts) < 2 or not all(part.strip(".") for part in parts):
            table.report(key, "bad-path", f"`{path}` is not a file under policy/", hint='write "policy/name.te"')
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        table.report(key, "duplicate", f"`{path}` is listed twice")
    return paths


def _macros(root: Table) -> dict[str, str]:
    macros = root.text_map("macros")
    for name in macros:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
            root.table("macros").report(name, "bad-identifier", f"`{name}` cannot be the name of a macro")
    return macros


def _instance(table: Table) -> InstanceTemplate:
    template = table.text("template", required=True)
    _check_macro_name(table, "template", template)
    parameters = {name: _parameter(name, inner) for name, inner in table.tables("parameters")}
    table.finish()
    return InstanceTemplate(template, parameters)


def _check_macro_name(table: Table, key: str, name: str) -> None:
    if name and not is_identifier(name):
        table.report(key, "bad-identifier", f"`{name}` cannot be the name of a macro")


def _parameter(name: str, table: Table) -> Parameter:
    if not is_name(name):
        table.report("", "bad-name", f"`{name}` cannot be the name of a parameter", hint=f"a name is {NAME_RULE}")
    kinds = {kind.value: kind for kind in ParameterType}
    if "type" not in table:
        table.report("", "missing-key", f"`{table.name_of('type')}` is missing")
    kind = kinds.get(table.choice("type", kinds))
    if kind is None:
        return Parameter(name, ParameterType.STRING, "")
    each = table.text("each")
    _check_macro_name(table, "each", each)
    if each and not kind.is_several:
        table.report(
            "each", "wrong-value", f"`each` needs a table, list or types, and `{name}` is of type {kind.value}"
        )
    default = _default(table, kind)
    parameter = Parameter(name, kind, default, each, table.text("help"), _choices(table, kind, default))
    table.finish()
    return parameter


def _choices(table: Table, kind: ParameterType, default: ParameterValue) -> tuple[str, ...]:
    """What the parameter may be; its default must be among them."""
    choices = table.texts("choices")
    if choices and kind not in (ParameterType.STRING, ParameterType.LIST):
        table.report("choices", "wrong-value", f"`choices` are for strings and lists, not for type {kind.value}")
    values = default if isinstance(default, tuple) else (str(default),)
    for value in values if choices else ():
        if value not in choices:
            table.report("default", "wrong-value", f"the default `{value}` is not among the choices")
    return choices


def _default(table: Table, kind: ParameterType) -> ParameterValue:
    if kind.is_several:
        return _default_items(table, kind)
    if kind is ParameterType.BOOLEAN:
        return table.boolean("default")
    if kind is ParameterType.INTEGER:
        return table.integer("default") or 0
    return table.text("default")


def _default_items(table: Table, kind: ParameterType) -> tuple[str, ...]:
    items = table.texts("default")
    for item in items:
        if not fits_as_item(kind, item):
            table.report(
                "default",
                "bad-name",
                f"`{item}` cannot stand in a default of type {kind.value}",
                hint=f"a name is {NAME_RULE}" if kind in (ParameterType.TABLE, ParameterType.LIST) else "",
            )
    if len(set(items)) < len(items):
        table.report("default", "duplicate", f"`{table.name_of('default')}` names an item twice")
    return items


def missing_fragments(manifest: Manifest, files: Mapping[str, object]) -> tuple[str, ...]:
    """Files that the manifest names as fragments and that are not among the package's `files`, in order."""
    named = (*manifest.fragment_order, *(path for option in manifest.options.values() for path in option.fragments))
    return tuple(path for path in dict.fromkeys(named) if path not in files)
