import dataclasses

import pytest

from polpkg.errors import UsageError
from polpkg.policy.abi import (
    Abi,
    SecurityClass,
    describe_availability,
    find_abi,
    find_release,
    known_tables,
    known_versions,
    load_abi,
    nearest,
    read_releases,
    render_versions,
    since,
    until,
    versions_of,
    versions_with,
)
from polpkg.policy.abi.catalogue import DATA, table_file


def test_every_series_since_4_6_is_known():
    assert {release.series for release in read_releases()} == {f"4.{minor}" for minor in range(6, 23)}
    assert known_versions()[0] == "4.6.0"
    assert len(known_versions()) == 99


def test_every_table_is_what_its_fingerprint_says():
    for release in read_releases():
        abi = load_abi(release.version)
        assert abi.fingerprint == release.fingerprint
        assert abi.version == release.version
    files = {path.name for path in (DATA / "tables").iterdir()}
    assert files == {table_file(release.fingerprint).removeprefix("tables/") for release in read_releases()}


@pytest.mark.parametrize(
    ("version", "fingerprint", "permissions", "sids"),
    [
        ("4.6", "447ecb637501", 165, 12),
        ("4.11.4", "8183e1e18af9", 173, 12),
        ("4.14", "a73843089c44", 174, 12),
        ("4.17.7", "a11de9be4c7d", 175, 13),
        ("4.18.2", "a11de9be4c7d", 175, 13),
        ("4.18.3", "e98ffc8bd9aa", 176, 13),
        ("4.18", "0a1cd231bf92", 177, 13),
        ("4.19.1", "e98ffc8bd9aa", 176, 13),
        ("4.22.0", "6ef739ff8e7e", 177, 13),
    ],
)
def test_facts_of_single_versions(version, fingerprint, permissions, sids):
    abi = load_abi(version)
    assert abi.fingerprint.startswith(fingerprint)
    assert sum(len(c.permissions) for c in abi.classes) == permissions
    assert len(abi.initial_sids) == sids


def test_numbers_of_4_17():
    abi = load_abi("4.17")
    assert abi.class_id("xen") == 1
    assert abi.class_id("argo") == 13
    assert abi.permission_bit("xen", "settime") == 0
    assert abi.permission_bit("domain", "setvcpucontext") == 0
    assert abi.initial_sids[:3] == ("xenboot", "xen", "dom0")


def test_a_release_means_its_newest_point_release():
    assert load_abi("4.18").version == "4.18.6"
    assert find_release("4.6").version == "4.6.6"
    assert find_release("4.18.3").series == "4.18"
    assert find_release("4.18.3").policydb_built == (24, 30)


@pytest.mark.parametrize(
    ("version", "hint"),
    [
        ("4.18.99", "4.18.6, 4.19.0"),
        ("4.6.2", "4.6.1, 4.6.3"),
        ("4.99", "4.22.0"),
        ("3.4", "4.6.0"),
        ("", "4.6.0 to 4.22.0"),
        ("latest", "4.6.0 to 4.22.0"),
        ("4.17.7-pre", "4.17.7"),
    ],
)
def test_unknown_versions_name_the_nearest(version, hint):
    with pytest.raises(UsageError) as caught:
        load_abi(version)
    assert caught.value.code == "unknown-xen-release"
    assert hint in caught.value.hint


def test_versions_of_a_table():
    shared = load_abi("4.18.2").fingerprint
    assert versions_of(shared)[-4:] == ("4.17.7", "4.18.0", "4.18.1", "4.18.2")
    assert versions_of("0" * 64) == ()
    found = find_abi(shared)
    assert found is not None
    assert found.version == "4.18.2"
    assert find_abi("0" * 64) is None
    assert [abi.fingerprint for abi in known_tables()].count(shared) == 1


def test_nearest_of_a_known_table_is_itself():
    for abi in known_tables():
        version, changes = nearest(abi)
        assert load_abi(version).fingerprint == abi.fingerprint
        assert not changes


def test_nearest_names_what_differs():
    base = load_abi("4.20")
    classes = [*base.classes[:-1], SecurityClass("argo", (*base.permissions("argo"), "teleport"))]
    version, changes = nearest(Abi(tuple(classes), base.initial_sids, "4.20.9"))
    assert version == "4.20.4"
    assert changes.permissions_added == ("argo.teleport",)
    assert len(changes) == 1


def test_nearest_prefers_the_series_of_the_version():
    base = load_abi("4.17")
    odd = Abi(base.classes, (*base.initial_sids, "more"))
    assert nearest(dataclasses.replace(odd, version="4.17.7-local"))[0] == "4.17.7"
    assert nearest(odd)[0] == "4.18.2"


@pytest.mark.parametrize(
    ("names", "first", "last", "text"),
    [
        (("xen2", "get_dom0_console"), "4.18.3", None, "since Xen 4.18.3"),
        (("domain2", "vuart_op"), "4.18.5", None, "since Xen 4.18.5, but not in 4.19.0 to 4.19.1"),
        (("domain2", "get_domain_state"), "4.21.0", None, "since Xen 4.21.0"),
        (("argo", None), "4.12.0", None, "since Xen 4.12.0"),
        (("xen", "tmem_op"), "4.6.0", "4.12.4", "in Xen 4.6.0 to 4.12.4"),
        (("domain", "fly"), None, None, "in no known version of Xen"),
        (("nothing", None), None, None, "in no known version of Xen"),
    ],
)
def test_availability(names, first, last, text):
    assert since(*names) == first
    assert until(*names) == last
    assert describe_availability(*names) == text


def test_versions_with_a_permission():
    assert versions_with("xen", "privprofile")[-1] == "4.21.2"
    assert versions_with("xen") == known_versions()


def test_versions_are_put_together():
    assert render_versions(()) == ""
    assert render_versions(["4.17.0"]) == "4.17.0"
    assert render_versions(["4.17.6", "4.17.7", "4.18.0", "4.18.2"]) == "4.17.6 to 4.18.0, 4.18.2"
