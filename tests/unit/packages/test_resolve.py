from __future__ import annotations

import pytest

from polpkg.errors import ExitCode, PolicyError, ResolutionError, UsageError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.order import requirement_order
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve


@pytest.fixture
def attempt(memory_index):
    def run(releases, *requirements, **request):
        catalog = Catalog([memory_index("main", *releases)])
        asked = ResolutionRequest(tuple(parse_requirement(text) for text in requirements), **request)
        return resolve(asked, catalog)

    return run


@pytest.fixture
def failure(attempt):
    def run(*arguments, **request):
        with pytest.raises(ResolutionError) as caught:
            attempt(*arguments, **request)
        assert caught.value.exit_code is ExitCode.NO_SOLUTION
        return caught.value

    return run


def release(name, version, requires="", **fields):
    parsed = [parse_requirement(text) for text in requires.split()]
    return Release(name, version, "", {r.name: r.specifier for r in parsed}, **fields)


def versions(resolution):
    return {package.name: package.version for package in resolution.packages}


def test_takes_the_highest_versions(attempt):
    releases = [release("a", "1.9", "b"), release("a", "1.10", "b"), release("b", "2")]
    assert versions(attempt(releases, "a")) == {"a": "1.10", "b": "2"}


def test_goes_back_to_an_older_version_when_it_must(attempt):
    releases = [release("a", "2", "b>=2"), release("a", "1", "b"), release("b", "1"), release("b", "2", "c>=9")]
    assert versions(attempt(releases, "a")) == {"a": "1", "b": "1"}


def test_explains_a_conflict_of_requirements(failure):
    releases = [
        release("vmv", "1", "s>=2 c<2"),
        release("s", "1"),
        release("s", "2", "c>=2"),
        release("c", "1"),
        release("c", "2"),
    ]
    error = failure(releases, "vmv")
    assert error.code == "no-solution"
    assert error.derivation == (
        (
            "1. Because s 2 requires c>=2, because vmv 1 requires s>=2, and because vmv 1 requires c<2, "
            "vmv 1 cannot be chosen."
        ),
        "2. By 1, and because you asked for vmv, no set of versions fits.",
    )


def test_an_unknown_name_is_an_error_with_the_nearest_name(failure):
    error = failure([release("vmv", "1")], "vvm")
    assert (error.code, error.hint) == ("unknown-package", "did you mean `vmv`?")
    assert error.derivation == (
        "1. Because you asked for vvm and no index has a package of that name, no set of versions fits.",
    )


def test_an_unknown_name_deeper_down_is_explained(failure):
    error = failure([release("a", "1", "gone")], "a")
    assert "a 1 requires gone and no index has a package of that name" in error.derivation[0]


def test_says_which_versions_there_are(failure):
    assert "there is 2, 1" in failure([release("a", "1"), release("a", "2")], "a>=3").derivation[0]


def test_yanked_versions_are_left_out(attempt, failure):
    releases = [release("a", "1"), release("a", "2", yanked="hole")]
    assert versions(attempt(releases, "a")) == {"a": "1"}
    assert "is yanked (hole)" in failure(releases, "a>=2").derivation[0]


def test_yanked_versions_stay_when_locked_or_named_exactly(attempt):
    releases = [release("a", "1"), release("a", "2", yanked="hole")]
    assert versions(attempt(releases, "a", prefer={"a": "2"})) == {"a": "2"}
    assert versions(attempt(releases, "a==2")) == {"a": "2"}


def test_prereleases_only_when_asked_for(attempt, failure):
    releases = [release("a", "1"), release("a", "2rc1")]
    assert versions(attempt(releases, "a")) == {"a": "1"}
    assert versions(attempt(releases, "a>=2rc1")) == {"a": "2rc1"}
    assert versions(attempt(releases, "a", prereleases=frozenset("a"))) == {"a": "2rc1"}
    assert "pre-release" in failure(releases, "a>=1.5").derivation[0]


def test_a_package_may_ask_for_prereleases_of_another(attempt):
    releases = [release("a", "1", "lib>=2rc1"), release("b", "1", "lib"), release("lib", "1"), release("lib", "2rc1")]
    assert versions(attempt(releases, "a", "b")) == {"a": "1", "b": "1", "lib": "2rc1"}
    assert versions(attempt(releases, "b")) == {"b": "1", "lib": "1"}


def test_prereleases_asked_for_late_are_found_all_the_same(attempt):
    releases = [release("a", "1", "lib>1 z"), release("z", "1", "y"), release("y", "1", "lib==2rc1")]
    releases += [release("lib", "1"), release("lib", "2rc1"), release("lib", "3rc1")]
    assert versions(attempt(releases, "a"))["lib"] == "2rc1"


@pytest.mark.parametrize(("asked", "chosen"), [("a", "1"), ("a<2", "2rc1")])
def test_only_a_version_that_is_chosen_asks_for_prereleases(attempt, asked, chosen):
    releases = [release("a", "3", "x==1 y"), release("a", "2", "lib"), release("a", "1", "lib>=1rc1")]
    releases += [release("y", "1", "x==2"), release("x", "1"), release("x", "2")]
    releases += [release("lib", "1"), release("lib", "2rc1")]
    assert versions(attempt(releases, asked))["lib"] == chosen


def test_a_package_that_has_only_prereleases_needs_no_asking(attempt):
    assert versions(attempt([release("a", "1rc1"), release("a", "1rc2")], "a")) == {"a": "1rc2"}


