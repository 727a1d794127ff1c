"""The builtin backend: no tool needed, same bytes on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polpkg.policy.backends.backend import CompileOptions
    from polpkg.policy.ir.linked import LinkedPolicy

FORMAT = "1"
"""Goes up when the bytes for an unchanged policy change."""


class BuiltinBackend:
    """Compiles in the process, in pure Python.  Assertions are the linker's; `neverallows` changes nothing."""

    name = "builtin"

    def version(self) -> str:
        """The version of what it writes, not of polpkg."""
        return f"builtin {FORMAT}"

    def is_available(self) -> str | None:
        """Always."""
        return None

    def compile(self, policy: LinkedPolicy, options: CompileOptions) -> bytes:
        """The canonical policydb of `policy`; see `polpkg.policy.policydb.lower`."""
        from polpkg.policy.backends.refusals import refuse_unloadable
        from polpkg.policy.policydb.lower import lower
        from polpkg.policy.policydb.writer import write_policydb

        refuse_unloadable(policy, options.version)
        return write_policydb(lower(policy, options.version))
