"""Maintains the tables in `data/`, from a clone of Xen: `python -m polpkg.policy.abi.generate XEN_GIT_DIR`.

For every `RELEASE-X.Y.Z` tag since 4.6 it reads what Xen's build reads:

- `xen/xsm/flask/policy/{security_classes,access_vectors,initial_sids}`: the table;
- `xen/xsm/flask/include/security.h`: the policydb versions that the hypervisor parses;
- `POLICY_VER_LIST_HV` of `tools/flask/policy/Makefile.common` (before 4.9: `Makefile`): those that Xen's build makes.

It writes `data/tables/FINGERPRINT12.txt`, one for each distinct table, in the form of `Abi.text`, so that the SHA-256
of the file is the fingerprint; and `data/releases.txt`, one line for each version.  Tables of tags that the clone lacks
are kept.  Run it after every Xen release and commit what changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from polpkg.policy.abi.catalogue import DATA, RELEASES, Release, parse_releases, render_releases, table_file
from polpkg.policy.abi.model import Abi, SecurityClass, version_numbers

OLDEST = (4, 6)
HYPERVISOR = "xen/xsm/flask/policy/"


def main(arguments: list[str]) -> int:
    """Bring `data/` up to date; says which versions are new."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m polpkg.policy.abi.generate XEN_GIT_DIR\n")
        return 2
    new = update_tables(Path(arguments[0]), DATA)
    sys.stdout.write(f"new versions: {' '.join(new) or 'none'}\n")
    return 0


def update_tables(repository: Path, data: Path) -> tuple[str, ...]:
    """Write what `repository` has release tags of to the folder `data`; returns the versions that were not there."""
    index = data / RELEASES
    known = {release.version: release for release in parse_releases(index.read_text())} if index.exists() else {}
    found: dict[str, Release] = {}
    (data / "tables").mkdir(parents=True, exist_ok=True)
    for version in tagged_versions(repository):
        abi, found[version] = read_release(repository, version)
        (data / table_file(abi.fingerprint)).write_text(abi.text, encoding="ascii")
    index.write_text(render_releases((known | found).values()), encoding="ascii")
    return tuple(version for version in found if version not in known)


def tagged_versions(repository: Path) -> list[str]:
    """The full versions, since 4.6, that `repository` has release tags of."""
    tags = _git(repository, "tag", "--list", "RELEASE-*").split()
    versions = [tag.removeprefix("RELEASE-") for tag in tags if re.fullmatch(r"RELEASE-\d+\.\d+\.\d+", tag)]
    return sorted((v for v in versions if version_numbers(v) >= OLDEST), key=version_numbers)


def read_release(repository: Path, version: str) -> tuple[Abi, Release]:
    """The table and the facts of one tagged version."""

    def show(path: str) -> str:
        return _git(repository, "show", f"RELEASE-{version}:{path}")

    abi = parse_sources(
        show(HYPERVISOR + "security_classes"), show(HYPERVISOR + "access_vectors"), show(HYPERVISOR + "initial_sids")
    )
    oldest, newest = parsed_versions(show("xen/xsm/flask/include/security.h"))
    makefiles = _git(repository, "ls-tree", "--name-only", f"RELEASE-{version}", "tools/flask/policy/").split()
    shared = "tools/flask/policy/Makefile.common"
    built = built_versions(show(shared if shared in makefiles else "tools/flask/policy/Makefile"))
    return abi, Release(version, abi.fingerprint, oldest, newest, built)


def parse_sources(security_classes: str, access_vectors: str, initial_sids: str) -> Abi:
    """The table that Xen's build makes of its three source files; `common` permissions come first in a class."""
    vectors = _parse_vectors(_without_comments(access_vectors))
    names = re.findall(r"^\s*class\s+(\w+)", _without_comments(security_classes), re.MULTILINE)
    sids = re.findall(r"^\s*sid\s+(\w+)", _without_comments(initial_sids), re.MULTILINE)
    if set(vectors) - set(names):
        raise ValueError(f"access vectors without a class: {sorted(set(vectors) - set(names))}")
    return Abi(tuple(SecurityClass(name, vectors.get(name, ())) for name in names), tuple(sids))


def parsed_versions(header: str) -> tuple[int, int]:
    """The oldest and the newest policydb version that a hypervisor with this `security.h` reads."""
    numbers = dict(re.findall(r"#define\s+(POLICYDB_VERSION_\w+)\s+(\d+)", header))
    bounds = dict(re.findall(r"#define\s+POLICYDB_VERSION_(MIN|MAX)\s+(POLICYDB_VERSION_\w+)", header))
    return int(numbers[bounds["MIN"]]), int(numbers[bounds["MAX"]])


def built_versions(makefile: str) -> tuple[int, ...]:
    """The policydb versions that Xen's own build makes."""
    found = re.search(r"^POLICY_VER_LIST_HV\s*[:?]?=\s*([\d ]+)$", makefile, re.MULTILINE)
    if found is None:
        raise ValueError("the Makefile has no POLICY_VER_LIST_HV")
    return tuple(int(number) for number in found[1].split())


def _parse_vectors(text: str) -> dict[str, tuple[str, ...]]:
    commons = {name: body.split() for name, body in re.findall(r"\bcommon\s+(\w+)\s*\{([^}]*)\}", text)}
    vectors: dict[str, tuple[str, ...]] = {}
    for name, inherited, body in re.findall(r"\bclass\s+(\w+)(?:\s+inherits\s+(\w+))?\s*\{([^}]*)\}", text):
        if name in vectors:
            raise ValueError(f"class {name} has two access vectors")
        vectors[name] = (*commons.get(inherited, ()), *body.split())
    return vectors


def _without_comments(text: str) -> str:
    return re.sub(r"#.*", "", text)


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
