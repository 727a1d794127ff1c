"""What a boot path is: one way in which hypervisors are started, with all that is peculiar to it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polpkg.targets.target import Target


class Served(NamedTuple):
    """A hypervisor file that a target has, and the policy that polpkg places for it.

    `version`: empty when it does not tell.  `policy`: the path of the policy, `policy_sha256` its digest.  `fallback`:
    the confirmed policy for the same ABI, None when there is none.  `content`: of the policy, empty when it is not at
    hand because somebody changed its file.
    """

    hypervisor: str
    sha256: str
    version: str
    policy: str
    policy_sha256: str
    fallback: bytes | None = None
    content: bytes = b""


def placed_by(boot_path: BootPath, served: Iterable[Served]) -> list[Served]:
    """Those that `boot_path` starts and that have their policies where it wants them: not another one's."""
    return [
        each
        for each in served
        if boot_path.starts(each.hypervisor) and boot_path.policy_path(each.hypervisor) == each.policy
    ]


class BootFileContent(NamedTuple):
    """What a file of a boot loader is to be.

    `also`: what is right as well as long as no policy in /boot changes: a boot loader may write such a file itself.
    `is_last`: it is written after the policies, not before.
    """

    content: bytes
    also: tuple[bytes, ...] = ()
    is_last: bool = False


class BootOnce(NamedTuple):
    """An EFI program of the target, and the words, its own name first, that it is to be started with, once."""

    program: str
    arguments: str


class SetUp(NamedTuple):
    """The files of boot loaders that are wanted, by path, and what a person has to do or to know.

    `once`: what the firmware is to be told after the files are in place, so that a policy is tried.
    """

    files: Mapping[str, BootFileContent] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    once: tuple[BootOnce, ...] = ()


class BootFinding(NamedTuple):
    """What was found about how a target boots.

    `code`: kebab-case.  `path`: the file that it is about.  `is_wrong`: the installed policy would not be enforced, or
    not found; otherwise it is told for a person to know.
    """

    code: str
    path: str
    message: str
    is_wrong: bool = True


class BootPath(Protocol):
    """One way in which hypervisors are started."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def starts(self, hypervisor: str) -> bool:
        """Whether the hypervisor file at this path is started this way."""
        ...

    def policy_path(self, hypervisor: str) -> str:
        """Where the policy for the hypervisor file at this path has to be."""
        ...

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """What is found about how `target` boots, by the content of what its boot loader reads.

        `served` are all hypervisors of the target that have a policy, whoever starts them.  Raises TargetError.
        """
        ...

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """What its boot loader needs in `target`, so that those of `served` that it boots do so with their policies.

        `served` as in `inspect`: a boot loader may have a configuration for what is placed by another one's rule.  Only
        files below /boot, or at the top of a tree that is no system, can be written (`is_boot_configuration`).  Nothing
        is written here.  Raises TargetError when a file of the boot loader cannot be read.
        """
        ...


def xen_options(version: str) -> tuple[str, ...]:
    """What makes a hypervisor of this version enforce a policy that it is given.

    `xsm=` exists in 4.11.4 and from 4.12 on; without it a build whose default is another module, SILO on Arm, ignores
    the policy.  `flask=enforcing` is the default from 4.7 on, and is said all the same (ECOSYSTEM.md 1.1 and 1.2).
    """
    from polpkg.policy.abi.model import version_numbers

    numbers = version_numbers(version)
    knows_xsm = not numbers or numbers >= (4, 12) or (4, 11, 4) <= numbers < (4, 12)
    return ("xsm=flask", "flask=enforcing") if knows_xsm else ("flask=enforcing",)


def add_options(said: str, options: Iterable[str]) -> str:
    """What Xen is told already, and those of `options` whose keys are not said; what somebody says stays."""
    keys = {word.partition("=")[0] for word in said.split()}
    missing = [option for option in options if option.partition("=")[0] not in keys]
    return " ".join([*said.split(" "), *missing]).strip() if missing else said


def why_not_enforced(said: Sequence[str], version: str) -> str:
    """Why a hypervisor of this version that is told the words `said` does not enforce the policy that it is given.

    Empty when it does.  The last of several counts.  A word that `flask=` does not have panics (ECOSYSTEM.md 1.2).
    """
    for option in xen_options(version):
        key, _, wanted = option.partition("=")
        values = [word.partition("=")[2] for word in said if word.startswith(f"{key}=")]
        if values[-1:] == [wanted]:
            continue
        if key == "flask" and values and values[-1] not in FLASK_MODES:
            return f"Xen panics on flask={values[-1]}"
        if key == "flask" and values[-1:] == ["late"]:
            return "flask=late takes no policy at boot, neither this one nor one that is linked in"
        return f"Xen is told {key}={values[-1]}" if values else f"Xen is not told {option}"
    return ""


FLASK_MODES = frozenset(("enforcing", "permissive", "late", "disabled"))
"""The words that `flask=` has (`parse_flask_param` in xen/xsm/flask/flask_op.c)."""
