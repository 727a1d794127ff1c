"""Overrides and lowest versions, in a resolution."""

from __future__ import annotations

import pytest

from polpkg.errors import ResolutionError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.requirement import Requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve


@pytest.fixture
def catalog(memory_index):
    return Catalog(
        [
            memory_index(
                "main",
                Release("app", "1", "", {"lib": ">=2"}),
                Release("app", "2", "", {"lib": ">=3"}),
                *(Release("lib", str(n), "", yanked="bad" if n == 4 else "") for n in (1, 2, 3, 4)),
                Release("lib", "5rc1", ""),
            )
        ]
    )


def versions(catalog, *requirements, **settings):
    asked = tuple(Requirement(*requirement) for requirement in requirements)
    return {p.name: p.version for p in resolve(ResolutionRequest(asked, **settings), catalog).packages}


def test_an_override_counts_for_packages_and_for_what_is_asked(catalog):
    assert versions(catalog, ("app",), overrides={"lib": "<2"}) == {"app": "2", "lib": "1"}
    assert versions(catalog, ("app",), ("lib", ">=3"), overrides={"lib": "<2"}) == {"app": "2", "lib": "1"}
    assert versions(catalog, ("app", ">=2"), overrides={"app": "==1"}) == {"app": "1", "lib": "3"}


def test_an_override_that_names_a_version_may_name_a_withdrawn_one(catalog):
    assert versions(catalog, ("app",), overrides={"lib": "==4"})["lib"] == "4"
    assert versions(catalog, ("app",), overrides={"lib": ">=5rc1"})["lib"] == "5rc1"


def test_an_override_of_what_is_not_needed_needs_nothing(catalog):
    assert versions(catalog, ("lib",), overrides={"other": "==9"}) == {"lib": "3"}


def test_a_proof_says_that_an_override_is_at_work(catalog):
    with pytest.raises(ResolutionError) as caught:
        versions(catalog, ("app",), overrides={"lib": ">=9"})
    assert any("lib>=9 (override)" in line for line in caught.value.derivation)


def test_a_path_is_what_it_is(catalog):
    assert versions(catalog, ("lib", "", "./lib"), overrides={"lib": "==9"})["lib"]


def test_lowest_versions(catalog):
    assert versions(catalog, ("app",), minimal=True) == {"app": "1", "lib": "2"}
    assert versions(catalog, ("app",), ("lib", ">=3"), minimal=True) == {"app": "1", "lib": "3"}
    assert versions(catalog, ("app",), minimal=True, prefer={"lib": "3"}) == {"app": "1", "lib": "3"}
