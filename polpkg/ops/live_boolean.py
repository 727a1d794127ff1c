"""The values that booleans have in the policy in force, on a host that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError, UsageError
from polpkg.packages.names import did_you_mean
from polpkg.targets.live.host import find_live_host

if TYPE_CHECKING:
    from polpkg.targets.target import Target


def read_running_booleans(target: Target) -> dict[str, bool] | None:
    """The booleans in force by name; None for a tree or an image, and when they cannot be read.  Raises TargetError."""
    host = find_live_host(target)
    if host is None:
        return None
    from polpkg.targets.live.running import read_booleans

    return read_booleans(host.commands)


def set_running_boolean(target: Target, name: str, *, value: bool) -> bool:
    """Set a boolean of the policy in force and nothing else; false when it has that value.

    Raises UsageError `unknown-boolean`, and `not-running` for a tree or an image; TargetError `boolean-not-set`.
    """
    host = find_live_host(target)
    if host is None:
        raise UsageError(
            "not-running", f"{target.name} does not run, so nothing is in force", hint="leave out --runtime"
        )
    from polpkg.targets.live.running import read_booleans

    found = read_booleans(host.commands)
    if found is None:
        hint = "it needs a policy in force, and Xen's flask-get-bool"
        raise TargetError("boolean-not-set", f"the booleans in force on {target.name} cannot be read", hint=hint)
    if name not in found:
        hint = did_you_mean(name, found) or f"it has: {', '.join(sorted(found)) or 'none'}"
        raise UsageError("unknown-boolean", f"the policy in force has no boolean `{name}`", hint=hint)
    if found[name] is value:
        return False
    done = host.commands.run(["flask-set-bool", name, str(int(value))])
    if done.status != 0 or (read_booleans(host.commands) or {}).get(name) is not value:
        said = " ".join(done.errors.decode("utf-8", "replace").split()) or "the policy may forbid it"
        raise TargetError("boolean-not-set", f"{target.name} does not set the boolean {name}: {said}")
    return True
