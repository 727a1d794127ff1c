"""secilc as a backend, by way of CIL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.refusals import refuse_unloadable
from polpkg.policy.backends.tool import Tool

if TYPE_CHECKING:
    from polpkg.policy.backends.backend import CompileOptions
    from polpkg.policy.ir.linked import LinkedPolicy


class SecilcBackend:
    """Compiles with secilc, Debian package `secilc`."""

    name = "secilc"

    def __init__(self) -> None:
        self._tool = Tool("secilc", "secilc")

    def version(self) -> str:
        """The newest policydb version that the installed secilc knows: it tells no other."""
        import re

        found = re.search(r"default: (\d+)\)", self._tool.output(["--help"]))
        return f"secilc {found[1]}" if found else "secilc"

    def is_available(self) -> str | None:
        """None, or that it is not installed."""
        return self._tool.why_missing()

    def compile(self, policy: LinkedPolicy, options: CompileOptions) -> bytes:
        """What `secilc -t xen` makes of the policy; see `Backend.compile`."""
        refuse_unloadable(policy, options.version)
        source = emit_cil(policy, neverallows=options.neverallows)
        arguments = ["-t", "xen", "-c", str(options.version), "-f", "/dev/null"]
        return self._tool.compile(source, "cil", arguments, options.version, mls=policy.mls)
