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
BOOT_FOLDER = f"{BOOT}/polpkg"
"""What polpkg has in /boot besides policies: no GRUB script looks there."""

BOOT_STATE = f"{BOOT_FOLDER}/grubenv"
"""GRUB's own record of whether a new policy was tried (`polpkg.targets.boot.trial`)."""

FALLBACK_PREFIX = "confirmed-"
"""How the name of a policy begins that is kept to be booted when a new one was not confirmed."""

EFI_FALLBACK_PREFIX = f"polpkg-{FALLBACK_PREFIX}"
"""The same beside an EFI program, in a folder that is not polpkg's own."""

GRUB_SCRIPTS = "/etc/grub.d"
GRUB_SCRIPT = f"{GRUB_SCRIPTS}/09_polpkg"
"""Before those of the distribution: what stands first in the menu is what a person sees first."""

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
    return _is_in_boot(path) and path.rpartition("/")[2].startswith(POLICY_PREFIX)


def is_boot_configuration(path: str) -> bool:
    """Whether `path` may be a file of a boot loader that polpkg writes."""
    directory, _, name = path.rpartition("/")
    if path in (GRUB_SCRIPT, BOOT_STATE) or (directory == BOOT_FOLDER and name.startswith(FALLBACK_PREFIX)):
        return True
    is_config = name.lower().endswith(".cfg") and name != "grub.cfg"
    return _is_in_boot(path) and directory != BOOT and (is_config or name.startswith(EFI_FALLBACK_PREFIX))


def is_executable(path: str) -> bool:
    """Whether the file at `path` is a program, and is written so that it can be run."""
    return path == GRUB_SCRIPT


def _is_in_boot(path: str) -> bool:
    directory = path.rpartition("/")[0]
    in_boot = directory == BOOT or directory.startswith(f"{BOOT}/")
    return in_boot and ".." not in directory.split("/")
