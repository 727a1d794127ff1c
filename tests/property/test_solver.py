"""The resolver against exhaustive search, on small random worlds."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.errors import ResolutionError
from polpkg.packages.index.release import Release
from polpkg.packages.requirement import Requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve
from polpkg.packages.versions import satisfies

NAMES = ("a", "b", "c", "d", "e")
VERSIONS = ("1", "2", "3")
SPECIFIERS = ("", "==1", "==2", ">=2", "<3", "!=2", ">3")


class World:
    """An index in memory."""

    def __init__(self, releases):
        self._releases = tuple(releases)

    def releases(self, package):
        return tuple(r for r in self._releases if r.name == package)

    def prefetch(self, packages):
        pass

    def names(self):
        return tuple(sorted({r.name for r in self._releases}))

    def elsewhere(self, package):
        return ()

    def shuffled(self, seed):
        releases = list(self._releases)
        random.Random(seed).shuffle(releases)
        return World(releases)


def specifier_tables(excluded):
    names = [name for name in (*NAMES, "missing") if name != excluded]
    return st.dictionaries(st.sampled_from(names), st.sampled_from(SPECIFIERS), max_size=3)


@st.composite
def worlds(draw):
    releases = []
    for name in NAMES:
        for version in VERSIONS[: draw(st.integers(1, 3))]:
            options = {"extra": draw(specifier_tables(name))} if draw(st.booleans()) else {}
            claims = draw(st.booleans()) and draw(st.booleans())
            releases.append(
                Release(
                    name,
                    version,
                    "main",
                    requires=draw(specifier_tables(name)),
                    conflicts=draw(specifier_tables(name)) if draw(st.booleans()) else {},
                    options=options,
                    functions=("console", "net-backend") if claims else (),
                    clients="*" if claims else "",
                    yanked="bad" if draw(st.integers(0, 7)) == 0 else "",
                    xen=draw(st.sampled_from(("", "", ">=4.17", "<4.15"))),
                )
            )
    return World(releases)


requests = st.builds(
    lambda table, option: ResolutionRequest(
        tuple(Requirement(name, specifier) for name, specifier in table.items()),
        options={option: ("extra",)} if option in table else {},
        xen="4.17",
    ),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(SPECIFIERS), min_size=1, max_size=3),
    st.sampled_from(("", "a", "b")),
)


def is_solution(chosen, request):
    """Whether `chosen` (name to release) respects every rule, spelled out without the solver's means."""
    for requirement in request.requirements:
        if requirement.name not in chosen or not satisfies(chosen[requirement.name].version, requirement.specifier):
            return False
    for release in chosen.values():
        options = request.options.get(release.name, ())
        if any(option not in release.options for option in options):
            return False
        if not satisfies("4.17", release.xen):
            return False
        pinned = any(r.name == release.name and r.specifier == f"=={release.version}" for r in request.requirements)
        if release.yanked and not pinned:
            return False
        for table in (release.requires, *(release.options[option] for option in options)):
            for name, specifier in table.items():
                if name not in chosen or not satisfies(chosen[name].version, specifier):
                    return False
        for name, specifier in release.conflicts.items():
            if name in chosen and satisfies(chosen[name].version, specifier):
                return False
    return sum(release.clients == "*" for release in chosen.values()) <= 1


def exists_solution(world, request):
    candidates = [(None, *world.releases(name)) for name in NAMES]
    return any(
        is_solution({r.name: r for r in chosen if r is not None}, request) for chosen in itertools.product(*candidates)
    )


@given(worlds(), requests)
@settings(max_examples=300, deadline=None)
def test_finds_a_solution_exactly_when_there_is_one(world, request):
    if exists_solution(world, request):
        assert is_solution({p.name: p.release for p in resolve(request, world).packages}, request)
    else:
        with pytest.raises(ResolutionError) as caught:
            resolve(request, world)
        assert caught.value.derivation[-1].endswith("no set of versions fits.")


@given(worlds(), requests)
@settings(max_examples=100, deadline=None)
def test_contains_only_what_is_needed(world, request):
    try:
        resolution = resolve(request, world)
    except ResolutionError:
        return
    chosen = {p.name: p for p in resolution.packages}
    reached, pending = set(), [r.name for r in request.requirements]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += chosen[name].requires
    assert reached == set(chosen)


@given(worlds(), requests, st.integers(0, 10))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_input_does_not_matter(world, request, seed):
    turned = ResolutionRequest(request.requirements[::-1], request.options, request.xen)

    def outcome(asked, source):
        try:
            return resolve(asked, source)
        except ResolutionError as error:
            return error.derivation

    assert outcome(request, world) == outcome(turned, world.shuffled(seed))


@given(worlds(), requests)
@settings(max_examples=100, deadline=None)
def test_what_was_resolved_stays_when_it_is_preferred(world, request):
    try:
        before = resolve(request, world)
    except ResolutionError:
        return
    kept = ResolutionRequest(
        request.requirements, request.options, request.xen, prefer={p.name: p.version for p in before.packages}
    )
    assert resolve(kept, world).packages == before.packages


def test_the_search_can_fail_these_properties():
    world = World([Release("a", "1", "main", requires={"b": ">=2"}), Release("b", "1", "main")])
    with pytest.raises(ResolutionError):
        resolve(ResolutionRequest((Requirement("a"),)), world)
