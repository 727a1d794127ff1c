"""A policy whose bytes are at hand, and what loading it on a running Xen needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from polpkg.policy.analysis.access import AccessDecider
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import TypeRuleKind
from polpkg.policy.policydb import lift, read_policydb
from polpkg.targets.document import digest
from polpkg.targets.in_use import reason_against

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.live.running import RunningXen

_LOADING = "load_policy"
_SETTING = "setbool"


@dataclass(frozen=True)
class KnownPolicy:
    """A policy: its bytes, and what to call it ("generation 3")."""

    policydb: bytes
    name: str

    @cached_property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return digest(self.policydb)

    @cached_property
    def linked(self) -> LinkedPolicy:
        """What it says.  Raises PolicyError when the bytes are no policy."""
        return lift(read_policydb(self.policydb))

    @cached_property
    def booleans(self) -> dict[str, bool]:
        """The values that its booleans have after a boot, by name."""
        return {boolean.name: boolean.default for boolean in self.linked.booleans}

    def may_load(self, type_name: str) -> bool:
        """Whether a domain of this type may load another policy under this one."""
        return self._may(type_name, _LOADING)

    def may_set_booleans(self, type_name: str) -> bool:
        """Whether a domain of this type may set booleans under this one."""
        return self._may(type_name, _SETTING)

    def contradiction(self, running: RunningXen) -> str:
        """Why this cannot be the policy that is in force; empty when nothing speaks against it.

        Xen does not give its policy away: labels that it does not have, and other booleans, are all that can tell.
        """
        for domain in running.domains:
            if reason := reason_against(domain.label, self.linked):
                return f"{domain} runs as {domain.label}: {reason}"
        if running.booleans is not None and set(running.booleans) != set(self.booleans):
            odd = ", ".join(sorted(set(running.booleans) ^ set(self.booleans)))
            return f"it has other booleans than those in force ({odd})"
        return ""

    def _may(self, type_name: str, permission: str) -> bool:
        number = self.linked.number_of_type(type_name)
        target = self._security_type
        if number < 0 or target is None:
            return False
        return number in self._decider.holders(target, "security", permission)

    @cached_property
    def _decider(self) -> AccessDecider:
        return AccessDecider(self.linked)

    @cached_property
    def _security_type(self) -> int | None:
        """The type of the policy itself: of the initial SID `security`."""
        sids = zip(self.linked.abi.initial_sids, self.linked.initial_sids, strict=False)
        return next((context.type for name, context in sids if name == "security" and context), None)

    def computed_labels(self, type_name: str) -> frozenset[str]:
        """The types under which a domain of this type is seen by itself and by its device model.

        They are worked out when the domain is created, and not again: `flask_domain_alloc_security` and
        `flask_set_target` in xen/xsm/flask/hooks.c.
        """
        policy = self.linked
        number, domain = policy.number_of_type(type_name), policy.abi.class_id("domain") - 1
        found = 0
        for rule in policy.type_rules:
            of_domains = rule.security_class == domain and rule.kind is TypeRuleKind.TYPE_TRANSITION
            if of_domains and policy.expand(rule.target) >> number & 1:
                found |= 1 << rule.result
        return frozenset(policy.types[each].name for each in bits(found)) if number >= 0 else frozenset()
