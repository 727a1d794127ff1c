"""What fragments say for themselves: `refuse` stops the build with their words, `errprint` warns with them."""

from __future__ import annotations

import pytest
from policy_packages import ABI, BASE

from polpkg.diagnostics import Severity, Source
from polpkg.errors import PolicyError
from polpkg.policy.link import link
from polpkg.policy.modules import Environment, PackageSource, build_modules
from polpkg.policy.templates import Unit


def build(text, units=()):
    base = PackageSource("base", "1.0", (Source("policy/base.te", BASE, "base", "1.0"),))
    source = Source("policy/app.te", text, "app", "1.0")
    app = PackageSource("app", "1.0", (source,), requires=frozenset({"base"}), units=units)
    return build_modules((base, app), Environment(ABI))


def test_refuse_stops_with_its_message_its_hint_and_the_place_of_the_call():
    with pytest.raises(PolicyError) as caught:
        build("define(`check', `refuse(`no such\n\tthing', `leave it')')\n\ncheck()\n")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.message, problem.hint) == ("refused-by-package", "no such thing", "leave it")
    assert problem.origin is not None
    assert (problem.origin.package, problem.origin.file, problem.origin.line) == ("app", "policy/app.te", 4)


def test_refuse_that_is_not_reached_says_nothing():
    assert build("ifelse(`a', `b', `refuse(`never')')")


def test_errprint_is_a_warning_of_the_link_once():
    result = link(build("errprint(`mind\tthe gap')\n"), ABI)
    (warning,) = result.warnings
    assert (warning.code, warning.message, warning.severity) == ("said-by-package", "mind the gap", Severity.WARNING)
    assert warning.origin is not None
    assert (warning.origin.package, warning.origin.line) == ("app", 1)


def test_many_instances_that_warn_are_expanded_word_for_word():
    units = tuple(Unit(Source("polpkg.toml", "", "app", "1.0"), 1, "warn(\x01)", (f"item{n}",)) for n in range(12))
    *_, app = build("define(`warn', `errprint(`see $1')')", units)
    assert [warning.message for warning in app.warnings] == [f"see item{n}" for n in range(12)]
