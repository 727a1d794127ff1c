"""What runs on a host: the version of Xen, whether FLASK has a policy, domains with their labels, and booleans.

`xl getenforce` says 1 before any policy was loaded, so whether there is one is told by the label of domain 0 in
`xl list -Z`: a context has colons, the bare name of an initial SID has none (`security_sid_to_context` in
xen/xsm/flask/ss/services.c), and without FLASK there is a dash (`list_domains` in tools/xl/xl_info.c).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.targets.host.commands import Commands

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_ROW = re.compile(r"(\S.*?)\s+(\d+)\s+\d+\s+\d+\s+[a-zA-Z-]{6}\s+\d+\.\d\s+(\S+)")
_BOOLEAN = re.compile(r"(\S+): ([01])(?: \(pending [01]\))?")
_INFO = re.compile(r"(xen_\w+)\s*: ?(.*)")
_NOT_FOUND = 127


class Flask(Enum):
    """What FLASK does on a running Xen.

    ABSENT: Xen has none, or uses another module.  EMPTY: it waits for a policy, and allows everything until then.
    """

    ABSENT = "absent"
    EMPTY = "no-policy"
    LOADED = "loaded"


class RunningDomain(NamedTuple):
    """A domain that domain 0 can see."""

    number: int
    name: str
    label: str

    @property
    def type_name(self) -> str:
        """The type in its label; empty when that is no context."""
        parts = self.label.split(":")
        return parts[2] if len(parts) > 2 else ""

    def __str__(self) -> str:
        """How people call it."""
        return f"domain {self.number} ({self.name})"


@dataclass(frozen=True, slots=True)
class RunningXen:
    """What runs on a host.

    `version`: as `xl info` has it.  `command_line`: that of Xen.  `booleans`: by name, None when they cannot be read.
    `enforcing`: None without a policy or when it cannot be asked.  `boot`: names this run of the kernel of domain 0.
    """

    version: str
    command_line: str
    flask: Flask
    domains: tuple[RunningDomain, ...]
    booleans: Mapping[str, bool] | None
    enforcing: bool | None
    boot: str

    @property
    def domain0(self) -> RunningDomain:
        """Domain 0 itself."""
        return next(domain for domain in self.domains if domain.number == 0)

    @property
    def guests(self) -> tuple[RunningDomain, ...]:
        """All domains but domain 0."""
        return tuple(domain for domain in self.domains if domain.number)

    @property
    def is_late(self) -> bool:
        """Whether Xen was told to wait for a policy (`flask=late`)."""
        return "flask=late" in self.command_line.split()


def read_running(commands: Commands) -> RunningXen:
    """What runs on the host of `commands`.

    Raises TargetError: `not-a-dom0` when it is no Xen host, or its tools cannot be used there.
    """
    domains = read_domains(commands)
    info = _info(commands)
    flask = _flask(domains)
    return RunningXen(
        info.get("xen_version", ""),
        info.get("xen_commandline", ""),
        flask,
        domains,
        read_booleans(commands) if flask is Flask.LOADED else {},
        _enforcing(commands) if flask is Flask.LOADED else None,
        read_boot(commands),
    )


def read_domains(commands: Commands) -> tuple[RunningDomain, ...]:
    """The domains that domain 0 sees, by number.  Raises TargetError `not-a-dom0`."""
    done = commands.run(["xl", "list", "-Z"])
    text = done.output.decode("utf-8", "replace")
    rows = (_ROW.fullmatch(line.rstrip()) for line in text.splitlines())
    domains = sorted(RunningDomain(int(row[2]), row[1], row[3]) for row in rows if row)
    if done.status == 0 and domains and domains[0].number == 0:
        return tuple(domains)
    if done.status == _NOT_FOUND:
        raise TargetError("not-a-dom0", "no Xen runs there that can be asked: it has no `xl`")
    said = " ".join(done.errors.decode("utf-8", "replace").split()) or "domain 0 is not among its domains"
    raise TargetError("not-a-dom0", f"no Xen runs there that can be asked: {said}", hint="`xl list -Z` must work there")


def read_booleans(commands: Commands) -> dict[str, bool] | None:
    """The booleans of the policy in force, by name; None when there is no tool to read them, or it may not."""
    done = commands.run(["flask-get-bool", "-a"])
    if done.status != 0:
        return None
    rows = (_BOOLEAN.fullmatch(line.strip()) for line in done.output.decode("utf-8", "replace").splitlines())
    return {row[1]: row[2] == "1" for row in rows if row}


def read_boot(commands: Commands) -> str:
    """What names this run of the kernel of domain 0: another after every boot.  Raises TargetError `not-a-dom0`."""
    done = commands.run(["cat", _BOOT_ID])
    name = done.output.decode("ascii", "replace").strip()
    if done.status != 0 or not name:
        raise TargetError("not-a-dom0", f"{_BOOT_ID} cannot be read there")
    return name


def _flask(domains: tuple[RunningDomain, ...]) -> Flask:
    label = domains[0].label
    if ":" in label:
        return Flask.LOADED
    return Flask.ABSENT if label == "-" else Flask.EMPTY


def _info(commands: Commands) -> dict[str, str]:
    done = commands.run(["xl", "info"])
    rows = (_INFO.fullmatch(line.rstrip()) for line in done.output.decode("utf-8", "replace").splitlines())
    return {row[1]: row[2].strip() for row in rows if row}


def _enforcing(commands: Commands) -> bool | None:
    """With a policy in force the answer can be relied on."""
    said = commands.run(["xl", "getenforce"]).output.strip().lower()
    return {b"enforcing": True, b"permissive": False}.get(said)
