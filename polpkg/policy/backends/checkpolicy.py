"""checkpolicy as a backend, by way of `policy.conf`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.backends.refusals import refuse_unloadable
from polpkg.policy.backends.tool import Tool
from polpkg.policy.policydb.layout import VERSION_DEVICE_TREE

if TYPE_CHECKING:
    from polpkg.policy.backends.backend import CompileOptions
    from polpkg.policy.ir.linked import LinkedPolicy


class CheckpolicyBackend:
    """Compiles with checkpolicy, Debian package `checkpolicy`."""

    name = "checkpolicy"

    def __init__(self) -> None:
        self._tool = Tool("checkpolicy", "checkpolicy")

    def version(self) -> str:
        """The newest policydb version that the installed checkpolicy knows: it tells no other."""
        return f"checkpolicy {self._tool.output(['-V']).split(' ')[0].strip()}"

    def is_available(self) -> str | None:
        """None, or that it is not installed."""
        return self._tool.why_missing()

    def compile(self, policy: LinkedPolicy, options: CompileOptions) -> bytes:
        """What `checkpolicy -t Xen` makes of the policy; see `Backend.compile`."""
        refuse_unloadable(policy, options.version)
        _refuse_dropped(policy, options.version)
        source = emit_conf(policy, neverallows=options.neverallows)
        arguments = [*(["-M"] if policy.mls else []), "-t", "Xen", "-c", str(options.version)]
        return self._tool.compile(source, "conf", arguments, options.version, mls=policy.mls)


def _refuse_dropped(policy: LinkedPolicy, version: int) -> None:
    """Role transitions in version 24, which checkpolicy 3.4 leaves out: it looks for class `process`, not `domain`."""
    if policy.role_transitions and version < VERSION_DEVICE_TREE:
        message = "checkpolicy drops role transitions in version 24 without a word"
        raise PolicyError.of([Diagnostic("backend-limit", message, hint="use version 30 or another backend")])
