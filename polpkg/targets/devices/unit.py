"""Labels at run time: the systemd unit that labels devices after every boot, as files of a target.

`flask-label-pci` (Xen, tools/flask/utils/label-pci.c) reads the numbers of a device from sysfs and labels the function,
its memory, its ports and its interrupt line.  Xen keeps such labels until the next boot or the next load of a policy,
so the unit is run again after each (`systemctl reload`).  Labelling the same again is no error; another label for an
interrupt line or a page that has one is (`security_ocontext_add` in xen/xsm/flask/ss/services.c), and the unit then
fails where everybody sees it.

The unit is wanted through a drop-in of `multi-user.target`, not through a link: both are plain files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.layout import DEVICES_DROP_IN, DEVICES_UNIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.devices.function import Address


class DeviceLabel(NamedTuple):
    """The context that a function gets at run time."""

    address: Address
    context: str


_UNIT = """# Written by polpkg, which also removes it: labels of devices for the policy of Xen.
[Unit]
Description=Label PCI devices for the policy of Xen
ConditionPathExists=/sys/hypervisor/type
After=systemd-modules-load.service proc-xen.mount xen.service xen-init-dom0.service
Before=xendriverdomain.service xendomains.service

[Service]
Type=oneshot
RemainAfterExit=yes
"""

_DROP_IN = """# Written by polpkg, which also removes it.
[Unit]
Wants=polpkg-devices.service
"""


_COMMAND = re.compile(r"ExecStart=flask-label-pci (\S+) (\S+)")


def read_device_labels(unit: str) -> dict[str, str]:
    """The contexts that a unit made by `device_files` gives, by address as text."""
    return dict(_COMMAND.findall(unit))


def device_files(labels: Sequence[DeviceLabel]) -> dict[str, bytes]:
    """The files by which a target labels these devices; none when there are none."""
    if not labels:
        return {}
    commands = [f"flask-label-pci {address} {context}" for address, context in sorted(labels)]
    lines = [f"Exec{when}={command}\n" for when in ("Start", "Reload") for command in commands]
    return {DEVICES_UNIT: "".join((_UNIT, *lines)).encode(), DEVICES_DROP_IN: _DROP_IN.encode()}
