"""The tables that an imported tree brings along: its classes, permissions and initial SIDs, commons flattened.

Xen refuses commons ("classes with common prefixes are not supported"), so each class gets the permissions of the common
that it inherits in front of its own, which is how checkpolicy numbers them.  Only a policy that is for no Xen anyway,
such as a test of a compiler, keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError, TargetError
from polpkg.policy.abi import Abi, SecurityClass, known_tables
from polpkg.policy.ir.linked import Foreign
from polpkg.policy.ir.statements import AccessVector, ClassDeclaration, CommonDeclaration, InitialSidDeclaration
from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.policy.ir.module import PolicyModule

_Table: TypeAlias = ClassDeclaration | CommonDeclaration | AccessVector | InitialSidDeclaration
_WORDS = {
    ClassDeclaration: "class",
    CommonDeclaration: "common",
    AccessVector: "permissions of class",
    InitialSidDeclaration: "initial SID",
}
"""What each statement declares."""


class Tables(NamedTuple):
    """The ABI to link for; `refusal` says, of tables that no Xen has, what the hypervisor would refuse them for."""

    abi: Abi
    foreign: Foreign | None = None
    refusal: str = ""


def own_tables(modules: Sequence[PolicyModule], target: Abi, *, for_target: bool) -> Tables:
    """The ABI that `modules` declare; `target` itself when they declare nothing of the kind.

    Tables that are those of no known Xen are foreign, and keep their commons; with `for_target`, they are refused.
    Raises TargetError when the hypervisor of `target` would refuse a policy with these tables, and PolicyError when
    they contradict themselves, or when a package has them that is not an imported tree.
    """
    statements = [s for m in modules for s in m.others if isinstance(s, _Table)]
    if not statements:
        return Tables(target)
    from polpkg.policy.abi.difference import accepts

    problems = [*_in_packages(modules), *_contradictions(statements)]
    if problems:
        raise PolicyError.of(problems)
    own = _abi_of(statements)
    reason = accepts(own, target)
    if reason is not None:
        if not for_target and all(accepts(own, known) is not None for known in known_tables()):
            return Tables(own, _foreign(statements), reason)
        where = f"Xen {target.version}" if target.version else "this hypervisor"
        hint = "the tree was made for another release: pass that one with --xen"
        raise TargetError("abi-mismatch", f"{where} would refuse the tables of this policy: {reason}", hint=hint)
    count = len(target.classes)
    return Tables(Abi(own.classes[:count], own.initial_sids, target.version, own.classes[count:]))


def _foreign(statements: Sequence[_Table]) -> Foreign:
    return Foreign(
        {s.name: s.permissions for s in statements if isinstance(s, CommonDeclaration)},
        {s.name: s.inherits for s in statements if isinstance(s, AccessVector) and s.inherits},
    )


def _abi_of(statements: Sequence[_Table]) -> Abi:
    commons = {s.name: s.permissions for s in statements if isinstance(s, CommonDeclaration)}
    vectors = {
        s.name: (*commons.get(s.inherits, ()), *s.permissions) for s in statements if isinstance(s, AccessVector)
    }
    names = [s.name for s in statements if isinstance(s, ClassDeclaration)]
    sids = tuple(s.name for s in statements if isinstance(s, InitialSidDeclaration))
    try:
        return Abi(tuple(SecurityClass(name, vectors.get(name, ())) for name in names), sids)
    except ValueError as error:
        raise PolicyError("invalid-tables", f"the classes of this policy cannot be: {error}") from None


def _in_packages(modules: Iterable[PolicyModule]) -> Iterator[Diagnostic]:
    for module in modules:
        first = next((s for s in module.others if isinstance(s, _Table)), None)
        if first is not None and module.requires is not None:
            message = f"package `{module.package}` declares classes, permissions or initial SIDs"
            hint = "they come from the hypervisor; only an imported tree has its own"
            yield Diagnostic.at(first.place, "tables-in-package", message, hint=hint)


def _contradictions(statements: Iterable[_Table]) -> Iterator[Diagnostic]:
    """What is declared twice, and what is about something that is not declared before."""
    known: dict[tuple[type[_Table], str], _Table] = {}
    for s in statements:
        first = known.setdefault((type(s), s.name), s)
        if first is not s:
            note = declared_at("first declared here", first.place)
            message = f"{_WORDS[type(s)]} `{s.name}`: declared already"
            yield Diagnostic.at(s.place, "duplicate-symbol", message, notes=(note,))
        if isinstance(s, AccessVector):
            if (ClassDeclaration, s.name) not in known:
                message = f"class `{s.name}` gets permissions, and is not declared"
                yield Diagnostic.at(s.place, "unknown-class", message)
            if s.inherits and (CommonDeclaration, s.inherits) not in known:
                yield Diagnostic.at(s.place, "unknown-common", f"common `{s.inherits}` is not declared")
