"""What the verbs that read a policy have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.cli.session import make_context, open_target

if TYPE_CHECKING:
    from polpkg.cli.console import Console
    from polpkg.cli.options import TargetOptions
    from polpkg.ops.policies import ReadPolicy


def read_policy(console: Console, policy: str | None, target: TargetOptions) -> ReadPolicy:
    """The policy that `--policy` names, a file or a generation; by default the target's current one."""
    from polpkg.ops.policies import read_installed_policy, read_policy_file

    if policy is not None and not policy.isdecimal():
        return read_policy_file(Path(policy))
    opened = open_target(make_context(console), target)
    return read_installed_policy(opened, int(policy) if policy else None, target.xen or "")
