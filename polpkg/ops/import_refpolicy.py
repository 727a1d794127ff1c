"""A refpolicy-style tree, such as OpenXT's xsm-policy: which of its files make the policy, and in which order.

As its `Makefile` and `Rules.monolithic` have it: `policy/modules.conf` says `base`, `module` or `off` for each module,
all that are on are built together, and `TYPE` says whether the tree has MLS or MCS.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

DIALECT = "refpolicy"

_ENABLED = ("base", "module")
_SETTING = re.compile(r"^(TYPE|DISTRO)\s*[:?]?=\s*(\S+)", re.MULTILINE)


class RefpolicyTree(NamedTuple):
    """The files of a tree in the order in which its Makefile reads them, and what it defines for them."""

    files: tuple[tuple[str, Path], ...]
    macros: dict[str, str]


def is_refpolicy(root: Path) -> bool:
    """Whether `root` is such a tree: it has refpolicy's support macros and tables of its own."""
    policy = root / "policy"
    return (policy / "support/loadable_module.spt").is_file() and (policy / "flask/security_classes").is_file()


def read_refpolicy(root: Path) -> RefpolicyTree:
    """Finds the files of the tree at `root`.  Raises UsageError that names what is missing."""
    policy = root / "policy"
    modules = list(_modules(policy))
    before = [policy / "flask" / name for name in ("security_classes", "initial_sids", "access_vectors")]
    files = [
        *before,
        *sorted((policy / "support").glob("*.spt")),
        *(policy / name for name in ("mls", "mcs")),
        *(te.with_suffix(".if") for te in modules),
        *(policy / name for name in ("global_booleans", "global_tunables")),
        *modules,
        *(policy / name for name in ("systemuser", "users", "constraints")),
    ]
    missing = next((path for path in before if not path.is_file()), None)
    if missing is not None:
        raise UsageError("not-a-policy-tree", f"there is no {missing}")
    found = tuple((path.relative_to(root).as_posix(), path) for path in files if path.is_file())
    return RefpolicyTree(found, {"self_contained_policy": "", **_settings(root)})


def _modules(policy: Path) -> Iterator[Path]:
    """The `.te` of every enabled module, by path."""
    conf = policy / "modules.conf"
    if not conf.is_file():
        raise UsageError("no-modules-conf", f"there is no {conf}")
    enabled = set(_enabled(conf.read_text(encoding="utf-8")))
    sources = [te for te in sorted((policy / "modules").glob("*/*.te")) if te.stem in enabled]
    absent = sorted(enabled - {te.stem for te in sources})
    if absent:
        raise UsageError("missing-module", f"{conf} enables `{absent[0]}`, and there is no {absent[0]}.te")
    if not sources:
        raise UsageError("no-modules", f"{conf} enables no module")
    yield from sources


def _enabled(text: str) -> Iterable[str]:
    """Lines `name = base` and `name = module`, as the Makefile's awk reads them."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] in _ENABLED and words[0][0].isalpha():
            yield words[0]


def _settings(root: Path) -> dict[str, str]:
    """What `TYPE` and `DISTRO` define; MLS itself is chosen when the policy is linked (`--mls`)."""
    found: dict[str, str] = {}
    for name in ("Makefile", "build.conf"):
        path = root / name
        if path.is_file():
            found.update(_SETTING.findall(path.read_text(encoding="utf-8", errors="replace")))
    kind = found.get("TYPE", "")
    macros = {"enable_mcs": ""} if "-mcs" in kind else {}
    if "targeted" in kind:
        macros["targeted_policy"] = ""
    if distribution := found.get("DISTRO"):
        macros[f"distro_{distribution}"] = ""
    return macros
