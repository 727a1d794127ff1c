"""`polpkg diff`: two policies compared, each a generation, a file, a lock file, or what a requirement gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.ops.policies import read_installed_policy, read_policy_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.ops.context import Context
    from polpkg.policy.analysis.diff import PolicyDiff
    from polpkg.policy.analysis.review import Review
    from polpkg.policy.analysis.view import PolicyView
    from polpkg.policy.backends.equivalence import PolicyDifference
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.target import Target


class Compared(NamedTuple):
    """A policy and what to call it; for a policydb, its bytes."""

    view: PolicyView
    label: str
    data: bytes | None = None

    @property
    def policy(self) -> LinkedPolicy:
        """The policy itself."""
        return self.view.policy


@dataclass(frozen=True, slots=True)
class DiffAnswer:
    """How the second policy differs from the first, and what both are called.

    `review`: the whole difference, its allow rules with their packages, the gravest first.  `forms` says for two
    policydbs how they differ as files without saying anything else, as compilers may; None when one is no policydb.
    """

    old: Compared
    new: Compared
    review: Review
    forms: tuple[PolicyDifference, ...] | None = None

    @property
    def diff(self) -> PolicyDiff:
        """The difference alone."""
        return self.review.diff

    @property
    def is_same_file(self) -> bool:
        """Whether both are policydbs of the same bytes."""
        return self.old.data is not None and self.old.data == self.new.data


def diff_named(context: Context, old: str, new: str, open_target: Callable[[], Target], xen: str) -> DiffAnswer:
    """Compares what `old` and `new` name.

    A number is a generation of the target, which `open_target` opens.  The path of a file is a policydb, or a lock when
    its name ends in `.lock`.  Everything else is a requirement, linked for `xen` with the packages that every target
    has.  Raises UsageError for what is none of these, and what reading, resolving and linking raise.
    """
    from polpkg.policy.analysis.review import review_policies

    if not xen and old.isdecimal() and new.isdecimal():
        xen = _common_abi(open_target(), int(old), int(new))
    first, second = (_read(context, text, open_target, xen) for text in (old, new))
    return DiffAnswer(first, second, review_policies(first.view, second.view), _forms(first.data, second.data))


def _common_abi(target: Target, old: int, new: int) -> str:
    """The first ABI that both generations have a policy for; empty when there is none."""
    from polpkg.ops.policies import find_generation

    before, after = (find_generation(target, number).policies for number in (old, new))
    return next((policy.abi for policy in after if policy.abi in {each.abi for each in before}), "")


def _forms(old: bytes | None, new: bytes | None) -> tuple[PolicyDifference, ...] | None:
    from polpkg.policy.backends.equivalence import explain_differences
    from polpkg.policy.policydb import read_policydb

    if old is None or new is None:
        return None
    return tuple(d for d in explain_differences(read_policydb(old), read_policydb(new)) if d.rule)


def _read(context: Context, text: str, open_target: Callable[[], Target], xen: str) -> Compared:
    from polpkg.policy.analysis.view import view_of

    if text.isdecimal():
        found = read_installed_policy(open_target(), int(text), xen)
        return Compared(found.view, found.label)
    path = context.locate(text)
    if path.is_file() and path.suffix == ".lock":
        return Compared(view_of(_link_lock(context, path, xen)), text)
    if path.is_file() and path.suffix != ".polpkg":
        return Compared(read_policy_file(path).view, text, path.read_bytes())
    return Compared(view_of(_link_requirement(context, text, xen)), text)


def _link_requirement(context: Context, text: str, xen: str) -> LinkedPolicy:
    from polpkg.ops.link import LinkRequest, link_requirements
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement, parse_requirement

    requirement = parse_requirement(text)
    name = context.named(requirement).name
    base = (Requirement(other) for other in Project().target.base if other != name)
    return link_requirements(context, LinkRequest((requirement, *base), xen)).policy


def _link_lock(context: Context, path: Path, xen: str) -> LinkedPolicy:
    """The policy of a lock, with the instances and indexes of the policy.toml beside it."""
    from polpkg.ops.assembly import assemble
    from polpkg.ops.compiling import link_assembly
    from polpkg.ops.project_files import ProjectFiles, located_project, read_lock_file
    from polpkg.ops.resolution import load_packages
    from polpkg.policy.abi.hypervisor import resolve_xen

    lock = read_lock_file(path)
    project = located_project(ProjectFiles(path.parent).read().project, path.parent)
    wanted = xen or project.target.hypervisor or project.target.xen
    if not wanted:
        hint = "say with --xen which one: a release (4.17), a version (4.18.3) or a hypervisor file"
        raise UsageError("no-hypervisor", f"{path} names no hypervisor to link its packages for", hint=hint)
    locked = load_packages(context, lock, context.catalog(project, project.requirements))
    return link_assembly(assemble(locked, project), resolve_xen(wanted), mls=project.target.mls)[0]
