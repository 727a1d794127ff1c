"""Proofs: short, minimal, about what truly conflicts, and with a hint where there is one."""

from __future__ import annotations

import pytest
from dependency_graphs import pigeonhole, unsatisfiable

from polpkg.errors import ResolutionError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve


@pytest.fixture
def refusal(memory_index):
    def run(releases, *requirements, **request):
        asked = tuple(parse_requirement(text) for text in requirements)
        with pytest.raises(ResolutionError) as caught:
            resolve(ResolutionRequest(asked, **request), Catalog([memory_index("main", *releases)]))
        return caught.value

    return run


@pytest.fixture
def refusal_of(refusal):
    def run(graph):
        releases = [
            Release(name, str(version), "", {need: interval.specifier for need, interval in row.items()})
            for name, table in graph.packages.items()
            for version, row in enumerate(table, start=1)
        ]
        return refusal(releases, *(f"{name}{interval.specifier}" for name, interval in graph.requirements.items()))

    return run


def test_a_long_proof_has_a_short_form_that_names_everyone(refusal_of):
    error = refusal_of(pigeonhole(6))
    assert len(error.derivation) == 8
    assert all(f"guest{number}" in " ".join(error.derivation) for number in range(1, 7))
    assert len(error.derivation_full) > 60
    assert f"takes {len(error.derivation_full)} steps" in error.derivation[-1]
    for lines in (error.derivation, error.derivation_full):
        assert lines[-1].endswith("no set of versions fits.")


def test_what_has_nothing_to_do_with_it_is_left_out(refusal_of):
    graph = unsatisfiable(150, 10, 1)
    text = "\n".join(refusal_of(graph).derivation)
    assert "apple>=1,<=5" in text
    assert "apple>=6,<=10" in text
    assert not any(f"p{number} " in text for number in range(149))
    assert len(text.splitlines()) < 30


def test_lines_refer_only_to_lines_before(refusal_of):
    import re

    for number, line in enumerate(refusal_of(pigeonhole(4)).derivation_full, start=1):
        assert line.startswith(f"{number}. ")
        by = re.match(r"\d+\. By ([\d, and]+?),? (?:and )?because|\d+\. By ([\d, and]+),", line)
        if by:
            assert all(int(other) < number for other in re.findall(r"\d+", by[1] or by[2]))


@pytest.mark.parametrize(
    ("releases", "requirements", "request_fields", "hint"),
    [
        (
            [Release(name, "1", "", functions=("domain-builder",), clients="*") for name in ("vmv", "other")],
            ["vmv", "other"],
            {},
            "only one package can hold domain-builder: remove `other` or `vmv`",
        ),
        (
            [Release("a", "1", "", conflicts={"b": "*"}), Release("b", "1", "")],
            ["a", "b"],
            {},
            "remove `a` or `b`",
        ),
        (
            [Release("a", "1", "", yanked="hole")],
            ["a"],
            {},
            "a yanked version is taken only when it is named exactly, as in `a==1`",
        ),
        (
            [Release("a", "1", ""), Release("a", "2rc1", "")],
            ["a>1"],
            {},
            "to allow pre-releases, name one, as in `a>=2rc1`",
        ),
        ([Release("a", "1", "", xen=">=4.20")], ["a"], {"xen": "4.17.7"}, "`a` needs a hypervisor of Xen >=4.20"),
        (
            [Release("a", "1", "", {"xen-bsae": ""}), Release("xen-base", "1", "")],
            ["a"],
            {},
            "did you mean `xen-base`?",
        ),
        ([Release("a", "1", "", {"b": ">1"}), Release("b", "1", "")], ["a"], {}, ""),
    ],
)
def test_hints(refusal, releases, requirements, request_fields, hint):
    assert refusal(releases, *requirements, **request_fields).hint == hint


def test_a_failure_is_the_same_every_time(refusal_of):
    assert list(refusal_of(pigeonhole(5)).derivation_full) == list(refusal_of(pigeonhole(5)).derivation_full)


@pytest.mark.parametrize("guests", [2, 3, 5, 6])
def test_the_length_of_a_proof_is_known_before_it_is_put_into_words(refusal_of, guests):
    whole = refusal_of(pigeonhole(guests)).derivation_full
    assert len(whole) == len(list(whole))


def test_a_requirement_on_itself(refusal, memory_index):
    fine = Catalog([memory_index("main", Release("a", "1", "", {"a": ">=1"}))])
    assert resolve(ResolutionRequest((Requirement("a"),)), fine).packages[0].version == "1"
    assert refusal([Release("a", "1", "", {"a": ">=2"})], "a").derivation


@pytest.mark.parametrize("package", ["lib", "app"])
def test_a_name_that_only_another_index_has(memory_index, package):
    indexes = [memory_index("one", Release("app", "1", "", {"lib": ""})), memory_index("two", Release("lib", "1", ""))]
    mapping = {"lib": "one"}
    with pytest.raises(ResolutionError) as caught:
        resolve(ResolutionRequest((Requirement(package),)), Catalog(indexes, mapping=mapping))
    assert caught.value.hint == '`two` has it, but [index-map] gives `lib` to another index: lib = "two"'
    assert "lib" in caught.value.derivation[-1] or "lib" in caught.value.derivation[0]


def test_a_name_that_no_index_has_is_elsewhere_nowhere(memory_index):
    catalog = Catalog([memory_index("one", Release("lib", "1", ""))], mapping={"gone": "one"})
    assert (catalog.elsewhere("gone"), catalog.elsewhere("lib")) == ((), ())
