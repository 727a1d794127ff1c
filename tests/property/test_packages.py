"""Properties of versions, archives, locks and projects."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from polpkg.errors import PolicyError, PolpkgError, TrustError
from polpkg.packages.archive import is_safe_path, pack, unpack
from polpkg.packages.lock import LockedPackage, Lockfile, read_lock, render_lock
from polpkg.packages.manifest_reader import read_manifest
from polpkg.packages.names import is_name
from polpkg.packages.order import requirement_order
from polpkg.packages.project import read_project
from polpkg.packages.project_edit import ProjectChange, apply_change, edit_project, render_project
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.toml_places import find_place
from polpkg.packages.versions import plain_matches, plain_releases, satisfies, sorted_versions

plain_versions = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
clauses = st.tuples(st.sampled_from(("==", "!=", "<", "<=", ">", ">=", "~=")), plain_versions).filter(
    lambda clause: clause[0] != "~=" or "." in clause[1]
)
specifiers = st.lists(clauses, min_size=1, max_size=3).map(lambda cs: ",".join(o + v for o, v in cs))
names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?", fullmatch=True).filter(is_name)
paths = st.lists(st.text("abc._-é", min_size=1, max_size=12), min_size=1, max_size=4).map("/".join).filter(is_safe_path)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(plain_versions, specifiers)
@settings(max_examples=500)
def test_plain_comparisons_agree_with_packaging(version, specifier):
    assert satisfies(version, specifier) == SpecifierSet(specifier).contains(version, prereleases=True)


@given(st.lists(plain_versions, max_size=12, unique=True), specifiers | st.sampled_from(("", "*")))
@settings(max_examples=500)
def test_all_versions_at_once_are_as_each_alone(versions, specifier):
    ascending = sorted_versions(versions)
    matches = plain_matches(plain_releases(ascending), specifier)
    assert [bool(matches >> number & 1) for number in range(len(versions))] == [
        satisfies(version, specifier) for version in ascending
    ]


@given(st.lists(plain_versions | st.sampled_from(("1.0rc1", "2.dev1", "1!0", "1.0.post1")), max_size=8))
def test_sorting_agrees_with_packaging(versions):
    assert [Version(v) for v in sorted_versions(versions)] == sorted(map(Version, versions))


@given(names, specifiers)
def test_requirements_print_as_they_are_read(name, specifier):
    assert parse_requirement(str(parse_requirement(f"{name} {specifier}"))) == Requirement(name, specifier)


@given(st.text(max_size=30))
def test_any_text_is_a_requirement_or_our_error(text):
    code = ""
    try:
        parse_requirement(text)
    except PolpkgError as error:
        code = error.code
    assert code in ("", "malformed-requirement")


def without_nesting(files):
    return {path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)}


@given(st.dictionaries(paths, st.binary(max_size=700), max_size=6).map(without_nesting), st.randoms())
def test_archives_hold_what_was_put_in_whatever_its_order(files, random):
    turned = list(files.items())
    random.shuffle(turned)
    archive = pack(files)
    assert unpack(archive, label="it") == files
    assert pack(dict(turned)) == archive


@given(st.binary(max_size=300), st.integers(0, 2000), st.integers(1, 255))
def test_a_changed_archive_is_refused_or_means_the_same(content, position, change):
    archive = bytearray(pack({"a": content}))
    archive[position % len(archive)] ^= change
    try:
        files = unpack(bytes(archive), label="it")
    except TrustError:
        return
    assert files == {"a": content}


@given(st.binary(max_size=300))
def test_any_bytes_are_an_archive_or_our_error(data):
    with pytest.raises(TrustError):
        unpack(data, label="it")


locked = st.builds(
    LockedPackage,
    names,
    plain_versions,
    digests,
    names,
    st.lists(st.builds(Requirement, names, specifiers), max_size=3).map(tuple),
    st.lists(names, max_size=2).map(tuple),
    st.lists(st.sampled_from(("console", "debug")), max_size=2).map(tuple),
    st.sampled_from(("", "*")),
    st.dictionaries(st.sampled_from(("later", "x y")), st.integers() | st.text() | st.booleans(), max_size=2),
)
locks = st.lists(locked, max_size=4, unique_by=lambda p: p.name).map(
    lambda packages: Lockfile(tuple(sorted(packages, key=lambda p: p.name)))
)


@given(locks)
def test_locks_read_back(lock):
    assert read_lock(render_lock(lock)) == lock
    assert render_lock(read_lock(render_lock(lock))) == render_lock(lock)


values = st.lists(names, max_size=3, unique=True).map(tuple) | st.booleans() | st.integers() | st.text(max_size=5)
instances = st.dictionaries(names, st.dictionaries(names, values, max_size=2), min_size=1, max_size=2)
changes = st.builds(
    ProjectChange,
    st.dictionaries(names, st.sampled_from(("", ">=1", "==1.5", "./x")), max_size=3),
    st.lists(st.sampled_from(("a", "b", "c")), max_size=2, unique=True).map(tuple),
    st.dictionaries(names, st.lists(names, min_size=1, max_size=2).map(tuple), max_size=2),
    st.dictionaries(names, instances, max_size=2),
    target=st.dictionaries(st.sampled_from(("xen", "backend")), st.text("a4.", max_size=4), max_size=2),
)


@given(st.lists(changes, min_size=1, max_size=4))
@settings(deadline=None)
def test_editing_and_rendering_agree(steps):
    text, project = "", read_project("")
    for change in steps:
        text, project = edit_project(text, change), apply_change(project, change)
        assert read_project(text) == project
    assert read_project(render_project(project)) == project


@given(st.dictionaries(names, st.lists(names, max_size=3), max_size=8))
def test_requirement_order_puts_requirements_first(requires):
    try:
        order = requirement_order(requires)
    except PolicyError:
        return
    place = {name: number for number, name in enumerate(order)}
    assert sorted(order) == sorted(requires)
    assert all(place[other] < place[name] for name in requires for other in requires[name] if other in requires)


@given(st.text(alphabet="[]\"=.{}a#\n '\\", max_size=60))
def test_any_text_is_a_manifest_or_our_error(text):
    find_place(text, ("a", "b"))
    with pytest.raises(PolpkgError):
        read_manifest(text)
