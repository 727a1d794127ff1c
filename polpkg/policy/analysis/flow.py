"""How information gets from one type to another: the shortest way, with the rule of every step.

A rule is a step from its source to its target when one of its permissions writes, and back when one reads
(`flow_map`).  The labels under which one domain is seen are one domain: `type_transition S T:domain R` makes R another
name of T (T_self, T_target), so what is written to either is known to both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.flow_map import flow_of
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import TypeRuleKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.policy.abi import Abi
    from polpkg.policy.analysis.view import TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy


class FlowStep(NamedTuple):
    """Information goes from the type `source` to the type `target`, by a rule; None: they are labels of one domain."""

    source: str
    target: str
    rule: TracedRule | None


class _Node(NamedTuple):
    """A type, or a part of what it labels."""

    part: str
    type: int


class _Edge(NamedTuple):
    """From every type of `sources` to every type of `targets`, bit sets both."""

    sources: int
    source_part: str
    targets: int
    target_part: str
    rule: TracedRule | None


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """All steps that a policy allows."""

    policy: LinkedPolicy
    _edges: tuple[_Edge, ...] = field(repr=False)

    def find_path(self, source: int, target: int, through: int = 0) -> tuple[FlowStep, ...]:
        """The shortest way from one of the types `source` to one of `target`, bit sets; empty when there is none.

        Ways that pass through one of the types `through` do not count, nor does staying where one is.
        """
        if not source & target:
            return self._search(source, target, through)
        ways = (self._search(1 << each, target & ~(1 << each), through) for each in bits(source))
        return min((way for way in ways if way), key=len, default=())

    def _search(self, source: int, target: int, through: int) -> tuple[FlowStep, ...]:
        """Breadth first, all types of one depth at once."""
        reached = {"": source}
        front = {"": source}
        before: dict[_Node, tuple[_Node, _Edge]] = {}
        while front:
            following: dict[str, int] = {}
            for edge in self._edges:
                begin = front.get(edge.source_part, 0) & edge.sources
                new = edge.targets & ~reached.get(edge.target_part, 0) if begin else 0
                if new:
                    reached[edge.target_part] = reached.get(edge.target_part, 0) | new
                    following[edge.target_part] = following.get(edge.target_part, 0) | new
                    origin = _Node(edge.source_part, next(bits(begin)))
                    before.update((_Node(edge.target_part, each), (origin, edge)) for each in bits(new))
            found = reached[""] & target
            if found:
                return self._steps(_Node("", next(bits(found))), before)
            front = {part: types if part else types & ~through for part, types in following.items()}
        return ()

    def _steps(self, node: _Node, before: dict[_Node, tuple[_Node, _Edge]]) -> tuple[FlowStep, ...]:
        steps: list[FlowStep] = []
        names = self.policy.types
        while node in before:
            previous, edge = before[node]
            steps.append(FlowStep(names[previous.type].name, names[node.type].name, edge.rule))
            node = previous
        return tuple(reversed(steps))


def flow_graph(policy: LinkedPolicy, rules: Sequence[TracedRule]) -> FlowGraph:
    """The graph of the rules that count."""
    masks = _class_masks(policy.abi)
    edges = list(_one_domain(policy))
    for rule in rules:
        sources, targets = policy.expand(rule.source), policy.expand(rule.target)
        for part, reads, writes in masks[rule.security_class]:
            if rule.permissions & writes:
                edges.append(_Edge(sources, "", targets, part, rule))
            if rule.permissions & reads:
                edges.append(_Edge(targets, part, sources, "", rule))
    return FlowGraph(policy, tuple(edges))


def _one_domain(policy: LinkedPolicy) -> Iterator[_Edge]:
    """The labels of one domain, as steps in both directions."""
    domain = policy.abi.class_id("domain") - 1 if policy.abi.has_class("domain") else -1
    for rule in policy.type_rules:
        if rule.kind is TypeRuleKind.TYPE_TRANSITION and rule.security_class == domain:
            yield _Edge(1 << rule.target, "", 1 << rule.result, "", None)
            yield _Edge(1 << rule.result, "", 1 << rule.target, "", None)


def _class_masks(abi: Abi) -> list[list[tuple[str, int, int]]]:
    """For each class, by part: the permissions that read and those that write, as bit sets."""
    found: list[list[tuple[str, int, int]]] = []
    for name, permissions in abi.all_classes:
        parts: dict[str, tuple[int, int]] = {}
        for bit, permission in enumerate(permissions):
            flow = flow_of(name, permission)
            reads, writes = parts.get(flow.part, (0, 0))
            parts[flow.part] = (reads | flow.reads << bit, writes | flow.writes << bit)
        found.append([(part, reads, writes) for part, (reads, writes) in parts.items()])
    return found
