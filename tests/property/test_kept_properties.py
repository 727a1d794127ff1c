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
from polpkg.policy.link import LinkOptions, bulk, link, rules
from polpkg.policy.modules import Environment, build_modules
from polpkg.policy.policydb import lower, write_policydb
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
    texts = render_modules(built), about, uses, emit_conf(result.policy), write_link_map(view_of(result.policy))
    return *texts, result.warnings, write_policydb(lower(result.policy, 30))


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
        "allow dom0_t xen_t:domain { create nothing };",
        "allow dom0_t q_t:domain create;",
        "for_each_owner(net_backend, dom0_t, `type_transition $1 $2:domain xen_t; grant')",
        "type_transition dom0_t xen_t:domain xen_t;",
        "type_transition dom0_t xen_t:domain dom0_t;",
        "type_transition dom0_t domain_type:mmu dom0_t;",
        "type_member dom0_t self:mmu dom0_t;",
        "type_transition { xen_t dom0_t } xen_t:{ domain mmu } dom0_t;",
        "bool c true; if (c) { type_transition dom0_t xen_t:domain xen_t; }",
        "dontaudit dom0_t xen_t:domain { create pause };auditallow dom0_t xen_t:domain create;",
        "twice(xen_t) allow dom0_t { xen_t self }:{ domain mmu } *; twice(xen_t)",
        "allow domain_type domain_type:mmu ~map_read; neverallow * xen_t:domain pause;",
        "attribute a_type; typeattribute dom0_t a_type; type_transition xen_t a_type:domain dom0_t;",
        "expandattribute domain_type true; allow dom0_t domain_type:mmu map_read;",
        "tunable t true; if (t) { allow dom0_t xen_t:mmu map_read; } else { allow dom0_t xen_t:mmu map_write; }",
        "typebounds xen_t dom0_t;",
        "permissive dom0_t; role system_r types dom0_t;",
        "allow dom0_t",
        "errprint(`said')",
    ]
)
MACROS = (
    "define(`grant', `allow $1 $2:domain { create destroy };')define(`twice', `grant($1, dom0_t) grant($1, xen_t)')"
)


FINE = st.sampled_from(
    [
        "grant(dom0_t, xen_t)",
        "twice(dom0_t)",
        "allow xen_t dom0_t:mmu map_read;",
        "dontaudit dom0_t xen_t:domain { create pause };auditallow dom0_t xen_t:domain create;",
        "auditallow dom0_t xen_t:domain pause;allow dom0_t xen_t:domain pause;",
        "allow dom0_t { xen_t self }:{ domain mmu } *;",
        "allow domain_type domain_type:mmu ~map_read;",
        "allow { domain_type -dom0_t } self:resource use;",
        "type_transition dom0_t xen_t:domain xen_t;",
        "type_transition dom0_t domain_type:mmu dom0_t;",
        "type_transition dom0_t dom0_t:mmu dom0_t;",
        "type_transition { xen_t dom0_t } xen_t:{ resource mmu } dom0_t;",
        "type_member dom0_t self:mmu dom0_t;",
        "for_each_owner(net_backend, dom0_t, `grant')",
        "neverallow dom0_t p_t:resource add;",
        "role system_r types dom0_t; typeattribute dom0_t domain_type;",
        "if (b) { allow dom0_t xen_t:mmu map_write; type_change xen_t xen_t:mmu dom0_t; }",
    ]
)


def sources(lines):
    base = package("base", BASE, interfaces=MACROS)
    return [
        base,
        package("p", "\n".join(lines) + "\n", requires=("base",)),
        package("q", "type q_t, domain_type; twice(xen_t) grant(q_t, q_t)\n", requires=("base",)),
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(LINES, max_size=8))
def test_what_is_kept_is_what_is_made(lines):
    store = Entries()
    made = outcome(sources(lines), None)
    assert outcome(sources(lines), store) == made
    assert outcome(sources(lines), store) == made
    assert store.found >= 2


@settings(deadline=None, max_examples=150)
@given(st.lists(FINE, max_size=12), st.lists(FINE, max_size=12))
def test_one_package_changed(lines, others):
    store = Entries()
    before, after = (["bool b true; type p_t, domain_type;", *found] for found in (lines, others))
    for found in (before, after, before):
        made = outcome(sources(found), None)
        assert outcome(sources(found), store) == made
        assert len(made) > 6, made[-1]


@settings(deadline=None, max_examples=30)
@given(st.lists(LINES, max_size=4), st.lists(LINES, max_size=4))
def test_other_sources_and_other_owners_are_seen(lines, others):
    store = Entries()
    outcome(sources(lines), store)
    assert outcome(sources(others), store) == outcome(sources(others), None)
    assert outcome(sources(lines), store, owners=("dom0_t",)) == outcome(sources(lines), None, owners=("dom0_t",))


def test_what_is_kept_is_bound_by_column(monkeypatch):
    bound = []

    def bind(*given):
        bound.append(bulk.bind_rows(*given))
        return bound[-1]

    monkeypatch.setattr(rules, "bind_rows", bind)
    store = Entries()
    lines = ["twice(dom0_t) type_transition dom0_t xen_t:domain xen_t;", "allow dom0_t self:domain create;"]
    made = outcome(sources(lines), store)
    assert not bound
    assert outcome(sources(lines), store) == made
    assert [(len(found.rules), len(found.type_rules)) for found in bound if found] == [(1, 0), (2, 1), (3, 0)]


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
