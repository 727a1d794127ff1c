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
    the confirmed policy for the same ABI, None when there is none.
    """

    hypervisor: str
    sha256: str
    version: str
    policy: str
    policy_sha256: str
    fallback: bytes | None = None


class BootFileContent(NamedTuple):
    """What a file of a boot loader is to be.

    `also`: what is right as well as long as no policy in /boot changes: a boot loader may write such a file itself.
    `is_last`: it is written after the policies, not before.
    """

    content: bytes
    also: tuple[bytes, ...] = ()
    is_last: bool = False


class SetUp(NamedTuple):
    """The files of boot loaders that are wanted, by path, and what a person has to do or to know."""

    files: Mapping[str, BootFileContent] = MappingProxyType({})
    notes: tuple[str, ...] = ()


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

        `served` are the hypervisors that it starts, or all when it starts none; there may be none.  Raises TargetError.
        """
        ...

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """What its boot loader needs in `target`, so that `served`, all of which it starts, boot with their policies.

        Nothing is written here.  Raises TargetError when a file of the boot loader cannot be read.
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
