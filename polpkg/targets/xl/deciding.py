"""Who is who for one guest, and which of the permissions that are demanded are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.access import AccessDecider, Subject
from polpkg.targets.xl.demands import Need

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.xl.demands import Demand
    from polpkg.targets.xl.guest import GuestKind

_OBJECT_ROLE = 0
"""`object_r`, which whatever is no domain has."""

_OTHER_END = {"building": "backend", "backend": "guest", "guest": "backend"}
"""With whom the event channels of a demand are."""


class Missing(NamedTuple):
    """Permissions that the policy does not give, by the names of types."""

    source: str
    target: str
    security_class: str
    permissions: tuple[str, ...]

    def __str__(self) -> str:
        shown = " ".join(self.permissions)
        shown = f"{{ {shown} }}" if len(self.permissions) > 1 else shown
        return f"allow {self.source} {self.target}:{self.security_class} {shown};"


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part, by the names that demands call them; channels and the target follow from them."""

    decider: AccessDecider
    subjects: Mapping[str, Subject]
    kind: GuestKind

    @property
    def policy(self) -> LinkedPolicy:
        """The policy that is asked."""
        return self.decider.policy

    def having(self, **subjects: Subject) -> Parties:
        """The same with others, or more, who take part."""
        return Parties(self.decider, {**self.subjects, **subjects}, self.kind)

    def name(self, party: str) -> str:
        """The type of a party."""
        return self.policy.types[self.subject(party).type].name

    def subject(self, party: str) -> Subject:
        """The context of a party."""
        if party in self.subjects:
            return self.subjects[party]
        if party == "target":
            guest = self.subjects["building"]
            return guest._replace(type=self._made("building", "model", "domain"))
        whose = party.removesuffix("-channel")
        made = self._made(whose, _OTHER_END[whose], "event")
        return Subject(self.subject(whose).user, _OBJECT_ROLE, made)

    def _made(self, source: str, target: str, class_name: str) -> int:
        return self.decider.transition(self.subject(source).type, self.subject(target).type, class_name)

    def missing(self, demands: Iterable[Demand], need: Need | None = None) -> tuple[Missing, ...]:
        """What is missing of the demands on this kind of guest; with `need` only of those that matter so much."""
        found: dict[tuple[str, str, str], tuple[str, ...]] = {}
        for demand in demands:
            if self.kind not in demand.kinds or (need is not None and demand.need is not need):
                continue
            lacking = self._lacking(demand)
            if lacking:
                key = self.name(demand.source), self.name(demand.target), demand.security_class
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), *lacking)))
        return tuple(Missing(*key, permissions) for key, permissions in found.items())

    def _lacking(self, demand: Demand) -> tuple[str, ...]:
        """What the hypervisor of this ABI asks for and the policy does not give."""
        known = self.policy.abi
        if demand.until is not None and known.has_permission(*demand.until):
            return ()
        wanted = [p for p in demand.permissions if known.has_permission(demand.security_class, p)]
        if not wanted:
            return ()
        given = self.decider.allowed(self.subject(demand.source), self.subject(demand.target), demand.security_class)
        return tuple(p for p in wanted if p not in given)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the configuration of a guest does not say of itself.

    `creator`: the label or type of the domain that xl runs in, empty to find it in the policy.  `backends`: the labels
    of domains by the names that xl calls them.  `devices`: the labels given to devices at run time, by their address.
    """

    creator: str = ""
    backends: Mapping[str, str] = field(default_factory=dict[str, str])
    devices: Mapping[str, str] = field(default_factory=dict[str, str])
