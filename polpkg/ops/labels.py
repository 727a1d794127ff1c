"""`polpkg labels`: the label of every role and instance of a target, and where xl wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.ops.installed_packages import read_installed_packages
from polpkg.ops.policies import find_generation, read_installed_policy
from polpkg.packages.names import identifier_of
from polpkg.plugin.values import XlKey
from polpkg.policy.analysis.contexts import context_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.instances import Instance
    from polpkg.packages.manifest import Manifest
    from polpkg.plugin.values import Role, RoleLabel
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.target import Target


class Label(NamedTuple):
    """One label.

    `kind`: whose it is; `build` for the label that a guest has while it is built.  `xl` is the option of xl.cfg(5) that
    takes it, empty for a domain that xl does not create.  `item`: the key of the table parameter that it is for.
    """

    package: str
    instance: str
    role: str
    kind: str
    context: str
    xl: str
    item: str = ""


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
    return tuple(_with_build_labels(found, policy))


def _with_build_labels(labels: Iterable[Label], policy: LinkedPolicy) -> Iterator[Label]:
    """Before the label of a guest the one that it has while it is built, where the policy has such a label.

    The policy says it itself: it is the type that may turn into the guest's.
    """
    from polpkg.policy.analysis.access import AccessDecider

    before = AccessDecider(policy).turning_into()
    for label in labels:
        user, role, type_name, *level = label.context.split(":", 3)
        building = before.get(policy.number_of_type(type_name))
        if building is not None and label.xl == XlKey.SECLABEL.value:
            context = ":".join((user, role, policy.types[building].name, *level))
            yield label._replace(kind="build", context=context, xl=XlKey.INIT_SECLABEL.value)
        yield label


def _labels(manifest: Manifest, instance: Instance, role: Role | None, policy: LinkedPolicy) -> Iterator[Label]:
    """The labels of a role; a package without one has those of the guests that it declares."""
    if role is None:
        for guest in manifest.functions.guests:
            context = context_of(policy, guest)
            yield Label(manifest.name, instance.name, manifest.role, "guest", context, XlKey.SECLABEL.value)
        return
    for label in role.labels:
        xl = label.xl.value if label.xl else ""
        for item, type_name in _type_names(label, instance):
            if policy.number_of_type(type_name) < 0:
                continue
            for user in _users(label, instance):
                context = context_of(policy, type_name, user)
                yield Label(manifest.name, instance.name, role.name, label.kind, context, xl, item)


def _type_names(label: RoleLabel, instance: Instance) -> Iterator[tuple[str, str]]:
    """The types of a label, each with the item of the table that it is for."""
    if not label.each:
        yield "", label.type_name(instance.prefix)
        return
    items = instance.parameters.get(label.each, ())
    for item in items if isinstance(items, tuple) else ():
        yield item, label.type_name(instance.prefix, item)


def _users(label: RoleLabel, instance: Instance) -> tuple[str, ...]:
    """The users that the label exists with, in the order of the parameter; `""` for whoever may have it."""
    items = instance.parameters.get(label.users, ()) if label.users else ()
    users = items if isinstance(items, tuple) else ()
    return tuple(f"{instance.prefix}_{identifier_of(item)}_u" for item in users) or ("",)
