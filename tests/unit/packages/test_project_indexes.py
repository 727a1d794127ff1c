"""[indexes], [index-map] and [overrides] of policy.toml: read, edited in place, and written."""

from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.packages.project import IndexSetting, Project, read_project
from polpkg.packages.project_edit import ProjectChange, edit_project, render_project

TEXT = """\
# What this host runs.
[packages]
vmv = "*"  # the verifier

[indexes.site]  # ours
url = "./dist"

[index-map]
vmv = "site"
score = "other"
"""


def test_overrides_are_read_canonically():
    project = read_project('[overrides]\nscore = " >= 1 , <2"\nvmv = ""\n')
    assert project.overrides == {"score": ">=1,<2", "vmv": "*"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[overrides]\nscore = "??"\n', "project-bad-specifier"),
        ('[overrides]\nScore = "1"\n', "project-bad-name"),
        ("[overrides]\nscore = 1\n", "project-wrong-type"),
        ("overrides = 1\n", "project-wrong-type"),
        ("<<<<<<< ours\n", "project-conflict"),
    ],
)
def test_what_is_wrong_is_refused(text, code):
    with pytest.raises(PolicyError) as caught:
        read_project(text)
    assert caught.value.code == code


def test_an_index_is_added_in_place():
    hub = IndexSetting("https://packages.example/", "none", "ca.pem")
    edited = edit_project(TEXT, ProjectChange(indexes={"hub": hub}))
    assert edited.startswith(TEXT.partition("[index-map]")[0].rstrip())
    assert read_project(edited).indexes == {"site": IndexSetting("./dist"), "hub": hub}
    assert edit_project(edited, ProjectChange(indexes={"hub": hub})) == edited


def test_an_index_is_removed_with_what_belonged_to_it():
    project = read_project(edit_project(TEXT, ProjectChange(remove_indexes=("site",))))
    assert (project.indexes, project.index_map) == ({}, {"score": "other"})
    assert "# What this host runs." in edit_project(TEXT, ProjectChange(remove_indexes=("site",)))


def test_adding_and_removing_leaves_what_was_there():
    before = '[packages]\nvmv = "*"  # the verifier\n'
    added = edit_project(before, ProjectChange(indexes={"site": IndexSetting("x")}))
    assert edit_project(added, ProjectChange(remove_indexes=("site",))) == before


def test_a_new_file_has_all_of_it():
    project = Project(
        {"vmv": "*"},
        indexes={"hub": IndexSetting("https://packages.example/", "none", "ca.pem")},
        index_map={"vmv": "hub"},
        overrides={"score": "==1"},
    )
    assert read_project(render_project(project)) == project
