from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.packages.project import IndexSetting, Project, TargetFacts, read_project
from polpkg.packages.project_edit import ProjectChange, apply_change, edit_project, render_project
from polpkg.packages.requirement import Requirement

TEXT = f"""\
# What this host runs.
[packages]
vmv = ">=1"     # the verifier
score = "*"
local = "./local"

[options]
vmv = ["audit"]

[instances.vmv.tenant-a.guests.web]
[instances.vmv.tenant-a.guests.db]

[target]
xen = "4.17"
policydb-version = 30

[indexes.site]
url = "https://example.invalid/"
trust = "none"

[index-map]
score = "site"

[expect.{"0" * 64}]
sha256 = "{"1" * 64}"
"""


def test_reads_all_of_it():
    project = read_project(TEXT)
    assert project.requirements == (
        Requirement("dom0"),
        Requirement("local", "", "./local"),
        Requirement("score"),
        Requirement("vmv", ">=1"),
    )
    assert project.options == {"vmv": ("audit",)}
    assert project.instances == {"vmv": {"tenant-a": {"guests": ("db", "web")}}}
    assert project.target == TargetFacts(xen="4.17", policydb_version=30)
    assert project.indexes == {"site": IndexSetting("https://example.invalid/", "none")}
    assert (project.index_map, project.expect) == ({"score": "site"}, {"0" * 64: "1" * 64})


def test_nothing_is_a_project_with_the_base():
    assert read_project("") == Project()
    assert read_project("").requirements == (Requirement("dom0"),)
    assert read_project("[target]\nbase = []").requirements == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ('">=1"', '"1"', "project-bad-specifier", 3),
        ('vmv = ">=1"', 'Vmv = ">=1"', "project-bad-name", 3),
        ("[options]", "[option]", "project-unknown-key", 7),
        ('["audit"]', '"audit"', "project-wrong-type", 8),
        ('["audit"]', '["Audit"]', "project-bad-name", 8),
        ("guests.web]", "guests.web]\nmemory = 3", "project-unknown-key", 11),
        ("vmv.tenant-a.guests.web", "vmv.tenant_a.guests.web", "project-bad-name", 10),
        ('xen = "4.17"', "xen = 4.17", "project-wrong-type", 14),
        ('xen = "4.17"', 'xem = "4.17"', "project-unknown-key", 14),
        ('trust = "none"', 'trust = "all"', "project-wrong-value", 19),
        ('url = "https://example.invalid/"\n', "", "project-missing-key", 17),
    ],
)
def test_names_the_line_of_a_problem(old, new, code, line):
    with pytest.raises(PolicyError) as caught:
        read_project(TEXT.replace(old, new, 1))
    assert [(d.code, d.origin.line) for d in caught.value.diagnostics] == [(code, line)]


def test_a_new_file_is_canonical():
    change = ProjectChange(
        install={"vmv": "", "netdom": ">=1"},
        options={"vmv": ("audit",)},
        instances={"vmv": {"tenant-a": {"guests": ("web", "db")}}},
        target={"xen": "4.17"},
    )
    assert edit_project("", change) == (
        "[packages]\n"
        'netdom = ">=1"\n'
        'vmv = "*"\n'
        "\n"
        "[options]\n"
        'vmv = ["audit"]\n'
        "\n"
        "[target]\n"
        'xen = "4.17"\n'
        "\n"
        "[instances.vmv.tenant-a]\n"
        'guests = ["web", "db"]\n'
    )


CHANGES = [
    ProjectChange(install={"netdom": ">=2"}),
    ProjectChange(install={"vmv": ""}),
    ProjectChange(install={"vmv": "==1.5"}),
    ProjectChange(remove=("vmv",)),
    ProjectChange(remove=("score", "local", "vmv")),
    ProjectChange(options={"vmv": ("more",), "score": ("x",)}),
    ProjectChange(instances={"vmv": {"tenant-a": {"guests": ("one",)}}}),
    ProjectChange(instances={"vmv": {"tenant-b": {}}}),
    ProjectChange(instances={"vmv": {"tenant-b": {"guests": ("x",)}}, "score": {"s": {"n": 3, "on": True, "t": "q"}}}),
    ProjectChange(remove_instances=(("vmv", "tenant-a"),)),
    ProjectChange(target={"xen": "4.18", "backend": "secilc"}),
    ProjectChange(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_editing_a_file_changes_what_it_says_and_keeps_the_rest(change):
    edited = edit_project(TEXT, change)
    assert read_project(edited) == apply_change(read_project(TEXT), change)
    assert edited.startswith("# What this host runs.\n")


@pytest.mark.parametrize("change", CHANGES)
def test_a_rendered_project_reads_back(change):
    project = apply_change(read_project(TEXT), change)
    assert read_project(render_project(project)) == project


def test_comments_stay():
    assert 'vmv = ">=1"     # the verifier' in edit_project(TEXT, ProjectChange(install={"netdom": ""}))


def test_nothing_to_change_changes_nothing():
    assert edit_project(TEXT, ProjectChange(install={"vmv": ""})) == TEXT


def test_a_second_instance_keeps_the_default_one():
    first = edit_project("", ProjectChange(install={"vmv": ""}))
    second = edit_project(first, ProjectChange(install={"vmv": ""}, instances={"vmv": {"a": {}}}))
    assert read_project(second).instances == {"vmv": {"vmv": {}, "a": {}}}


def test_a_first_instance_stands_alone():
    text = edit_project("", ProjectChange(install={"vmv": ""}, instances={"vmv": {"a": {}}}))
    assert read_project(text).instances == {"vmv": {"a": {}}}
    more = edit_project(text, ProjectChange(install={"vmv": ""}, instances={"vmv": {"b": {}}}))
    assert read_project(more).instances == {"vmv": {"a": {}, "b": {}}}
