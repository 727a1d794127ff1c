"""The work that is measured, in a process of its own: `packages N`, `conf FILE`, `folder FOLDER` or
`emit N CONF CIL`; `folder` takes CONF and CIL too, and writes them besides.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from polpkg.diagnostics import Source
from polpkg.ops.assembly import assemble
from polpkg.ops.compiling import link_assembly
from polpkg.ops.context import Context
from polpkg.ops.link import LinkRequest, link_requirements
from polpkg.ops.resolution import load_packages, resolve_requirements
from polpkg.packages.project import Project
from polpkg.packages.requirement import parse_requirement
from polpkg.policy.abi import load_abi
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.ir.linked import LinkedPolicy
from polpkg.policy.link import link
from polpkg.policy.modules import Environment, PackageSource, build_modules

XEN = "4.17"


def linked(count: int) -> LinkedPolicy:
    """The policy of `count` verifiers with 10 guests each."""
    guests = {"guests": tuple(f"g{number}" for number in range(10))}
    project = Project(packages={"vmv": "*"}, instances={"vmv": {f"x{number}": guests for number in range(count)}})
    context = Context()
    lock, catalog = resolve_requirements(context, project, project.requirements, xen="4.17.7")
    return link_assembly(assemble(load_packages(context, lock, catalog), project), load_abi(XEN))[0]


def from_folder(folder: Path) -> LinkedPolicy:
    """The policy of dom0 with all packages below `folder`."""
    requirements = (*map(str, sorted(folder.iterdir())), "dom0")
    return link_requirements(Context(), LinkRequest(tuple(map(parse_requirement, requirements)), "4.17.7")).policy


def from_conf(path: Path) -> LinkedPolicy:
    """The policy of a policy.conf."""
    source = Source("policy.conf", path.read_text(encoding="utf-8"), "conf", "1")
    abi = load_abi(XEN)
    return link(build_modules([PackageSource("conf", "1", (source,), own_tables=True)], Environment(abi)), abi).policy


def main(verb: str, what: str, *files: str) -> None:
    """Does what is asked, with the garbage collector as `polpkg` itself has it."""
    gc.set_threshold(100_000)
    if verb in ("conf", "folder"):
        policy = from_conf(Path(what)) if verb == "conf" else from_folder(Path(what))
    else:
        policy = linked(int(what))
    if files:
        Path(files[0]).write_text(emit_conf(policy, neverallows=False), encoding="utf-8")
        Path(files[1]).write_text(emit_cil(policy, neverallows=False), encoding="utf-8")
    if verb != "emit":
        BuiltinBackend().compile(policy, CompileOptions())


if __name__ == "__main__":
    main(*sys.argv[1:])
