"""Instances: the uses of a package that a project makes, with their names in policy source (DESIGN.md 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError
from polpkg.packages.manifest import Parameter, ParameterType
from polpkg.packages.names import NAME_RULE, did_you_mean, identifier_of, why_reserved
from polpkg.packages.settings import what_fits, wrong_items
from polpkg.packages.tables import Document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.packages.manifest import InstanceTemplate, Manifest, ParameterValue
    from polpkg.packages.project import Project


class Call(NamedTuple):
    """One macro call that an instance becomes."""

    macro: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One use of a package.

    `prefix` begins its identifiers.  `parameters` has a value for every parameter of the package.  `items` are the
    names in its tables that become types, `named_types` the types of others that its parameters name, `calls` what to
    expand.
    """

    package: str
    name: str
    prefix: str
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict[str, "ParameterValue"])
    items: tuple[str, ...] = ()
    named_types: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()

    def __str__(self) -> str:
        return self.name if self.is_default else f"{self.package}/{self.name}"

    @property
    def is_default(self) -> bool:
        """Whether this is the instance that is named as its package."""
        return self.name == self.package

    @property
    def domain_type(self) -> str:
        """The type of the instance's own domain."""
        return f"{self.prefix}_t"

    @property
    def guest_types(self) -> tuple[str, ...]:
        """The types of the guests that the instance declares."""
        return tuple(f"{stem}_t" for stem in self.guest_prefixes)

    @property
    def guest_prefixes(self) -> tuple[str, ...]:
        """What the identifiers of those guests begin with."""
        return tuple(f"{self.prefix}_{identifier_of(item)}" for item in self.items)


def prefix_of(package: str, instance: str) -> str:
    """What the identifiers of an instance begin with: `vmv_tenant_a`, or `vmv` for the default instance."""
    return identifier_of(package if instance == package else f"{package}-{instance}")


def instances_of(manifest: Manifest, project: Project) -> tuple[Instance, ...]:
    """The instances that `project` has of a package, by name; the default one alone when it says nothing.

    Raises `PolicyError` (`project-...`), placed in policy.toml, for parameters that the package does not have or that
    do not fit, and for names that are words of the policy language.
    """
    document = Document(project.text, project.file, "project")
    wanted = project.instances.get(manifest.name) or {manifest.name: {}}
    reader = _InstanceReader(manifest, document)
    instances = tuple(reader.instance(name, values) for name, values in sorted(wanted.items()))
    document.check()
    return instances


def check_present(project: Project, packages: Iterable[str]) -> None:
    """See that policy.toml has no instances of packages that are not there: a name is misspelt, most likely.

    Raises `PolicyError` (`project-absent-package`), placed in policy.toml.
    """
    document = Document(project.text, project.file, "project")
    there = frozenset(packages)
    for name in project.instances:
        if name not in there:
            message = f"`{name}` has instances, and is not among the packages needed"
            hint = did_you_mean(name, there) or "add it to [packages], or take its instances out"
            document.report(("instances", name), "absent-package", message, hint=hint)
    document.check()


class _InstanceReader:
    def __init__(self, manifest: Manifest, document: Document) -> None:
        self._manifest = manifest
        self._document = document

    def instance(self, name: str, values: Mapping[str, ParameterValue]) -> Instance:
        path = ("instances", self._manifest.name, name)
        prefix = prefix_of(self._manifest.name, name)
        template = self._manifest.instance
        if reason := why_reserved(name):
            self._document.report(path, "reserved-name", f"`{name}` cannot be the name of an instance: {reason}")
        if template is None:
            self._check_uninstantiable(path, name, values)
            return Instance(self._manifest.name, name, prefix)
        self._check_known(path, template, values)
        parameters = {
            key: self._value(path, parameter, values.get(key)) for key, parameter in template.parameters.items()
        }
        return _instance(self._manifest.name, name, template, parameters)

    def _check_uninstantiable(self, path: tuple[str, ...], name: str, values: Mapping[str, ParameterValue]) -> None:
        if name != self._manifest.name or values:
            self._document.report(path, "no-instances", f"{self._manifest.name} has no instances and no parameters")

    def _check_known(
        self, path: tuple[str, ...], template: InstanceTemplate, values: Mapping[str, ParameterValue]
    ) -> None:
        for key in values:
            if key not in template.parameters:
                hint = did_you_mean(key, template.parameters)
                message = f"{self._manifest.name} has no parameter `{key}`"
                self._document.report((*path, key), "unknown-parameter", message, hint=hint)

    def _value(self, path: tuple[str, ...], parameter: Parameter, given: ParameterValue | None) -> ParameterValue:
        """The value that is given, checked, or else the default."""
        value = parameter.default if given is None else given
        problems: list[str] = []
        if type(value) is not type(parameter.default):
            problems.append(f"`{parameter.name}` takes {_written(parameter)}")
            value = parameter.default
        elif isinstance(value, tuple):
            problems += wrong_items(parameter, value)
        elif isinstance(value, str):
            problems += wrong_items(parameter, (value,))
        names_items = parameter.type in (ParameterType.TABLE, ParameterType.LIST) and isinstance(value, tuple)
        hint = f"a name is {NAME_RULE}" if names_items else ""
        for problem in problems:
            self._document.report((*path, parameter.name), "bad-parameter", problem, hint=hint)
        return value


def _written(parameter: Parameter) -> str:
    """What a parameter takes, as policy.toml writes it."""
    if not parameter.type.is_several:
        return what_fits(parameter)
    examples = {ParameterType.TYPES: '["domU_t"]', ParameterType.PCI: '["0000:03:00.0"]'}
    example = examples.get(parameter.type, '["web", "db"]')
    return f"a list, such as {parameter.name} = {example}"


def _instance(
    package: str, name: str, template: InstanceTemplate, parameters: Mapping[str, ParameterValue]
) -> Instance:
    items: list[str] = []
    named: list[str] = []
    prefix = prefix_of(package, name)
    calls = [Call(template.template, (prefix,))]
    for key, value in parameters.items():
        parameter = template.parameters[key]
        for item in value if isinstance(value, tuple) else ():
            is_name = parameter.type in (ParameterType.TABLE, ParameterType.LIST)
            if parameter.type is ParameterType.TYPES:
                named.append(item)
            elif parameter.type is ParameterType.TABLE:
                items.append(item)
            if parameter.each:
                calls.append(Call(parameter.each, (prefix, identifier_of(item) if is_name else item)))
    return Instance(package, name, prefix, parameters, tuple(items), tuple(named), tuple(calls))


def check_names(instances: Iterable[Instance]) -> None:
    """See that no two names of all packages' instances become the same identifiers.

    `vmv` with the instance `a` and its guest `b-c` collides with the instance `a-b` and its guest `c`, for example.
    Raises `PolicyError` (`names-coincide`) with every pair.
    """
    owners: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for stem, what in _stems(instances):
        if stem in owners:
            message = f"{owners[stem]} and {what} would both be called `{stem}` in the policy"
            problems.append(Diagnostic("names-coincide", message, hint="rename one of them"))
        else:
            owners[stem] = what
    if problems:
        raise PolicyError.of(problems)


def _stems(instances: Iterable[Instance]) -> Iterator[tuple[str, str]]:
    for instance in instances:
        what = f"the package {instance}" if instance.is_default else f"the instance {instance}"
        yield instance.prefix, what
        for item, stem in zip(instance.items, instance.guest_prefixes, strict=True):
            yield stem, f"`{item}` of {instance}"
