"""Every error that polpkg raises on purpose, and the exit codes that they end in.

The tree:

    PolpkgError                 1   failure not listed here
      UsageError                2   a malformed requirement, a wrong option
      ResolutionError           3   no set of versions fits
      TrustError                4   signature, digest, damaged archive, 401 or 403
      PolicyError               5   manifest, source, policydb or policy is wrong
      TargetError               6   the target cannot take it
        HostError               1   a host cannot be reached, or the connection was lost: nothing is known about it
      NetworkError              7   network needed, or an index cannot be reached
      ApplyError                8   apply failed; the target was brought back
      PendingError             10   changes are pending or need confirmation
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from polpkg.diagnostics import Diagnostic, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ExitCode(IntEnum):
    """What a polpkg process ends with."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_SOLUTION = 3
    TRUST = 4
    POLICY = 5
    TARGET = 6
    NETWORK = 7
    ROLLED_BACK = 8
    PENDING = 10
    BUG = 70
    INTERRUPTED = 130


class PolpkgError(Exception):
    """Something is wrong and a person can be told what, where and what to do.

    Carries one `Diagnostic` or several; `code`, `message`, `origin` and `hint` are those of the first.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(self, code: str, message: str, *, origin: Origin | None = None, hint: str = "") -> None:
        """An error with a single finding."""
        super().__init__(message)
        self.diagnostics: tuple[Diagnostic, ...] = (Diagnostic(code, message, origin, hint),)

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> PolpkgError:
        """An error that carries `diagnostics`, at least one, in the order given."""
        found = tuple(diagnostics)
        error = cls(found[0].code, found[0].message)
        error.diagnostics = found
        return error

    @property
    def code(self) -> str:
        """The stable, kebab-case name of what went wrong."""
        return self.diagnostics[0].code

    @property
    def message(self) -> str:
        """What happened, in one line."""
        return self.diagnostics[0].message

    @property
    def origin(self) -> Origin | None:
        """Where it happened, when that is a place in a text."""
        return self.diagnostics[0].origin

    @property
    def hint(self) -> str:
        """What to do about it; may be empty."""
        return self.diagnostics[0].hint


class UsageError(PolpkgError):
    """The command was given wrongly, a malformed requirement included."""

    exit_code = ExitCode.USAGE


class ResolutionError(PolpkgError):
    """No set of versions fits; `derivation` is the proof, a line each.

    A proof that is too long to read has a short form there, and `derivation_full` has the whole.
    """

    exit_code = ExitCode.NO_SOLUTION

    def __init__(
        self,
        code: str,
        message: str,
        *,
        origin: Origin | None = None,
        hint: str = "",
        derivation: Sequence[str] = (),
        derivation_full: Sequence[str] = (),
    ) -> None:
        """An error with the proof that there is no answer; without a longer form of it, there is only one."""
        super().__init__(code, message, origin=origin, hint=hint)
        self.derivation = tuple(derivation)
        self.derivation_full = derivation_full or self.derivation


class TrustError(PolpkgError):
    """A signature, digest or archive is not what it must be, or access was refused."""

    exit_code = ExitCode.TRUST


class PolicyError(PolpkgError):
    """A manifest, policy source or policydb does not parse, or the policy does not link or compile."""

    exit_code = ExitCode.POLICY


class TargetError(PolpkgError):
    """The target cannot take it."""

    exit_code = ExitCode.TARGET


class HostError(TargetError):
    """A host cannot be reached, or the connection to it was lost: nobody knows whether it could take anything."""

    exit_code = ExitCode.FAILURE


class NetworkError(PolpkgError):
    """The network is needed but not allowed, or an index cannot be reached."""

    exit_code = ExitCode.NETWORK


class ApplyError(PolpkgError):
    """Applying failed; the target was brought back to the generation before."""

    exit_code = ExitCode.ROLLED_BACK


class PendingError(PolpkgError):
    """Changes are pending, a lock is stale, or a change needs confirmation."""

    exit_code = ExitCode.PENDING
