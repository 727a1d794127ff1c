"""The labels that the devices of instances get at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.packages.claims import Claims
    from polpkg.packages.instances import Instance
    from polpkg.targets.devices.unit import DeviceLabel

PARAMETER = "pci"
"""The parameter of an instance that names its PCI functions, whatever the package."""


def device_labels(instances: Iterable[Instance], *, mls: bool = False) -> tuple[DeviceLabel, ...]:
    """The label of every function that an instance names: `<prefix>_device_t`.

    Raises UsageError `device-twice` when two instances name one.
    """
    named = [instance for instance in instances if instance.parameters.get(PARAMETER)]
    if not named:
        return ()  # the usual case, which needs none of what follows
    from polpkg.errors import UsageError

    owners: dict[str, Instance] = {}
    found: list[DeviceLabel] = []
    for instance in named:
        for label in _labels_of(instance, ":s0" if mls else ""):
            name = str(label.address)
            if name in owners:
                hint = "a device has one driver; take it out of one of them in policy.toml"
                raise UsageError("device-twice", f"{owners[name]} and {instance} both name {name}", hint=hint)
            owners[name] = instance
            found.append(label)
    return tuple(sorted(found))


def check_labelling(claims: Claims) -> None:
    """The owner of policy-admin labels devices at run time.  Raises PolicyError `nobody-labels-devices` without one."""
    if claims.owners("policy-admin", "*"):
        return
    from polpkg.errors import PolicyError

    raise PolicyError(
        "nobody-labels-devices",
        "the policy is sealed, so nobody can label devices at run time, as instances with `pci` need it",
        hint="leave out `pci`, and label the devices in a package (`polpkg devices scan --static`); or do not seal",
    )


def _labels_of(instance: Instance, level: str) -> Iterator[DeviceLabel]:
    from polpkg.targets.devices.function import parse_address
    from polpkg.targets.devices.unit import DeviceLabel

    value = instance.parameters.get(PARAMETER, ())
    for text in value if isinstance(value, tuple) else ():
        if (address := parse_address(text)) is not None:
            yield DeviceLabel(address, f"system_u:object_r:{instance.prefix}_device_t{level}")
