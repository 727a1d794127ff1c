"""What compilers accept and Xen refuses or ignores: an error before anything is compiled.

From xen/xsm/flask/ss: an empty rule table is refused (`avtab.c`), and the class of a role transition is read by nobody
(`policydb.c`), so that one for another class would fire for `domain`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError
from polpkg.policy.policydb.limits import check_limits, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.policy.ir.linked import LinkedPolicy


def refuse_unloadable(policy: LinkedPolicy, version: int) -> None:
    """See that Xen would load `policy`, compiled for `version`, and take it as it is meant, unless it is for no Xen.

    Raises PolicyError `policy-without-rules`, `role-transition-class`, and what `check_limits` raises.
    """
    check_limits(policy, version)
    found = [] if policy.foreign else list(_findings(policy))
    if found:
        raise PolicyError.of(found)


def _findings(policy: LinkedPolicy) -> Iterator[Diagnostic]:
    if not policy.rules and not policy.type_rules:
        yield Diagnostic("policy-without-rules", "the policy has no unconditional rule; Xen refuses such a policy")
    for rule in policy.role_transitions:
        name = policy.abi.all_classes[rule.security_class].name
        if name != "domain":
            message = f"a role transition for class {name}: Xen would apply it to class domain"
            yield finding(rule.place, "role-transition-class", message)
