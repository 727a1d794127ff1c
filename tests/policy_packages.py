"""Packages made of texts, linked for a small hypervisor: for tests of what goes from fragments to a linked policy."""

from __future__ import annotations

import pytest

from polpkg.diagnostics import MANIFEST, Source
from polpkg.errors import PolicyError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.modules import Environment, PackageSource, build_modules

ABI = Abi(
    (
        SecurityClass("domain", ("create", "transition", "pause", "destroy")),
        SecurityClass("mmu", ("map_read", "map_write")),
        SecurityClass("resource", ("use", "add")),
    ),
    ("xen", "dom0"),
    "4.17.7",
)
BASE = """
attribute domain_type;
role system_r;
user system_u roles system_r;
type xen_t, domain_type;
type dom0_t, domain_type;
role system_r types { xen_t dom0_t };
sid xen system_u:system_r:xen_t
sid dom0 system_u:system_r:dom0_t
allow dom0_t dom0_t:domain create;
"""
"""What every policy needs; the package `base` in tests that need no other."""


def package(name, text="", *, requires=(), owns=(), interfaces="", assertions=None, **more):
    """A package with one fragment, and the macros of `interfaces`; `assertions` are calls by name."""
    fragments = [Source(f"policy/{name}.if", interfaces, name, "1.0")] if interfaces else []
    fragments.append(Source(f"policy/{name}.te", text, name, "1.0"))
    lines = []
    for number, (label, call) in enumerate((assertions or {}).items(), 1):
        fragments.append(Source(MANIFEST, "\n" * (number - 1) + call + "\n", name, "1.0"))
        lines.append((number, label))
    return PackageSource(
        name, "1.0", tuple(fragments), tuple(owns), frozenset(requires), assertions=tuple(lines), **more
    )


def base(text=""):
    """The package `base`, with more in it."""
    return package("base", BASE + text)


def linked(*packages, abi=ABI, handed=(), mls=False, complete=True, **environment):
    """The linked policy and its warnings."""
    modules = build_modules(packages, Environment(abi, mls=mls, **environment))
    return link(modules, abi, LinkOptions(mls=mls, complete=complete, handed=frozenset(handed)))


def findings(*packages, **settings):
    """What is wrong with packages that do not link."""
    with pytest.raises(PolicyError) as caught:
        linked(*packages, **settings)
    return caught.value.diagnostics


def rules(policy):
    """The access vector rules, as text."""
    names = policy.types
    found = []
    for rule in policy.rules:
        name, permissions = policy.abi.all_classes[rule.security_class]
        said = " ".join(p for bit, p in enumerate(permissions) if rule.permissions >> bit & 1)
        kind = rule.kind.name.lower()
        found.append(f"{kind} {names[rule.source].name} {names[rule.target].name}:{name} {said}")
    return found
