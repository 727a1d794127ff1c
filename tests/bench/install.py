"""A cold `polpkg install` beside Xen's own Makefile.

With `POLPKG_XEN_TREE`, a checkout of Xen (its tools/flask/policy and xen/xsm/flask/policy are enough), both make Xen's
example policy of the same sources.  Without it a policy of that size, `vmv netdom stordom`, is measured against a
Makefile of the same form that gets this policy already expanded and without its assertions: less work than Xen's
sources are, so this stand-in errs against polpkg.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from measure import POLPKG, Goal, Work, measure, output
from sources import PACKAGES, XEN, write_conf

LIMIT = 4
STAND_IN = """
VERSION := $(firstword $(shell checkpolicy -V))
policy: policy.conf
	checkpolicy -t Xen -c $(if $(VERSION),30) policy.conf -o policy
policy.conf: expanded.conf
	m4 -D self_contained_policy -s -D mls_num_sens=16 -D mls_num_cats=256 expanded.conf > policy.conf
"""


def goals(folder: Path) -> list[Goal]:
    given = os.environ.get("POLPKG_XEN_TREE")
    install, makefile = _xen_example(folder, Path(given).resolve()) if given else _bundled(folder)
    made, peer = measure([install, makefile])
    return [Goal(made, peer, LIMIT)]


def _bundled(folder: Path) -> tuple[Work, Work]:
    write_conf(folder / "expanded.conf")
    (folder / "Makefile").write_text(STAND_IN)
    install = _cold_install(folder, list(PACKAGES), "")
    name = "make, m4 and checkpolicy; the same rules, already expanded, without the assertions"
    return install, _make(name, ["make", "-s", "-C", str(folder)], folder)


def _xen_example(folder: Path, tree: Path) -> tuple[Work, Work]:
    policy, flask = tree / "tools/flask/policy", tree / "xen/xsm/flask/policy"
    index = folder / "imported"
    output([POLPKG, "import", str(policy), "--flask-dir", str(flask), "-o", str(index), "--name", "xen-example"])
    install = _cold_install(folder, ["xen-example", "--index", f"site={index}"], "[target]\nbase = []\n")
    command = ["make", "-s", "-C", str(policy), "-f", "Makefile.common", f"FLASK_BUILD_DIR={folder}"]
    return install, _make("Xen's own Makefile, on the same sources", [*command, "XEN_FULLVERSION=bench"], folder)


def _cold_install(folder: Path, arguments: list[str], project: str) -> Work:
    """`polpkg install` onto a new target, with an empty cache."""
    target, cache = folder / "cold", folder / "cache"

    def prepare() -> None:
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(cache, ignore_errors=True)
        (target / "etc/polpkg").mkdir(parents=True)
        if project:
            (target / "etc/polpkg/policy.toml").write_text(project)

    install = [POLPKG, "install", *arguments, "--root", str(target), "--xen", XEN, "--yes"]
    names = " ".join(arguments).partition(" --")[0]
    return Work(f"polpkg install {names}, cold", ["env", f"POLPKG_CACHE={cache}", *install], prepare)


def _make(name: str, command: list[str], folder: Path) -> Work:
    """`make` with nothing made yet."""

    def prepare() -> None:
        for made in ("policy.conf", "policy", "xenpolicy-bench"):
            (folder / made).unlink(missing_ok=True)

    return Work(name, command, prepare)
