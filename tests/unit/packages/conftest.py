"""Fixtures for the tests of wing 1."""

from __future__ import annotations

from dataclasses import replace

import pytest


class MemoryIndex:
    """An index of releases that exist nowhere else."""

    def __init__(self, name, *releases, override=False):
        self.name = name
        self.override = override
        self._releases = tuple(replace(release, index=name) for release in releases)

    def names(self):
        return tuple(sorted({r.name for r in self._releases}))

    def prefetch(self, packages):
        pass

    def releases(self, package):
        return tuple(r for r in self._releases if r.name == package)

    def sealed(self, release):
        return release

    def fetch(self, release):
        raise NotImplementedError


@pytest.fixture
def memory_index():
    return MemoryIndex


@pytest.fixture
def write_package(tmp_path):
    """Write a package directory below the test's directory; its path."""

    def write(name="demo", version="1.0", more="", folder="", **files):
        target = tmp_path / (folder or f"{name}-src")
        (target / "policy").mkdir(parents=True)
        (target / "polpkg.toml").write_text(f'[package]\nname = "{name}"\nversion = "{version}"\n{more}')
        for path, text in {f"policy/{name}.te": f"type {name}_t;\n", **files}.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_text(text)
        return target

    return write
