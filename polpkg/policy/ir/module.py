"""A module: the IR of one package's fragments, for one ABI and one set of parameters."""

from __future__ import annotations

from dataclasses import dataclass

from polpkg.diagnostics import Place
from polpkg.policy.ir.statements import Statement


@dataclass(frozen=True, slots=True)
class PolicyModule:
    """The statements of one package.

    `package`, `version`: whose they are.  `owns`: identifier prefixes (`vmv_*`) that only this package may declare;
    empty means that ownership is not checked, as for an imported tree.  `requires`: names of the packages that it
    requires directly; None means that any may be used.  `macro_uses`: the first place at which each macro of another
    package is called, as (macro, package that defines it, place).  `assertions`: the names of the assertions that the
    package states in its polpkg.toml, by their line there.
    """

    package: str
    version: str
    statements: tuple[Statement, ...]
    owns: tuple[str, ...] = ()
    requires: frozenset[str] | None = None
    macro_uses: tuple[tuple[str, str, Place], ...] = ()
    assertions: tuple[tuple[int, str], ...] = ()
