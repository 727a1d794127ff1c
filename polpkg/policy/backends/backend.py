"""What a backend is: something that makes policydb bytes out of a linked policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from polpkg.policy.policydb.layout import VERSION_DEVICE_TREE

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedPolicy


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How to compile.

    `version` is the policydb version, 24 or 30.  `neverallows` has the assertions checked once more by a backend that
    can; the linker has checked them already.
    """

    version: int = VERSION_DEVICE_TREE
    neverallows: bool = False


class Backend(Protocol):
    """A compiler.  Backends agree rule for rule; where they may differ, `equivalence` says by which rule."""

    name: str

    def version(self) -> str:
        """Which compiler it is, for the receipt.  Raises PolpkgError `backend-missing`."""
        ...

    def is_available(self) -> str | None:
        """None when it can compile here, otherwise the reason why not."""
        ...

    def compile(self, policy: LinkedPolicy, options: CompileOptions) -> bytes:
        """The compiled policy: whole, of the version asked for, and loadable.

        Raises PolicyError for a policy that Xen would refuse, that the version cannot carry or that the compiler
        refuses, and PolpkgError `backend-missing` when the compiler is not installed.
        """
        ...
