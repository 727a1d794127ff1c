"""Changes to policy.toml: a new file is written canonically, an existing one keeps its comments and layout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from polpkg.packages.project import DEFAULT_BASE, IndexSetting, Project, TargetFacts, read_project
from polpkg.packages.toml_writer import toml_key, toml_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.packages.manifest import ParameterValue


Fact: TypeAlias = str | bool | int | tuple[str, ...]
"""What a fact of [target] may be."""


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """What `install`, `remove` and their options change.

    `install`: package to specifier or path; an empty text keeps what a package already has.  `remove`: packages, with
    their options and instances.  `options`: package to options to turn on.  `instances`: package to instance to the
    parameters to set.  `remove_instances`: (package, instance).  `booleans`: their values, None for the default again.
    `target`: facts to record, by their key in the file.
    `indexes`: those to add or replace, by name; `remove_indexes`: names, with what [index-map] says of them.
    """

    install: Mapping[str, str] = field(default_factory=dict[str, str])
    remove: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    instances: Mapping[str, Mapping[str, Mapping[str, ParameterValue]]] = field(
        default_factory=dict[str, "Mapping[str, Mapping[str, ParameterValue]]"]
    )
    remove_instances: tuple[tuple[str, str], ...] = ()
    booleans: Mapping[str, bool | None] = field(default_factory=dict[str, "bool | None"])
    target: Mapping[str, Fact] = field(default_factory=dict[str, "Fact"])
    indexes: Mapping[str, IndexSetting] = field(default_factory=dict[str, IndexSetting])
    remove_indexes: tuple[str, ...] = ()


def apply_change(project: Project, change: ProjectChange) -> Project:
    """`project` after `change`.

    A package that had its default instance, by saying nothing, keeps it when it gets another one.
    """
    packages = {name: text for name, text in project.packages.items() if name not in change.remove}
    options = {name: on for name, on in project.options.items() if name not in change.remove}
    instances = {
        package: {name: dict(parameters) for name, parameters in these.items()}
        for package, these in project.instances.items()
        if package not in change.remove
    }
    for package, these in change.instances.items():
        if package in packages and package not in instances:
            instances[package] = {package: {}}
        target = instances.setdefault(package, {})
        for name, parameters in these.items():
            target[name] = target.get(name, {}) | dict(parameters)
    for package, name in change.remove_instances:
        instances.get(package, {}).pop(name, None)
    for name, text in change.install.items():
        packages[name] = text or packages.get(name, "*")
    for name, on in change.options.items():
        options[name] = tuple(sorted({*options.get(name, ()), *on}))
    booleans = {name: value for name, value in project.booleans.items() if name not in change.booleans}
    booleans |= {name: value for name, value in change.booleans.items() if value is not None}
    facts = {key.replace("-", "_"): value for key, value in change.target.items()}
    return replace(
        project,
        packages=packages,
        options=options,
        instances={package: these for package, these in instances.items() if these},
        booleans=booleans,
        target=project.target._replace(**facts),
        indexes={name: i for name, i in project.indexes.items() if name not in change.remove_indexes}
        | dict(change.indexes),
        index_map={name: i for name, i in project.index_map.items() if i not in change.remove_indexes},
    )


def edit_project(text: str, change: ProjectChange, file: str = "policy.toml") -> str:
    """`text`, a policy.toml or nothing, after `change`.

    Raises `PolicyError` when `text` is not a policy.toml.
    """
    before = read_project(text, file)
    after = apply_change(before, change)
    if text.strip() and after == before:
        return text
    return _edited(text, before, after) if text.strip() else render_project(after)


def render_project(project: Project) -> str:
    """A canonical policy.toml; the same project always gives the same text."""
    sections = [_section(("packages",), dict(sorted(project.packages.items())))]
    sections += [_section((name,), table) for name, table in _simple_tables(project).items() if table]
    for package, instances in sorted(project.instances.items()):
        for name, parameters in sorted(instances.items()):
            sections.append(_section(("instances", package, name), parameters))
    sections += [_section(("indexes", name), values) for name, values in sorted(_index_values(project).items())]
    sections += [_section(("expect", abi), {"sha256": digest}) for abi, digest in sorted(project.expect.items())]
    return "\n".join(sections)


def _simple_tables(project: Project) -> dict[str, dict[str, object]]:
    return {
        "options": dict(sorted(project.options.items())),
        "booleans": dict(sorted(project.booleans.items())),
        "target": target_values(project.target),
        "index-map": dict(sorted(project.index_map.items())),
        "overrides": dict(sorted(project.overrides.items())),
    }


def _index_values(project: Project) -> dict[str, dict[str, str]]:
    values = {
        name: {"url": index.location, "trust": index.trust, "ca-file": index.ca_file}
        for name, index in project.indexes.items()
    }
    return {name: {key: text for key, text in keys.items() if text} for name, keys in values.items()}


def target_values(facts: TargetFacts) -> dict[str, object]:
    """The target facts that are not the default, by their key in the file."""
    values: dict[str, object] = {
        "xen": facts.xen,
        "hypervisor": facts.hypervisor,
        "backend": facts.backend,
        "boot": facts.boot,
        "policydb-version": facts.policydb_version,
        "mls": facts.mls,
        "permissive": facts.permissive,
        "keep": facts.keep,
    }
    set_values = {key: value for key, value in values.items() if value not in ("", None, False, ())}
    return set_values if facts.base == DEFAULT_BASE else set_values | {"base": facts.base}


def _section(path: tuple[str, ...], values: Mapping[str, object]) -> str:
    return "\n".join((f"[{toml_key(*path)}]", *toml_lines(values))) + "\n"


def _edited(text: str, before: Project, after: Project) -> str:
    """`text` with what differs between `before` and `after` changed in place."""
    import tomlkit

    document: Any = tomlkit.parse(text)
    _merge(document, "packages", dict(before.packages), dict(after.packages))
    _merge(document, "options", _lists(before.options), _lists(after.options))
    _merge(document, "booleans", dict(before.booleans), dict(after.booleans))
    if before.booleans and not after.booleans:
        del document["booleans"]
    _merge(document, "target", target_values(before.target), target_values(after.target))
    _merge(document, "instances", _plain(before), _plain(after))
    _merge(document, "indexes", dict(_index_values(before)), dict(_index_values(after)))
    _merge(document, "index-map", dict(before.index_map), dict(after.index_map))
    return tomlkit.dumps(document).rstrip("\n") + "\n"


def _lists(table: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    return {key: list(value) for key, value in table.items()}


def _plain(project: Project) -> dict[str, object]:
    return {
        package: {name: dict(values) for name, values in these.items()} for package, these in project.instances.items()
    }


def _merge(parent: Any, key: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    """Bring the table `key` of `parent` from `before` to `after`, leaving alone what is equal in both."""
    import tomlkit

    if before == after:
        return
    if key not in parent:
        parent[key] = tomlkit.table(is_super_table=_has_only_tables(after))
    table = parent[key]
    for name in before:
        if name not in after:
            del table[name]
    for name, value in after.items():
        if isinstance(value, dict):
            _merge_inner(table, name, before.get(name), cast("dict[str, object]", value))
        elif name not in before or value != before[name]:
            table[name] = list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value


def _merge_inner(table: Any, name: str, before: object, after: Mapping[str, object]) -> None:
    import tomlkit

    if not isinstance(before, dict):
        table[name] = tomlkit.table(is_super_table=_has_only_tables(after))
        before = {}
    _merge(table, name, cast("dict[str, object]", before), after)


def _has_only_tables(values: Mapping[str, object]) -> bool:
    return bool(values) and all(isinstance(value, dict) for value in values.values())
