"""What the READMEs of the bundled packages print: commands that work, labels that there are, parameters that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from polpkg.packages.manifest_reader import read_manifest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    path.parent for folder in ("polpkg/bundled", "plugins") for path in sorted(ROOT.glob(f"{folder}/**/polpkg.toml"))
]
COMMAND = re.compile(r"^ {4}polpkg (.*)$", re.MULTILINE)
LABEL = re.compile(
    r"^ +(?:seclabel|init_seclabel|device_model_stubdomain_seclabel) = \"(\S+)\"|--flask ([^\s\"]+)", re.MULTILINE
)
PARAMETER = re.compile(r"^\| `([a-z-]+)` \|(.*)$|^`([a-z-]+)`: ", re.MULTILINE)


def readme(package):
    return (package / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_its_commands_work_and_its_labels_exist(call, tmp_path, package):
    text = readme(package)
    found: set[str] = set()
    for number, words in enumerate(COMMAND.findall(text) or ["install domu"]):
        done = call(*words.split(), "--root", tmp_path / "host", "--xen", "4.17", "--yes", "--json")
        assert done.code == 0, f"{words}\n{done.out}"
        assert done.document["generation"] == number + 1, f"{words} changed nothing"
        labels = call("labels", "--root", tmp_path / "host", "--json").document["labels"]
        found |= {label["context"] for label in labels}
    assert {one or other for one, other in LABEL.findall(text)} <= found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_its_parameters_are_all_there_is(package):
    manifest = read_manifest((package / "polpkg.toml").read_text(encoding="utf-8"))
    parameters = manifest.instance.parameters if manifest.instance else {}
    told = readme(package).partition("\n## Parameters\n")[2].partition("\n## ")[0]
    found = {table or line: rest for table, rest, line in PARAMETER.findall(told)}
    assert set(found) == set(parameters)
    for name, parameter in parameters.items():
        missing = [choice for choice in parameter.choices if f"`{choice}`" not in found[name]]
        assert not missing, f"{name} may be {missing}, and the README does not say so"


def test_every_package_says_how_it_is_installed():
    silent = {path.name for path in PACKAGES if "polpkg install" not in readme(path)}
    assert silent == {"xen-base", "dom0", "domu"}  # on every target
