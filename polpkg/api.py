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
    from polpkg.packages.index.index import Index
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.xl.check import Verdict, check_guest
    from polpkg.targets.xl.deciding import Surroundings
    from polpkg.targets.xl.guest import Guest, read_guest

__all__ = [
    "ApplyError",
    "BootPath",
    "CommandResult",
    "Component",
    "Diagnostic",
    "ExitCode",
    "Guest",
    "Index",
    "LinkedPolicy",
    "MacroUse",
    "NetworkError",
    "Note",
    "Origin",
    "PackageSource",
    "PendingError",
    "Plan",
    "PolicyError",
    "PolpkgError",
    "Receipt",
    "ResolutionError",
    "Role",
    "RoleLabel",
    "Severity",
    "Surroundings",
    "Target",
    "TargetError",
    "TrustError",
    "UsageError",
    "Verdict",
    "Veto",
    "XlKey",
    "check_guest",
    "hookimpl",
    "read_guest",
]

_LATE = {
    "BootPath": "polpkg.targets.boot.path",
    "Index": "polpkg.packages.index.index",
    "LinkedPolicy": "polpkg.policy.ir.linked",
    "Plan": "polpkg.targets.plan",
    "Receipt": "polpkg.targets.receipt",
    "Target": "polpkg.targets.target",
    "Guest": "polpkg.targets.xl.guest",
    "Surroundings": "polpkg.targets.xl.deciding",
    "Verdict": "polpkg.targets.xl.check",
    "check_guest": "polpkg.targets.xl.check",
    "read_guest": "polpkg.targets.xl.guest",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    return __all__
