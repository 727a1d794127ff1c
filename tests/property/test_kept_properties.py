"""Packages that were expanded before come to what they came to then: statements, places, exports and findings."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_packages import ABI, BASE, package

from polpkg.errors import PolicyError
from polpkg.ops.assembly import assemble
from polpkg.ops.context import Context
from polpkg.ops.resolution import load_packages, resolve_requirements
from polpkg.packages.project import Project
from polpkg.policy import modules
from polpkg.policy.abi import load_abi
from polpkg.policy.analysis.link_map import write_link_map
from polpkg.policy.analysis.view import view_of
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.ir.text import render_modules
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.modules import Environment, build_modules
from polpkg.policy.templates import expand_package


class Entries:
    """A store in memory that counts how often it had what was asked for."""

    def __init__(self):
        self.known = {}
        self.found = 0

    def get(self, key):
        data = self.known.get(key)
        self.found += data is not None
        return data

    def put(self, key, data):
        self.known[key] = data


class Claims:
    """Owners of one function."""

    def __init__(self, owners):
        self._owners = owners

    def owners(self, function, client):
        return self._owners

    def clients(self, function, owner):
        return ("a_t",)

    def functions(self):
        return ("net-backend",)


@pytest.fixture(autouse=True)
def _everything_is_kept(monkeypatch):
    monkeypatch.setattr(modules, "WORTH_LOOKING", 0)
    monkeypatch.setattr(modules, "WORTH_KEEPING", 0)
    monkeypatch.setattr(modules, "WORTH_WHILE", 1_000_000)


def outcome(packages, store, owners=("xen_t",), abi=ABI):
    """All that can be told about modules, or what is wrong."""
    environment = Environment(abi, owners=Claims(owners))
    try:
        built = build_modules(packages, environment, store)
    except PolicyError as error:
        return error.diagnostics
    about = [(m.owns, m.requires, m.assertions, m.warnings) for m in built]
    uses = [(u.name, u.owner, u.caller, u.place.origin()) for m in built for u in m.macro_uses]
    try:
        result = link(built, abi, LinkOptions(handed=frozenset({"a_t", "xen_t", "dom0_t"})))
    except PolicyError as error:
        return render_modules(built), about, uses, error.diagnostics
    return render_modules(built), about, uses, emit_conf(result.policy), write_link_map(view_of(result.policy))


LINES = st.sampled_from(
    [
        "type a_t, domain_type;",
        "grant(dom0_t, xen_t)",
        "twice(dom0_t)",
        "define(`mine', `allow $1 xen_t:domain pause;')mine(dom0_t)",
        "for_each_owner(net_backend, dom0_t, `grant')",
        "ifowner(net_backend, xen_t, dom0_t, `allow dom0_t xen_t:mmu map_read;')",
        "neverallow ~dom0_t xen_t:resource { use add };",
        "if_not_declared(dom0_t)",
        "bool b true; if (b && !b) { allow dom0_t xen_t:mmu ~map_read; }",
        "optional { require { type a_t; } allow a_t a_t:domain create; }",
        "constrain domain create (u1 == u2 or t1 == dom0_t);",
        "xen_at_least(4, 17, 0, `allow dom0_t xen_t:domain destroy;')",
        "allow dom0_t nobody_t:domain create;",
        "allow dom0_t",
        "errprint(`said')",
    ]
)
MACROS = (
    "define(`grant', `allow $1 $2:domain { create destroy };')define(`twice', `grant($1, dom0_t) grant($1, xen_t)')"
)


def sources(lines):
    base = package("base", BASE, interfaces=MACROS)
    return [
        base,
        package("p", "\n".join(lines) + "\n", requires=("base",)),
        package("q", "twice(xen_t)\n", requires=("base",)),
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, max_size=6))
def test_what_is_kept_is_what_is_made(lines):
    store = Entries()
    made = outcome(sources(lines), None)
    assert outcome(sources(lines), store) == made
    assert outcome(sources(lines), store) == made
    assert store.found >= 2


@settings(deadline=None, max_examples=30)
@given(st.lists(LINES, max_size=4), st.lists(LINES, max_size=4))
def test_other_sources_and_other_owners_are_seen(lines, others):
    store = Entries()
    outcome(sources(lines), store)
    assert outcome(sources(others), store) == outcome(sources(others), None)
    assert outcome(sources(lines), store, owners=("dom0_t",)) == outcome(sources(lines), None, owners=("dom0_t",))


def test_macros_that_a_requirement_exports_are_seen():
    store = Entries()
    before = sources(["twice(dom0_t)"])
    after = [package("base", BASE, interfaces=MACROS.replace("destroy", "pause")), *before[1:]]
    outcome(before, store)
    assert outcome(after, store) == outcome(after, None) != outcome(before, None)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_entries_are_made_anew(data):
    store = Entries()
    lines = ["type a_t, domain_type;", "twice(a_t)", "for_each_owner(net_backend, a_t, `grant')"]
    made = outcome(sources(lines), store)
    for key, entry in store.known.items():
        at = data.draw(st.integers(0, len(entry) - 1))
        what = data.draw(st.sampled_from([entry[:at], entry[:-1] + b"]", b"[]", b"{}", b"\xff", b"null"]))
        store.known[key] = what
    assert outcome(sources(lines), store) == made


def test_bundled_packages_are_found_and_are_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path))
    abi, context = load_abi("4.17"), Context()
    project = Project(packages=dict.fromkeys(("dom0", "vmv", "netdom", "stordom"), "*"))
    lock, catalog = resolve_requirements(context, project, project.requirements, xen="4.17.7")
    assembly = assemble(load_packages(context, lock, catalog), project)

    def policy(store):
        built = build_modules(assembly.sources, assembly.environment(abi, mls=False), store)
        linked = link(built, abi, LinkOptions(handed=assembly.handed)).policy
        return render_modules(built), sha256(write_link_map(view_of(linked))).digest(), emit_conf(linked)

    store = Entries()
    made = policy(None)
    assert policy(store) == made
    expanded = []
    monkeypatch.setattr(modules, "expand_package", lambda *given: expanded.append(given) or expand_package(*given))
    assert policy(store) == made
    assert store.found
    assert not expanded


def test_small_packages_are_not_kept(monkeypatch):
    monkeypatch.setattr(modules, "WORTH_LOOKING", 8192)
    store = Entries()
    outcome(sources(["twice(dom0_t)"]), store)
    assert not store.known
