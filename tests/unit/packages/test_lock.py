from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.lock import LockedPackage, Lockfile, lock_of, read_lock, render_lock
from polpkg.packages.requirement import Requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve

A = LockedPackage("a", "1.0", "a" * 64, "bundled", (Requirement("b", ">=1"),), ("audit",), ("console",), "*")
B = LockedPackage("b", "1.5", "b" * 64, "site")
LOCK = Lockfile((A, B))


def test_the_text_is_canonical():
    assert render_lock(LOCK) == (
        "# Written by polpkg: change policy.toml and run `polpkg lock` instead of editing this.\n"
        "\n"
        "format = 1\n"
        "\n"
        "[functions]\n"
        'block-backend = "dom0"\n'
        'console = "a"\n'
        'debug = "dom0"\n'
        'device-model = "dom0"\n'
        'domain-builder = "dom0"\n'
        'domain-manager = "dom0"\n'
        'hardware = "dom0"\n'
        'introspection = "dom0"\n'
        'migration = "dom0"\n'
        'net-backend = "dom0"\n'
        'platform = "dom0"\n'
        'policy-admin = "dom0"\n'
        'xenstore = "dom0"\n'
        "\n"
        "[[package]]\n"
        'name = "a"\n'
        'version = "1.0"\n'
        'index = "bundled"\n'
        f'sha256 = "{"a" * 64}"\n'
        'requires = ["b>=1"]\n'
        'options = ["audit"]\n'
        'functions = ["console"]\n'
        'clients = "*"\n'
        "\n"
        "[[package]]\n"
        'name = "b"\n'
        'version = "1.5"\n'
        'index = "site"\n'
        f'sha256 = "{"b" * 64}"\n'
    )


def test_reads_what_it_writes():
    assert read_lock(render_lock(LOCK)) == LOCK


def test_unknown_keys_are_kept():
    text = render_lock(LOCK).replace("format = 1\n", 'format = 1\nfuture = { x = [1, "y"] }\n') + "later = true\n"
    lock = read_lock(text)
    assert lock.extra == {"future": {"x": [1, "y"]}}
    assert lock.packages[1].extra == {"later": True}
    assert read_lock(render_lock(lock)) == lock


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("format = 1", "format = 2", "lock-format"),
        ("format = 1", "", "lock-missing-key"),
        ('version = "1.0"\n', "", "lock-missing-key"),
        ('"b>=1"', '"b>>1"', "lock-bad-requirement"),
        ('"b>=1"', "1", "lock-wrong-type"),
        ("a" * 64, "A" * 64, "lock-bad-digest"),
        ('name = "b"', 'name = "a"', "lock-duplicate"),
        ("[[package]]", "[package]", "lock-syntax"),
    ],
)
def test_damage_is_noticed(old, new, code):
    with pytest.raises(PolicyError) as caught:
        read_lock(render_lock(LOCK).replace(old, new, 1))
    assert caught.value.code == code


def test_is_made_of_a_resolution(memory_index):
    index = memory_index(
        "main",
        Release("a", "1", "", {"b": " >= 1 "}, options={"x": {"b": "<3", "c": ""}}, sha256="1" * 64),
        Release("b", "2", "", sha256="2" * 64),
        Release("c", "1", "", sha256="3" * 64, functions=("net-backend",), clients="*"),
    )
    catalog = Catalog([index])
    lock = lock_of(resolve(ResolutionRequest((Requirement("a"),), {"a": ("x",)}), catalog), catalog.sealed)
    assert lock.get("a") == LockedPackage(
        "a", "1", "1" * 64, "main", (Requirement("b", "<3,>=1"), Requirement("c")), ("x",)
    )
    assert lock.versions == {"a": "1", "b": "2", "c": "1"}
    assert lock.functions["net-backend"] == "c"
    assert [p.name for p in lock.in_order()] == ["b", "c", "a"]
    assert read_lock(render_lock(lock)) == lock


def test_names_the_overrides_that_are_about_its_packages(memory_index):
    catalog = Catalog([memory_index("main", Release("a", "1", "", sha256="1" * 64))])
    resolution = resolve(ResolutionRequest((Requirement("a"),)), catalog)
    lock = lock_of(resolution, catalog.sealed, overrides={"a": ">=1", "z": "==9"})
    assert lock.overrides == {"a": ">=1"}
    assert '\n[overrides]\na = ">=1"\n\n[[package]]\n' in render_lock(lock)
    assert read_lock(render_lock(lock)) == lock


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", ">>>>>>> theirs"])
def test_a_merge_that_was_not_settled_is_named_with_its_line(marker):
    with pytest.raises(PolicyError) as caught:
        read_lock(render_lock(LOCK) + f"{marker}\n", "policy.lock")
    assert caught.value.code == "lock-conflict"
    assert caught.value.origin.line == render_lock(LOCK).count("\n") + 1
    assert "polpkg lock" in caught.value.hint
