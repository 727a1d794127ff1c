"""Flows of information: the table of directions, and the ways through a policy."""

from __future__ import annotations

import itertools
import random

import pytest
from bundled_policies import link_bundled
from policy_packages import base, linked

from polpkg.policy.abi import known_tables
from polpkg.policy.analysis.flow import flow_graph
from polpkg.policy.analysis.flow_map import Flow, flow_map, flow_of
from polpkg.policy.analysis.rules_in_force import rules_in_force


def test_every_permission_of_every_xen_has_a_direction():
    known = {(c.name, p) for table in known_tables() for c in table.classes for p in c.permissions}
    assert known == set(flow_map())
    assert sum(len(line.split()) - 2 for line in _lines()) == len(flow_map()), "a permission stands there twice"


def _lines():
    from polpkg.policy.analysis import flow_map as module

    return module._TABLE.strip().splitlines()


def test_directions():
    assert flow_of("grant", "map_read") == Flow(reads=True, writes=False)
    assert flow_of("grant", "copy") == Flow(reads=False, writes=True)
    assert flow_of("xen", "writeconsole") == Flow(reads=False, writes=True, part="console")
    assert flow_of("of_user_space", "x") == Flow(reads=True, writes=True)


TEXT = """
attribute both;
type a, both; type b, both; type c, domain_type; type d; type d_self; type e;
type_transition d d:domain d_self;
bool on false;
bool off false;
allow a b:mmu map_write;
allow c b:mmu map_read;
allow d_self c:mmu map_read;
if (on) { allow e d:mmu map_read; }
if (on && off) { allow e a:mmu map_read; } else { allow e b:domain pause; }
"""


@pytest.fixture(scope="module")
def policy():
    return linked(base(TEXT)).policy


def way(policy, source, target, through=(), **booleans):
    def types(names):
        return sum(policy.expand(policy.number_of_type(name)) for name in names)

    graph = flow_graph(policy, rules_in_force(policy, booleans, possible=True))
    steps = graph.find_path(types([source]), types([target]), types(through))
    return " ".join((steps[0].source, *(step.target for step in steps))) if steps else ""


def test_ways(policy):
    assert way(policy, "a", "b") == "a b"
    assert way(policy, "b", "a") == ""
    assert way(policy, "a", "c") == "a b c"
    assert way(policy, "a", "c", through=["b"]) == ""
    assert way(policy, "a", "d") == "a b c d_self d"
    assert way(policy, "a", "e", on=True) == "a e"
    assert way(policy, "a", "e", off=False, on=False) == ""
    assert way(policy, "a", "e") == "a e"
    assert way(policy, "a", "e", off=False) == "a b c d_self d e"
    assert way(policy, "both", "both") == "a b"
    assert way(policy, "e", "b", on=False) == "e b"


def test_ways_are_those_that_a_plain_search_finds():
    """The oracle: single steps, written down one by one, and a search that knows nothing of bit sets."""
    policy = link_bundled("4.22", "vmv", "netdom", "stordom")
    rules = rules_in_force(policy, {"show_event_channels": False}, possible=True)
    steps = set(_plain_steps(policy, rules))
    following = {}
    for one, other in steps:
        following.setdefault(one, set()).add(other)
    graph = flow_graph(policy, rules)
    names = [t.name for t in policy.types if not t.is_attribute]
    chosen = random.Random(1).sample(list(itertools.permutations(names, 2)), 150)
    through = {"dom0_t", "domio_t"}
    mask = sum(1 << policy.number_of_type(name) for name in through)
    found = 0
    for one, other in chosen:
        path = graph.find_path(1 << policy.number_of_type(one), 1 << policy.number_of_type(other), mask)
        expected = _distance(following, ("", one), ("", other), {("", name) for name in through})
        assert len(path) == expected, (one, other)
        found += bool(path)
    assert 0 < found < len(chosen)


def _plain_steps(policy, rules):
    names = [t.name for t in policy.types]

    def members(number):
        symbol = policy.types[number]
        return [n for i, n in enumerate(names) if symbol.members >> i & 1] if symbol.is_attribute else [symbol.name]

    for rule in rules:
        known = policy.abi.all_classes[rule.security_class]
        for bit, permission in enumerate(known.permissions):
            if rule.permissions >> bit & 1:
                flow = flow_of(known.name, permission)
                for source, target in itertools.product(members(rule.source), members(rule.target)):
                    if flow.writes:
                        yield ("", source), (flow.part, target)
                    if flow.reads:
                        yield (flow.part, target), ("", source)
    domain = policy.abi.class_id("domain") - 1
    for rule in policy.type_rules:
        if rule.security_class == domain:
            yield ("", names[rule.target]), ("", names[rule.result])
            yield ("", names[rule.result]), ("", names[rule.target])


def _distance(following, start, end, closed):
    front, seen, length = {start}, {start}, 0
    while front:
        length += 1
        front = {n for each in front if each == start or each not in closed for n in following.get(each, ())} - seen
        if end in front:
            return length
        seen |= front
    return 0
