"""The lean scan of installed distributions, and that it agrees with importlib.metadata."""

import sys
import zipfile
from importlib.metadata import entry_points

import pytest

from polpkg.plugin.entry_points import EntryPoint, find_entry_points, parse_entry_points


def dist_info(site, name, version, text):
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(text)


@pytest.mark.parametrize("group", ["console_scripts", "pytest11", "no-such-group"])
def test_it_finds_what_importlib_metadata_finds_here(group):
    ours = {(p.name, p.value) for p in find_entry_points(group, sys.path)}
    theirs = {(p.name, p.value.partition("[")[0].strip()) for p in entry_points(group=group)}
    assert ours == theirs


def test_only_the_group_asked_for():
    text = "# made by hand\n[other]\na = m\n\n[ polpkg ]\n b = m:f [extra]\n# c = m\nc=n.o\n[third]\nd = m\n"
    assert parse_entry_points(text, "polpkg") == [("b", "m:f"), ("c", "n.o")]


def test_name_and_version_come_from_the_directory_and_are_normalised(tmp_path):
    dist_info(tmp_path, "Acme_Policy.Kit", "1.2rc1", "[polpkg]\nacme = acme\n")
    assert find_entry_points("polpkg", [str(tmp_path)]) == [EntryPoint("acme-policy-kit", "1.2rc1", "acme", "acme")]


def test_the_first_on_the_path_hides_the_others(tmp_path):
    dist_info(tmp_path / "a", "acme", "2.0", "[polpkg]\nnew = new\n")
    dist_info(tmp_path / "b", "acme", "1.0", "[polpkg]\nold = old\n")
    found = find_entry_points("polpkg", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert [point.name for point in found] == ["new"]


def test_egg_info_and_zip_files_are_read_too(tmp_path):
    egg = tmp_path / "site" / "old.egg-info"
    egg.mkdir(parents=True)
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.1\nName: old\nVersion: 0.9\n")
    (egg / "entry_points.txt").write_text("[polpkg]\nold = old\n")
    with zipfile.ZipFile(tmp_path / "zipped.zip", "w") as archive:
        archive.writestr("zipped-3.dist-info/METADATA", "Metadata-Version: 2.1\nName: zipped\nVersion: 3\n")
        archive.writestr("zipped-3.dist-info/entry_points.txt", "[polpkg]\nzipped = zipped\n")
    found = find_entry_points("polpkg", [str(tmp_path / "zipped.zip"), str(tmp_path / "site")])
    assert [(p.distribution, p.version, p.name) for p in found] == [("old", "0.9", "old"), ("zipped", "3", "zipped")]


def test_entries_that_are_not_there_hold_nothing(tmp_path):
    assert find_entry_points("polpkg", [str(tmp_path / "gone"), ""]) == find_entry_points("polpkg", ["."])
