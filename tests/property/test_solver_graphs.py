"""The solver on seeded graphs: against nab-resolver, against a check of its own answers, and against itself."""

from __future__ import annotations

import random

import pytest
from bench.resolve.solvers import solve_with_nab, solve_with_polpkg
from dependency_graphs import (
    Graph,
    Interval,
    deep,
    impossible,
    layered,
    pigeonhole,
    problem_with,
    realistic,
    tangled,
    unsatisfiable,
    wide,
)

SMALL = [
    *(realistic(40, 6, seed) for seed in range(15)),
    *(layered(5, 4, 5, seed) for seed in range(10)),
    *(tangled(8, 5, seed) for seed in range(25)),
    *(wide(12, 5, seed) for seed in range(10)),
    *(impossible(10, 5, seed) for seed in range(10)),
    *(deep(12, 5, seed) for seed in range(5)),
    pigeonhole(3),
    pigeonhole(5),
    unsatisfiable(60, 6, 1),
]
HARD = {
    "realistic": realistic(1000, 20, 3),
    "layered": layered(30, 10, 15, 3),
    "wide": wide(200, 20, 3),
    "very wide": wide(1000, 20, 2),
    "deep": deep(100, 20, 3),
    "tangled": tangled(40, 10, 3),
    "pigeonhole": pigeonhole(6),
    "unsatisfiable": unsatisfiable(500, 20, 3),
    "impossible": impossible(60, 15, 3),
}


def loosened(graph, dice):
    """The graph without one of the requirements, of a version or of what is asked for."""
    tables = [(name, version) for name, table in graph.packages.items() for version, row in enumerate(table) if row]
    packages = {name: [dict(row) for row in table] for name, table in graph.packages.items()}
    requirements = dict(graph.requirements)
    if len(requirements) > 1 and (not tables or dice.random() < 0.3):
        del requirements[dice.choice(sorted(requirements))]
    else:
        name, version = dice.choice(tables)
        row = packages[name][version]
        del row[dice.choice(sorted(row))]
    return Graph(requirements, packages)


def turned(graph, dice):
    """The same graph, with everything in another order."""
    packages = {
        name: [dict(dice.sample(sorted(row.items()), len(row))) for row in table]
        for name, table in dice.sample(sorted(graph.packages.items()), len(graph.packages))
    }
    return Graph(dict(dice.sample(sorted(graph.requirements.items()), len(graph.requirements))), packages)


@pytest.mark.parametrize("number", range(len(SMALL)))
def test_agrees_with_another_solver(number):
    pytest.importorskip("nab_resolver")
    graph = SMALL[number]
    ours, theirs = solve_with_polpkg(graph)(), solve_with_nab(graph)()
    assert (ours is None) == (theirs is None)
    assert ours is None or not problem_with(ours, graph)


@pytest.mark.parametrize("number", range(len(SMALL)))
def test_dropping_a_requirement_never_breaks_it(number):
    dice = random.Random(number)
    graph = SMALL[number]
    had_answer = solve_with_polpkg(graph)() is not None
    for _ in range(5):
        graph = loosened(graph, dice)
        answer = solve_with_polpkg(graph)()
        assert answer is not None or not had_answer
        had_answer = answer is not None


@pytest.mark.parametrize("name", HARD)
def test_hard_graphs_have_valid_answers_whatever_the_order(name):
    graph = HARD[name]
    answer = solve_with_polpkg(graph)()
    assert (answer is None) == (name in ("pigeonhole", "unsatisfiable", "impossible"))
    assert answer is None or not problem_with(answer, graph)
    assert solve_with_polpkg(turned(graph, random.Random(7)))() == answer


def test_the_check_finds_what_is_wrong():
    graph = Graph({"a": Interval(1, 2)}, {"a": [{}, {"b": Interval(1, 1)}], "b": [{}, {}]})
    assert problem_with({}, graph) == "a is None and must be in >=1,<=2"
    assert problem_with({"a": 2, "b": 2}, graph) == "b is 2 and must be in ==1"
    assert problem_with({"a": 1, "b": 1}, graph) == "b is not needed"
    assert not problem_with({"a": 2, "b": 1}, graph)
