"""One solver on one graph: `python -m bench.resolve.solvers SOLVER MAKER ARGUMENT...` prints the outcome as JSON.

A process of its own, so that a solver that never ends or eats the memory disturbs nobody.  What is measured begins
when the graph is there and ends with the answer.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterable
from time import process_time

from dependency_graphs import MAKERS, Graph, Interval, problem_with

Answer = dict[str, int] | None


def solve_with_polpkg(graph: Graph) -> Callable[[], Answer]:
    from polpkg.errors import ResolutionError
    from polpkg.packages.index.release import Release
    from polpkg.packages.requirement import Requirement
    from polpkg.packages.resolver.request import ResolutionRequest
    from polpkg.packages.resolver.resolve import resolve

    class Source:
        def releases(self, package: str) -> tuple[Release, ...]:
            return releases.get(package, ())

        def prefetch(self, packages: Iterable[str]) -> None:
            pass

        def names(self) -> tuple[str, ...]:
            return tuple(releases)

        def elsewhere(self, package: str) -> tuple[str, ...]:
            return ()

    releases = {
        name: tuple(
            Release(name, str(version), "bench", {need: interval.specifier for need, interval in requires.items()})
            for version, requires in enumerate(table, start=1)
        )
        for name, table in graph.packages.items()
    }
    asked = tuple(Requirement(name, interval.specifier) for name, interval in graph.requirements.items())

    def run() -> Answer:
        try:
            resolution = resolve(ResolutionRequest(asked), Source())
        except ResolutionError:
            return None
        return {package.name: int(package.version) for package in resolution.packages}

    return run


def solve_with_nab(graph: Graph) -> Callable[[], Answer]:
    from nab_resolver.errors import ResolutionError
    from nab_resolver.ranges import Range
    from nab_resolver.resolver import BaseProvider, Resolver

    def range_of(interval: Interval) -> Range[int]:
        return Range.between(interval.low, interval.high + 1)

    class Provider(BaseProvider[str, int]):
        def choose_version(self, package, version_range):
            return next((v for v in range(len(graph.packages[package]), 0, -1) if v in version_range), None)

        def has_satisfying_version(self, package, version_range):
            return self.choose_version(package, version_range) is not None

        def get_dependencies(self, package, version):
            return requires[package][version - 1]

        def prioritize(self, package, version_range, conflict_counts, culprit_counts=None):
            left = sum(v in version_range for v in range(1, len(graph.packages[package]) + 1))
            return (-conflict_counts.get(package, 0), left, package)

        def widen_decision(self, package, version):
            return None

    requires = {
        name: [{need: range_of(interval) for need, interval in row.items()} for row in table]
        for name, table in graph.packages.items()
    }
    asked = {name: range_of(interval) for name, interval in graph.requirements.items()}

    def run() -> Answer:
        try:
            return dict(Resolver(Provider(), max_iterations=10**9).resolve(asked))
        except ResolutionError:
            return None

    return run


def solve_with_resolvelib(graph: Graph) -> Callable[[], Answer]:
    import resolvelib

    class Provider(resolvelib.AbstractProvider):
        def identify(self, requirement_or_candidate):
            return requirement_or_candidate[0]

        def get_preference(self, identifier, resolutions, candidates, information, backtrack_causes):
            cause = any(identifier in (c.requirement[0], c.parent and c.parent[0]) for c in backtrack_causes)
            return (not cause, identifier)

        def find_matches(self, identifier, requirements, incompatibilities):
            intervals = [interval for _, interval in requirements[identifier]]
            bad = {version for _, version in incompatibilities[identifier]}
            versions = range(len(graph.packages[identifier]), 0, -1)
            return [(identifier, v) for v in versions if v not in bad and all(v in i for i in intervals)]

        def is_satisfied_by(self, requirement, candidate):
            return candidate[1] in requirement[1]

        def get_dependencies(self, candidate):
            return list(graph.packages[candidate[0]][candidate[1] - 1].items())

    def run() -> Answer:
        resolver = resolvelib.Resolver(Provider(), resolvelib.BaseReporter())
        try:
            result = resolver.resolve(list(graph.requirements.items()), max_rounds=10**9)
        except resolvelib.ResolutionImpossible:
            return None
        return {name: version for name, (_, version) in result.mapping.items()}

    return run


def solve_with_pubgrub(graph: Graph) -> Callable[[], Answer]:
    from pubgrub_py import ResolutionError, Resolver

    def specifier(interval: Interval) -> str:
        return f">={interval.low}.0.0, <={interval.high}.0.0"

    resolver = Resolver()
    for name, table in graph.packages.items():
        for version, requires in enumerate(table, start=1):
            resolver.add_package(name, f"{version}.0.0", {need: specifier(i) for need, i in requires.items()})
    asked = {name: specifier(interval) for name, interval in graph.requirements.items()}

    def run() -> Answer:
        try:
            found = resolver.resolve(asked)
        except ResolutionError:
            return None
        return {name: int(version.split(".")[0]) for name, version in found.items()}

    return run


SOLVERS = {
    "polpkg": solve_with_polpkg,
    "nab-resolver": solve_with_nab,
    "resolvelib": solve_with_resolvelib,
    "pubgrub-py": solve_with_pubgrub,
}


def main(solver: str, maker: str, *arguments: str) -> None:
    graph = MAKERS[maker](*map(int, arguments))
    run = SOLVERS[solver](graph)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = process_time()
    answer = run()
    seconds = process_time() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    problem = "" if answer is None else problem_with(answer, graph)
    outcome = {"seconds": seconds, "kilobytes": memory, "found": answer is not None, "problem": problem}
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
