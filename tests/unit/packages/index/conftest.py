"""Fixtures for the tests of indexes."""

from __future__ import annotations

import pytest

from polpkg.packages.index.building import add_archive
from polpkg.packages.source import build_archive

REQUIRES = '[requires]\nxen-base = ">=1"\n[functions]\nprovides = ["console"]\nclients = "*"\n'


@pytest.fixture
def make_archive(write_package):
    """The archive of a package; each call has a source directory of its own."""
    made = []

    def make(name="demo", version="1.0", more="", **files):
        made.append(name)
        return build_archive(write_package(name, version, more, folder=f"src-{len(made)}", **files))

    return make


@pytest.fixture
def tree(tmp_path, make_archive):
    """A static tree with the release `demo 1.0`."""
    folder = tmp_path / "tree"
    add_archive(folder, make_archive(more=REQUIRES))
    return folder
