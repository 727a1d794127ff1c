"""A module: the IR of one package's fragments, for one ABI and one set of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from polpkg.diagnostics import Diagnostic, Place
from polpkg.policy.ir.statements import Statement
from polpkg.policy.ir.table import StatementTable


class MacroUse(NamedTuple):
    """The first call of macro `name`, defined by the package `owner`, that the package `caller` wrote."""

    name: str
    owner: str
    caller: str
    place: Place


@dataclass(frozen=True, slots=True)
class PolicyModule:
    """The statements of one package.

    `package`, `version`: whose they are.  `owns`: identifier prefixes (`vmv_*`) that only this package may declare;
    empty means that ownership is not checked, as for an imported tree.  `requires`: names of the packages that it
    requires directly; None means that any may be used.  `macro_uses`: which macros of which packages are
    called.  `assertions`: the names of the assertions that the
    package states in its polpkg.toml, by their line there.  `warnings`: what its fragments say with `errprint`.
    """

    package: str
    version: str
    statements: Sequence[Statement]
    owns: tuple[str, ...] = ()
    requires: frozenset[str] | None = None
    macro_uses: tuple[MacroUse, ...] = ()
    assertions: tuple[tuple[int, str], ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def table(self) -> StatementTable | None:
        """The statements as a table, where they come as one."""
        return self.statements if isinstance(self.statements, StatementTable) else None

    @property
    def others(self) -> Sequence[Statement]:
        """The statements without the rules that are rows of `table`: all that declare or assign anything."""
        return self.statements if self.table is None else self.table.others
