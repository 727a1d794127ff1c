"""`polpkg permissive`: types of a target whose denials are logged and allowed, while somebody learns what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import UsageError
from polpkg.ops.project_files import read_project_files
from polpkg.packages.names import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.targets.target import Target


def permissive_after(
    target: Target, project_folder: Path | None, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """What policy.toml is to say after some types are added and others removed, sorted.

    Raises TargetError when nothing is installed, and UsageError for a type that the policy does not have, or that is
    not permissive and is to be removed.
    """
    from polpkg.ops.policies import find_generation, read_installed_policy

    receipt = find_generation(target, None)
    policy = read_installed_policy(target, receipt.generation).view.policy
    now = read_project_files(target, project_folder).project.target.permissive
    types = [symbol.name for symbol in policy.types if not symbol.is_attribute]
    for name in add:
        if name not in types:
            raise UsageError("unknown-type", f"the policy has no type `{name}`", hint=did_you_mean(name, types))
    for name in remove:
        if name not in now:
            hint = did_you_mean(name, now) or f"permissive are: {', '.join(now) or 'none'}"
            raise UsageError("not-permissive", f"policy.toml does not make `{name}` permissive", hint=hint)
    return tuple(sorted({*now, *add} - {*remove}))
