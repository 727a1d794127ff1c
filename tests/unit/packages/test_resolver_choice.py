"""Which version is chosen: what a lock has, then what suits the search, then the highest or the lowest."""

from __future__ import annotations

import pytest

from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.resolver.provider import CatalogProvider
from polpkg.packages.resolver.request import ResolutionRequest

ALL = 0b1111


@pytest.fixture
def choose(memory_index):
    releases = [Release("a", str(version), "") for version in range(1, 5)]
    catalog = Catalog([memory_index("main", *releases)])

    def run(allowed, favourite=0, **request):
        provider = CatalogProvider(ResolutionRequest((), **request), catalog)
        return provider.versions("a").releases[provider.choose("a", allowed, favourite)].version

    return run


def test_the_highest_or_the_lowest(choose):
    assert choose(ALL) == "4"
    assert choose(ALL, minimal=True) == "1"


def test_what_suits_the_search_comes_before_them(choose):
    assert choose(ALL, 0b0010) == "2"
    assert choose(ALL, 0b0100, minimal=True) == "3"
    assert choose(0b1100, 0b0010) == "4"


def test_what_a_lock_has_comes_first(choose):
    assert choose(ALL, 0b0010, prefer={"a": "3"}) == "3"
    assert choose(0b0011, 0b0001, prefer={"a": "3"}) == "1"
