"""Graphs of requirements: order, ways, cycles."""

from itertools import islice

import pytest

from polpkg.errors import PolicyError, UsageError
from polpkg.ops.graph import Graph, find_package, graph_of
from polpkg.packages.lock import LockedPackage, Lockfile
from polpkg.packages.project import read_project
from polpkg.packages.requirement import parse_requirement


def lock_of(**requires):
    packages = (
        LockedPackage(name, "1.0", "0" * 64, "site", tuple(parse_requirement(text) for text in texts))
        for name, texts in sorted(requires.items())
    )
    return Lockfile(tuple(packages))


def graph(asked, **requires):
    return Graph(lock_of(**requires), tuple(parse_requirement(text) for text in asked))


def names(path):
    return [edge.name for edge in path]


def test_every_way_is_found_once():
    diamond = graph(["a"], a=["b", "c>=1"], b=["d"], c=["d<2"], d=[], e=[])
    assert [names(path) for path in diamond.paths("d")] == [["a", "b", "d"], ["a", "c", "d"]]
    assert [edge.specifier for edge in list(diamond.paths("d"))[1]] == ["", ">=1", "<2"]
    assert list(diamond.paths("e")) == []


def test_ways_are_found_one_at_a_time():
    ladder = {"p0": []}
    for level in range(1, 60, 2):
        below = "p0" if level == 1 else f"p{level - 1}"
        ladder |= {f"p{level}": [below], f"q{level}": [below], f"p{level + 1}": [f"p{level}", f"q{level}"]}
    many = graph(["p60"], **ladder)
    assert len(list(islice(many.paths("p0"), 5))) == 5


def test_leaves_and_requiring():
    small = graph(["a"], a=["b>=1"], b=[])
    assert names(small.leaves()) == ["b"]
    assert [(edge.name, edge.specifier) for edge in small.requiring("b")] == [("a", ">=1")]


def test_a_cycle_is_an_error():
    with pytest.raises(PolicyError) as caught:
        graph_of(lock_of(dom0=["b"], b=["dom0"]), read_project(""))
    assert caught.value.code == "requirement-cycle"


def test_the_base_is_told_apart():
    found = graph_of(lock_of(dom0=[], vmv=[]), read_project('[packages]\nvmv = "*"\n'))
    assert names(found.roots()) == ["dom0", "vmv"]
    assert found.base == {"dom0"}
    asked = graph_of(lock_of(dom0=[]), read_project('[packages]\ndom0 = "*"\n'))
    assert not asked.base


def test_an_unknown_package():
    with pytest.raises(UsageError, match="`vm` is not among the packages"):
        find_package(graph(["vmv"], vmv=[]), "vm")
