"""The tables that an imported tree brings along: its classes, permissions and initial SIDs, commons flattened.

Xen refuses commons ("classes with common prefixes are not supported"), so each class gets the permissions of the common
that it inherits in front of its own, which is how checkpolicy numbers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolicyError, TargetError
from polpkg.policy.abi import Abi, SecurityClass, accepts
from polpkg.policy.ir.statements import AccessVector, ClassDeclaration, CommonDeclaration, InitialSidDeclaration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.ir.module import PolicyModule


def own_abi(modules: Iterable[PolicyModule], target: Abi) -> Abi:
    """The ABI that `modules` declare; `target` itself when they declare no class.

    Raises TargetError when the hypervisor of `target` would refuse a policy with these tables, and PolicyError when
    they contradict themselves.
    """
    statements = [s for m in modules for s in m.statements]
    names = [s.name for s in statements if isinstance(s, ClassDeclaration)]
    if not names:
        return target
    commons = {s.name: s.permissions for s in statements if isinstance(s, CommonDeclaration)}
    vectors: dict[str, tuple[str, ...]] = {}
    for s in statements:
        if isinstance(s, AccessVector):
            vectors[s.name] = (*commons.get(s.inherits, ()), *s.permissions)
    classes = tuple(SecurityClass(name, vectors.get(name, ())) for name in names)
    sids = tuple(s.name for s in statements if isinstance(s, InitialSidDeclaration))
    try:
        own = Abi(classes, sids)
    except ValueError as error:
        raise PolicyError("invalid-tables", f"the classes of this policy cannot be: {error}") from None
    reason = accepts(own, target)
    if reason is not None:
        where = f"Xen {target.version}" if target.version else "this hypervisor"
        hint = "the tree was made for another release: pass that one with --xen"
        raise TargetError("abi-mismatch", f"{where} would refuse the tables of this policy: {reason}", hint=hint)
    count = len(target.classes)
    return Abi(classes[:count], sids, target.version, classes[count:])