def test_locked_versions_are_kept_where_they_fit(attempt):
    releases = [release("a", "1", "b"), release("b", "1"), release("b", "2")]
    assert versions(attempt(releases, "a", prefer={"b": "1"})) == {"a": "1", "b": "1"}
    assert versions(attempt(releases, "a", "b>1", prefer={"b": "1"})) == {"a": "1", "b": "2"}
    assert versions(attempt(releases, "a", prefer={"b": "7"})) == {"a": "1", "b": "2"}


def test_conflicts_hold_in_both_directions(failure, attempt):
    releases = [release("a", "1", conflicts={"b": "<2"}), release("b", "1"), release("b", "2")]
    assert versions(attempt(releases, "a", "b")) == {"a": "1", "b": "2"}
    assert "a 1 conflicts with b 1" in failure(releases, "a", "b==1").derivation[0]


def test_a_conflict_with_an_absent_package_is_none(attempt):
    assert versions(attempt([release("a", "1", conflicts={"gone": "*"})], "a")) == {"a": "1"}


def test_options_add_requirements(attempt, failure):
    releases = [release("a", "1", options={"audit": {"log": ">=1"}}), release("log", "1")]
    assert versions(attempt(releases, "a")) == {"a": "1"}
    resolution = attempt(releases, "a", options={"a": ("audit",)})
    assert versions(resolution) == {"a": "1", "log": "1"}
    assert resolution["a"].requires == {"log": (">=1",)}
    error = failure(releases[:1], "a", options={"a": ("audit",)})
    assert "a 1 with the option audit requires log>=1" in error.derivation[0]


def test_a_version_without_the_option_is_not_chosen(attempt, failure):
    releases = [release("a", "1", options={"audit": {}}), release("a", "2")]
    assert versions(attempt(releases, "a", options={"a": ("audit",)})) == {"a": "1"}
    assert "has no option x" in failure(releases, "a", options={"a": ("x",)}).derivation[0]


def test_an_option_of_a_package_that_is_not_needed_is_an_error(attempt):
    with pytest.raises(UsageError) as caught:
        attempt([release("a", "1")], "a", options={"b": ("audit",)})
    assert caught.value.code == "option-of-absent-package"


def test_two_packages_cannot_hold_an_exclusive_function_for_everyone(failure, attempt):
    both = {"functions": ("domain-builder",), "clients": "*"}
    releases = [release("a", "1", **both), release("b", "1", **both), release("b", "0")]
    assert versions(attempt(releases, "a", "b")) == {"a": "1", "b": "0"}
    assert "a 1 and b 1 both claim domain-builder for every client" in " ".join(
        failure(releases, "a", "b==1").derivation
    ).replace("b 1 and a 1", "a 1 and b 1")


@pytest.mark.parametrize(("function", "clients"), [("net-backend", "*"), ("domain-builder", "")])
def test_other_claims_go_together(attempt, function, clients):
    releases = [release(name, "1", functions=(function,), clients=clients) for name in "ab"]
    assert versions(attempt(releases, "a", "b")) == {"a": "1", "b": "1"}


def test_the_xen_release_rules_versions_out(attempt, failure):
    releases = [release("a", "1", xen=">=4.14"), release("a", "2", xen=">=4.20")]
    assert versions(attempt(releases, "a")) == {"a": "2"}
    assert versions(attempt(releases, "a", xen="4.17.7")) == {"a": "1"}
    assert "is meant for Xen >=4.20, and this is Xen 4.17.7" in failure(releases, "a==2", xen="4.17.7").derivation[0]


def test_packages_in_requirement_order(attempt):
    releases = [release("a", "1", "z"), release("b", "1"), release("z", "1", "y"), release("y", "1")]
    assert [p.name for p in attempt(releases, "a", "b").in_order()] == ["b", "y", "z", "a"]


def test_a_cycle_of_requirements_is_named():
    with pytest.raises(PolicyError) as caught:
        requirement_order({"a": ["b"], "b": ["c"], "c": ["b"], "d": []})
    assert caught.value.message == "packages require each other: b -> c -> b"


def test_a_pigeonhole_is_refused(failure):
    """Five packages that each need one of four places, and the places shut each other out."""
    releases = [
        Release(f"guest{guest}", str(place), "", {f"place{place}": f"=={guest}"})
        for guest in range(5)
        for place in range(4)
    ]
    releases += [Release(f"place{place}", str(guest), "") for place in range(4) for guest in range(5)]
    assert (
        failure(releases, *(f"guest{guest}" for guest in range(5))).derivation[-1].endswith("no set of versions fits.")
    )


def test_requirements_of_paths_have_been_named_before(memory_index):
    catalog = Catalog([], paths={"a": memory_index("path", Release("a", "1rc1", ""))})
    request = ResolutionRequest((Requirement("", "", "./a").named("a"),))
    assert versions(resolve(request, catalog)) == {"a": "1rc1"}


def test_long_lists_of_versions_stay_short(failure):
    releases = [release("a", str(number)) for number in range(20)]
    assert "(there is 19, 18, 17, 16, 15 and 15 older)" in failure(releases, "a>99").derivation[0]
    odd = [release("a", str(number), yanked="odd" if number % 2 else "") for number in range(20)]
    odd += [release("b", "1", "a!=0,!=2,!=4,!=6,!=8,!=10,!=12,!=14,!=16,!=18")]
    assert "a 1 to 19 (10 of the versions) is yanked (odd)" in failure(odd, "b").derivation[0]
