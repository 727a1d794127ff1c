"""Whole answers, as people see them; `--update-goldens` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from polpkg.errors import PolicyError, ResolutionError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.release import Release
from polpkg.packages.manifest_reader import read_manifest
from polpkg.packages.requirement import parse_requirement
from polpkg.packages.resolver.request import ResolutionRequest
from polpkg.packages.resolver.resolve import resolve

GOLDEN = Path(__file__).parents[2] / "golden" / "packages"
CASES = sorted(path.parent.name for path in GOLDEN.glob("resolver/*/input.toml"))


def releases(case):
    for name, versions in case.items():
        for version, fields in versions.items():
            options = {option: table["requires"] for option, table in fields.get("options", {}).items()}
            yield Release(name, version, "", **{**fields, "options": options})


def answer(case, memory_index):
    request = ResolutionRequest(
        tuple(parse_requirement(text) for text in case.pop("request")), case.pop("options", {}), case.pop("xen", "")
    )
    try:
        resolution = resolve(request, Catalog([memory_index("main", *releases(case))]))
    except ResolutionError as error:
        hint = [f"hint: {error.hint}"] if error.hint else []
        return [f"{error.code}: {error.message}", *error.derivation, *hint]
    return [str(package.release) for package in resolution.packages]


@pytest.mark.parametrize("name", CASES)
def test_resolutions_and_proofs(name, golden, memory_index):
    case = tomli.loads((GOLDEN / "resolver" / name / "input.toml").read_text())
    golden(f"packages/resolver/{name}/expected.txt", "\n".join(answer(case, memory_index)) + "\n")


def test_there_are_cases():
    assert len(CASES) >= 12


def test_a_manifest_with_many_problems(golden):
    with pytest.raises(PolicyError) as caught:
        read_manifest((GOLDEN / "manifest" / "many-problems.toml").read_text())
    lines = [
        f"{found.origin.location}: {found.code}: {found.message}" + (f" ({found.hint})" if found.hint else "")
        for found in caught.value.diagnostics
    ]
    golden("packages/manifest/many-problems.txt", "\n".join(lines) + "\n")
