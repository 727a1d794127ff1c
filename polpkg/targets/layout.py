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

ADOPTED_PREFIX = "adopted-"
"""How the folder of a policy, in a generation, begins that somebody else made."""

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

BESIDE_FALLBACK_PREFIX = f"polpkg-{FALLBACK_PREFIX}"
"""The same beside a hypervisor that is not in /boot, in a folder that is not polpkg's own."""

IPXE_SCRIPT = "polpkg.ipxe"
"""The script that polpkg writes for iPXE."""

SYSTEM_NAMES = frozenset(
    "bin dev etc home lib lib32 lib64 lost+found media mnt opt proc root run sbin srv sys tmp usr var".split()
)
"""What is at the top of a system besides /boot: nothing there is for booting."""

GRUB_CONFIGURATION = f"{BOOT}/grub/grub.cfg"
"""What `grub-mkconfig` alone writes."""

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
    """Whether `path` may be a policy that a boot loader reads: only such files are ever written or removed as one."""
    return _is_for_booting(path) and path.rpartition("/")[2].startswith(POLICY_PREFIX)


def is_boot_configuration(path: str) -> bool:
    """Whether `path` may be a file of a boot loader that polpkg or a plugin changes; policies are none."""
    return path == GRUB_SCRIPT or (_is_for_booting(path) and not is_policy_path(path) and path != GRUB_CONFIGURATION)


def is_own_boot_file(path: str) -> bool:
    """Whether `path` may be a file that is polpkg's alone, and goes when it is not wanted any more."""
    directory, _, name = path.rpartition("/")
    if path in (GRUB_SCRIPT, BOOT_STATE, f"{BOOT}/{IPXE_SCRIPT}") or (
        directory == BOOT_FOLDER and name.startswith(FALLBACK_PREFIX)
    ):
        return True
    return _is_for_booting(path) and directory != BOOT and name.startswith((BESIDE_FALLBACK_PREFIX, IPXE_SCRIPT))


def fallback_path(policy: str) -> str:
    """Where the confirmed policy is kept for the hypervisor whose policy is at `policy`."""
    directory, _, name = policy.rpartition("/")
    label = name.removeprefix(POLICY_PREFIX)
    if directory == BOOT:
        return f"{BOOT_FOLDER}/{FALLBACK_PREFIX}{label}"
    return f"{directory}/{BESIDE_FALLBACK_PREFIX}{label}"


def is_executable(path: str) -> bool:
    """Whether the file at `path` is a program, and is written so that it can be run."""
    return path == GRUB_SCRIPT


def _is_for_booting(path: str) -> bool:
    """Whether `path` is in /boot, or in what is no part of a system: the tree of a network boot server."""
    first, *names = path.split("/")
    return first == "" and bool(names) and names[0] not in SYSTEM_NAMES and ".." not in names
