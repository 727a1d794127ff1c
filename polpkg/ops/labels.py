"""`polpkg labels`: the label of every role and instance of a target, and where xl wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.ops.installed_packages import read_installed_packages
from polpkg.ops.policies import find_generation, read_installed_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.instances import Instance
    from polpkg.packages.manifest import Manifest
    from polpkg.plugin.values import Role, RoleLabel
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.target import Target


class Label(NamedTuple):
    """One label.  `xl` is the option of xl.cfg(5) that takes it, empty for a domain that xl does not create."""

    package: str
    instance: str
    role: str
    kind: str
    context: str
    xl: str


def find_labels(context: Context, target: Target, generation: int | None = None) -> tuple[Label, ...]:
    """The labels of a generation, by default the current one.

    Raises TargetError when nothing is installed, and what fetching the packages raises.
    """
    receipt = find_generation(target, generation)
    policy = read_installed_policy(target, receipt.generation).view.policy
    found: list[Label] = []
    for manifest, instances in read_installed_packages(context, target, receipt).packages:
        role = context.plugins.roles.get(manifest.role)
        for instance in instances:
            found.extend(_labels(manifest, instance, role, policy))
    return tuple(found)


def _labels(manifest: Manifest, instance: Instance, role: Role | None, policy: LinkedPolicy) -> Iterator[Label]:
    """The labels of a role; a package without one has those of the guests that it declares."""
    if role is None:
        for guest in manifest.functions.guests:
            yield Label(manifest.name, instance.name, manifest.role, "guest", context_of(policy, guest), "seclabel")
        return
    for label in role.labels:
        for type_name in _type_names(label, instance):
            xl = label.xl.value if label.xl else ""
            yield Label(manifest.name, instance.name, role.name, label.kind, context_of(policy, type_name), xl)


def _type_names(label: RoleLabel, instance: Instance) -> Iterator[str]:
    if not label.each:
        yield label.type_name(instance.prefix)
        return
    items = instance.parameters.get(label.each, ())
    for item in items if isinstance(items, tuple) else ():
        yield label.type_name(instance.prefix, item)


def context_of(policy: LinkedPolicy, type_name: str) -> str:
    """The context that a domain of a type has: the first user and role that may have it, system_u and system_r first.

    With MLS it is at the lowest level.
    """
    number = policy.number_of_type(type_name)
    roles = sorted((r for r in policy.roles if number >= 0 and r.types >> number & 1), key=_system_first)
    role = roles[0].name if roles else "system_r"
    index = next((n for n, r in enumerate(policy.roles) if r.name == role), 0)
    users = sorted((u for u in policy.users if u.roles >> index & 1), key=_system_first)
    user = users[0].name if users else "system_u"
    level = f":{policy.sensitivities[0].name}" if policy.mls and policy.sensitivities else ""
    return f"{user}:{role}:{type_name}{level}"


def _system_first(symbol: NamedTuple) -> tuple[bool, str]:
    name: str = symbol[0]
    return (not name.startswith("system_"), name)
