"""What the policydb format cannot carry: checked before a policy is compiled, by whichever backend.

checkpolicy drops some of it without a word and leaves half a file behind for the rest (`write.c`), so the question is
not left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Place
from polpkg.errors import PolicyError
from polpkg.policy.ir.statements import ObjectContextKind
from polpkg.policy.policydb import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.policy.ir.linked import LinkedObjectContext, LinkedPolicy

_NEWER = "compile for policydb version 30"


def check_limits(policy: LinkedPolicy, version: int) -> None:
    """See that version `version` of the format can carry `policy`.

    Raises PolicyError, with everything that it cannot carry: `policydb-version` for a version other than 24 and 30,
    `policydb-24` (device tree labels, memory above 32 bits, role transitions for a class other than `domain`, defaults
    of new objects), `policydb-30` (defaults newer than that),
    `too-many-types`, `number-too-large`, `unknown-capability`.
    """
    found = list(_findings(policy, version))
    if found:
        raise PolicyError.of(found)


def finding(place: Place | None, code: str, message: str, hint: str = "") -> Diagnostic:
    """A finding at `place`, which a policy read from a file does not have."""
    return Diagnostic.at(place, code, message, hint=hint) if place else Diagnostic(code, message, hint=hint)


def _findings(policy: LinkedPolicy, version: int) -> Iterator[Diagnostic]:
    if version not in layout.VERSIONS:
        yield Diagnostic("policydb-version", f"policydb version {version}; Xen takes 24 and 30 only")
        return
    if len(policy.types) > layout.MAX_TYPES:
        count = f"{len(policy.types)} types and attributes"
        yield Diagnostic("too-many-types", f"{count}; a policy holds {layout.MAX_TYPES}")
    for name in policy.capabilities:
        if name not in layout.CAPABILITIES:
            yield Diagnostic("unknown-capability", f"there is no policy capability {name}")
    for item in policy.object_contexts:
        yield from _label_findings(item, version)
    for default in policy.defaults:
        if default.value not in layout.DEFAULTS[default.part]:
            message = f"default_range {default.value} is newer than the policies that Xen reads"
            yield finding(default.place, "policydb-30", message)
    if version < layout.VERSION_DEVICE_TREE:
        for default in policy.defaults:
            yield finding(default.place, "policydb-24", f"version 24 has no default_{default.part}", _NEWER)
        for transition in policy.foreign.transitions if policy.foreign else ():
            yield finding(transition.place, "policydb-24", "version 24 has no type transitions by name", _NEWER)
        for rule in policy.role_transitions:
            name = policy.abi.all_classes[rule.security_class].name
            if name != "domain":
                message = f"version 24 has role transitions for class domain only, not for {name}"
                yield finding(rule.place, "policydb-24", message, _NEWER)


def _label_findings(item: LinkedObjectContext, version: int) -> Iterator[Diagnostic]:
    is_newer = version >= layout.VERSION_DEVICE_TREE
    if item.kind is ObjectContextKind.DEVICE_TREE:
        if not is_newer:
            message = f"version 24 cannot label device tree nodes ({item.path})"
            yield finding(item.place, "policydb-24", message, _NEWER)
    elif item.high > (layout.MAX_WORD if item.kind is not ObjectContextKind.IOMEM else layout.MAX_LONG):
        yield finding(item.place, "number-too-large", f"{item.high:#x} is more than a label can be for")
    elif item.high > layout.MAX_WORD and not is_newer:
        yield finding(item.place, "policydb-24", f"version 24 cannot label memory frame {item.high:#x}", _NEWER)
