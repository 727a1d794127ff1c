"""Whether a running machine is a Xen dom0, by what its kernel says.

Sources: Xen's xenfs (`capabilities`), and Documentation/ABI of Linux: sysfs-hypervisor-xen (`type`, `uuid`, and since
6.3 `start_flags/initdomain`).  A dom0 need not have xenfs mounted; its uuid is all zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from polpkg.targets.target import Target

_CAPABILITIES = "/proc/xen/capabilities"
_TYPE = "/sys/hypervisor/type"
_FLAG = "/sys/hypervisor/start_flags/initdomain"
_UUID = "/sys/hypervisor/uuid"


def why_not_dom0(host: Target) -> str:
    """Why the machine that is running is not a Xen dom0, to follow its name; empty when it is one."""
    if "control_d" in _text(host, _CAPABILITIES):
        return ""
    if _text(host, _TYPE).strip() != "xen":
        return "does not run on Xen"
    uuid = _text(host, _UUID).strip()
    if _text(host, _FLAG).strip() == "1" or (uuid and not uuid.strip("0-")):
        return ""
    return "is a Xen guest, not a dom0"


def _text(host: Target, path: str) -> str:
    try:
        return host.read(path).decode("ascii", "replace")
    except TargetError:  # no such file, or one that only says so when it is read
        return ""
