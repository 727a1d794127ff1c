"""The public names of polpkg: all that a plugin, or a script, may rely on.

Everything else in polpkg may change with any release; what stands in `__all__` changes only with a new major version.
Names whose modules are heavy are imported when they are first asked for, since plugins are loaded on every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.diagnostics import Diagnostic, MacroUse, Note, Origin, Severity
from polpkg.errors import (
    ApplyError,
    ExitCode,
    NetworkError,
    PendingError,
    PolicyError,
    PolpkgError,
    ResolutionError,
    TargetError,
    TrustError,
    UsageError,
)
from polpkg.plugin.hookspecs import hookimpl
from polpkg.plugin.values import CommandResult, Component, PackageSource, Role, RoleLabel, Veto, XlKey

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedPolicy

__all__ = [
    "ApplyError",
    "CommandResult",
    "Component",
    "Diagnostic",
    "ExitCode",
    "LinkedPolicy",
    "MacroUse",
    "NetworkError",
    "Note",
    "Origin",
    "PackageSource",
    "PendingError",
    "PolicyError",
    "PolpkgError",
    "ResolutionError",
    "Role",
    "RoleLabel",
    "Severity",
    "TargetError",
    "TrustError",
    "UsageError",
    "Veto",
    "XlKey",
    "hookimpl",
]

_LATE = {"LinkedPolicy": "polpkg.policy.ir.linked"}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return __all__
