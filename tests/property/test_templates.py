"""Packages with many instances: repeating statements comes to the same as expanding every call."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError, PolpkgError
from polpkg.ops.assembly import assemble
from polpkg.ops.context import Context
from polpkg.ops.resolution import load_packages, resolve_requirements
from polpkg.packages.project import Project
from polpkg.policy import modules, templates
from polpkg.policy.abi import load_abi
from polpkg.policy.modules import Environment, PackageSource, build_modules

NAMES = ("a", "b1", "web", "vmv", "guest", "t", "dom0", "self", "channel", "x-y", "index", "role", "a-b", "b")
names = st.sampled_from(NAMES)
usable = st.sampled_from(("a", "b1", "web", "vmv", "guest", "t", "dom0", "channel", "x-y", "a-b", "b"))
guests = st.lists(usable, min_size=1, max_size=4, unique=True).map(tuple)
NEVER = 10**9


def modules_of(sources, environment, worth_while):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modules, "expand_package", partial(templates.expand_package, worth_while=worth_while))
        return build_modules(sources, environment)


def described(found):
    """Everything about modules that anybody can see, places as origins."""
    return [
        (
            module.package,
            [(type(s).__name__, s[1:], s.place.origin()) for s in map(without_inner_places, module.statements)],
            [(*use[:3], use.place.origin(), use.place.source.line(use.place.line)) for use in module.macro_uses],
        )
        for module in found
    ]


def outcome(sources, environment, worth_while):
    try:
        return described(modules_of(sources, environment, worth_while))
    except PolicyError as error:
        return [str(d) for d in error.diagnostics]


def without_inner_places(statement):
    if not hasattr(statement, "then"):
        return statement
    inner = [tuple((r[1:], r.place.origin()) for r in branch) for branch in (statement.then, statement.otherwise)]
    return statement._replace(then=inner[0], otherwise=inner[1])


@st.composite
def projects(draw):
    """Instances of the bundled role packages, some options on."""
    wanted = draw(st.sets(st.sampled_from(["vmv", "netdom", "stordom", "domu"]), min_size=1))
    instances: dict[str, dict[str, dict[str, object]]] = {}
    for package in sorted(wanted - {"domu"}):
        chosen = draw(st.lists(usable, min_size=1, max_size=5, unique=True))
        instances[package] = {n: {"guests": draw(guests)} if package == "vmv" else {} for n in chosen}
    options = {"vmv": ("services",)} if "vmv" in wanted and draw(st.booleans()) else {}
    return Project(packages=dict.fromkeys(sorted(wanted), "*"), instances=instances, options=options)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(projects())
def test_bundled_packages_come_to_the_same(project):
    context = Context()
    try:
        lock, catalog = resolve_requirements(context, project, project.requirements, xen="4.17.7")
        assembly = assemble(load_packages(context, lock, catalog), project)
    except PolpkgError:
        return
    environment = assembly.environment(load_abi("4.17"), mls=False)
    assert outcome(assembly.sources, environment, 1) == outcome(assembly.sources, environment, NEVER)


MACROS = {
    "asks whether it is dom0": "define(`m', `ifelse(`$1', `dom0', `type x_$1_t;', `type $1_t;')')",
    "asks whether two are one": "define(`m', `ifelse(`$1', `$2', `type same_$1;', `type $1_$2_t;')')",
    "looks at the length": "define(`m', `ifelse(len(`$1'), `1', `type short_$1;', `type long_$1;')')",
    "cuts": "define(`m', `type substr(`$1', 0, 1)_t_$2;')",
    "asks for a macro": "define(`a_known')define(`m', `ifdef(`$1_known', `type known_$1;', `type $1_t;')')",
    "joins a macro": "define(`a_b_t', `expanded')define(`m', `type $1_$2_t;')",
    "defines": "define(`m', `define(`$1_own', `$2')type $1_own;')",
    "remembers": "define(`m', `ifdef(`seen', `type again_$1_$2;', `define(`seen')type first_$1_$2;')')",
    "is part of a statement": "define(`m', `allow $1_t')",
    "has a word of the language": "define(`m', `attribute $1;')",
    "has a condition": "define(`m', `if ($1_on) { allow $1_t { $2_t -$1_t }:domain create; }')",
    "has many forms": "define(`m', `type $1_t alias { $1_a $2_a }, $2_type; constrain domain create (t1 == $1_t); "
    "sid dom0 u:r:$1_t\nuser $1_u roles { r $2_r };')",
    "prints": "define(`m', `errprint(`$1')type $1_t;')",
    "is quoted": "define(`m', ``$1'_`$2' type $1_t;')",
    "lists arguments": "define(`m', `$@ $# $*; type $1_t;')",
    "recurses": "define(`n', `type $1_t;')define(`m', `n($1)n($2)shift(n($1), n($2))')",
    "leaves a comment": "define(`m', `type $1_t; `#' all of $2')",
    "asks for the place": "define(`m', `type $1_`'__line__;')",
}


@pytest.mark.parametrize("macro", MACROS.values(), ids=MACROS)
@given(calls=st.lists(st.tuples(names, names), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_macros_that_look_at_names_come_to_the_same(macro, calls):
    manifest = Source("polpkg.toml", "", "p", "1")
    units = tuple(templates.Unit(manifest, 3, "m(\x01, \x02)", call) for call in calls)
    package = PackageSource("p", "1", (Source("policy/m.if", macro + "\n", "p", "1"),), units=units)
    environment = Environment(load_abi("4.17"))
    assert outcome([package], environment, 1) == outcome([package], environment, NEVER)


def test_many_guests_are_expanded_once(monkeypatch):
    manifest = Source("polpkg.toml", "", "p", "1")
    units = tuple(templates.Unit(manifest, 3, "m(\x01)", (f"g{n}",)) for n in range(1000))
    fragment = Source("policy/m.if", "define(`m', `type $1_t;')\n", "p", "1")
    seen: list[int] = []
    plain = templates.expand
    monkeypatch.setattr(templates, "expand", lambda *args, **named: (seen.append(1), plain(*args, **named))[1])
    (module,) = build_modules([PackageSource("p", "1", (fragment,), units=units)], Environment(load_abi("4.17")))
    assert [s.name for s in module.statements] == [f"g{n}_t" for n in range(1000)]
    assert len(seen) == 2
