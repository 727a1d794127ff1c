"""Where polpkg's files are in a target (DESIGN.md 4, "target state").  All paths are as the target itself sees them."""

from __future__ import annotations

STATE = "/var/lib/polpkg"
LOCK = f"{STATE}/lock"
CURRENT = f"{STATE}/current"
GENERATIONS = f"{STATE}/generations"
JOURNAL = f"{STATE}/journal.json"
MARKS = f"{STATE}/marks.json"

CONFIGURATION = "/etc/polpkg"
PROJECT = f"{CONFIGURATION}/policy.toml"
PROJECT_LOCK = f"{CONFIGURATION}/policy.lock"

PROJECT_FILE = "policy.toml"
LOCK_FILE = "policy.lock"
PLAN_FILE = "plan.json"
RECEIPT_FILE = "receipt.json"
POLICYDB_FILE = "policydb"
BACKUP = "backup"
"""Where a generation keeps the files of others that it replaced."""

SYSTEM = "system"
"""Where a generation keeps the files that the target itself has outside /etc/polpkg and /boot."""

DEVICES_UNIT = "/etc/systemd/system/polpkg-devices.service"
DEVICES_DROP_IN = "/etc/systemd/system/multi-user.target.d/polpkg-devices.conf"
SYSTEM_FILES = frozenset((DEVICES_UNIT, DEVICES_DROP_IN))
"""All such files that there can be: nothing else outside is ever written or removed."""

BOOT = "/boot"
POLICY_PREFIX = "xenpolicy-"
"""How the name of a policy in /boot begins, and of nothing else there: older GRUB scripts list such files as Xen."""

TEMPORARY = ".polpkg-new"
"""The name under which a file is written before it is renamed into place; one per directory, under the lock."""


def generation_path(number: int) -> str:
    """The directory of generation `number`."""
    return f"{GENERATIONS}/{number}"


def unfinished_path(number: int) -> str:
    """Where generation `number` is written before it is committed."""
    return f"{GENERATIONS}/.new-{number}"


def undo_path(number: int) -> str:
    """Where the files that generation `number` replaces are kept until it is committed."""
    return f"{GENERATIONS}/.undo-{number}"


def discarded_path(number: int) -> str:
    """Where generation `number` is moved, at once, before it is deleted file by file."""
    return f"{GENERATIONS}/.old-{number}"


def system_file(path: str) -> str:
    """Where, in a generation, the file that a target has at `path` is kept."""
    return f"{SYSTEM}{path}"


def artifact_folder(fingerprint: str) -> str:
    """The folder, in a generation, of the policy for the ABI with this fingerprint."""
    return fingerprint[:12]


def is_policy_path(path: str) -> bool:
    """Whether `path` may be a policy in /boot: only such files are ever written or removed there."""
    directory, _, name = path.rpartition("/")
    in_boot = directory == BOOT or directory.startswith(f"{BOOT}/")
    return in_boot and name.startswith(POLICY_PREFIX) and ".." not in directory.split("/")
