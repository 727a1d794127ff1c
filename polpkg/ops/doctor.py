"""`polpkg doctor`: what of a target, and of this machine, does not work or will not, and why.

It looks where `probe`, `verify` and `status` look, and says it in one list, the gravest first.  Nothing is changed and
no network is used.  What cannot be looked at is a finding as well.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError
from polpkg.ops.ailments import Ailment, Level, examine_machine, of_error, why_unavailable
from polpkg.targets.generations import current_generation
from polpkg.targets.layout import BOOT, MARKS, PROJECT, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from polpkg.ops.context import Context
    from polpkg.ops.probe import ProbedHypervisor
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target

_SUPPORT = Ailment(
    Level.NOTE,
    "experimental-flask",
    "FLASK is experimental in Xen's support statement",
    "its bugs are not handled as security issues, and most of what a policy may delegate (domctl, sysctl) is outside of"
    " security support (XSA-77): a domain that holds it can do harm that no policy stops",
)


class Diagnosis(NamedTuple):
    """What was found, the gravest first; `target`: its name, empty when only this machine was looked at."""

    target: str
    ailments: tuple[Ailment, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing is a problem."""
        return not any(each.level is Level.PROBLEM for each in self.ailments)


def diagnose(context: Context, target: Target | None) -> Diagnosis:
    """Looks at this machine, and at `target` when there is one."""
    found = list(_tried(lambda: examine_machine(context)))
    if target is not None:
        found = [*_examine_target(context, target), *found, _SUPPORT]
    order = list(Level)
    ailments = sorted(dict.fromkeys(found), key=lambda each: order.index(each.level))
    return Diagnosis(target.name if target else "", tuple(ailments))


def _tried(examine: Callable[[], Iterable[Ailment]]) -> Iterator[Ailment]:
    """What an examination finds, and the error that it ends with."""
    try:
        yield from examine()
    except PolpkgError as error:
        yield of_error(error)


def _examine_target(context: Context, target: Target) -> Iterator[Ailment]:
    from polpkg.ops.doctor_live import examine_live
    from polpkg.targets.boot.set_up import find_served

    try:
        receipt = current_generation(target)
    except PolpkgError as error:
        why = "nobody can tell what is installed, and nothing can be gone back to"
        yield of_error(error, why)._replace(remedy="`polpkg sync` makes a new generation from policy.toml and the lock")
        return
    examinations = [_hypervisors, _tools, _room, _way_back, _drift, _backend, examine_live]
    for examine in examinations:
        yield from _tried(partial(examine, context, target, receipt))
    if receipt is not None and not find_served(target, receipt.policies):
        what = f"the policy is for Xen {receipt.policies[0].xen_version}, of which there is no file in {BOOT}"
        if not receipt.is_adopted:
            yield Ailment(Level.NOTE, "named-hypervisor", what, "nothing here can tell whether it is what boots")


def _hypervisors(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """Those that take no policy, whose policy does not fit, and how they are booted."""
    from polpkg.ops.probe import probe_target

    probed = probe_target(target, context.boot_paths())
    none_fits = not any(each.file.is_usable for each in probed.hypervisors)
    for each in probed.hypervisors:
        if not each.file.is_usable:
            level = Level.PROBLEM if none_fits else Level.CAUTION
            why = "it enforces no policy, whatever is placed for it"
            remedy = "install a Xen that is built with CONFIG_XSM and CONFIG_XSM_FLASK"
            yield Ailment(level, "no-flask", each.file.reason, why, remedy, each.file.path)
            continue
        if not each.versions:
            what = f"the table of {each.file.path} is that of no release that polpkg knows"
            why = "policies are made for the table as it was read, and no test has ever seen them on it"
            yield Ailment(Level.CAUTION, "unknown-abi", what, why, "`polpkg lab` tries one in a box", each.file.path)
        yield from _policy(each, receipt)
    for found in probed.boot:
        level = Level.PROBLEM if found.is_wrong and receipt is not None else Level.NOTE
        why = "the installed policy would not be enforced" if found.is_wrong else ""
        yield Ailment(level, found.code, found.message, why, "", found.path)


def _policy(probed: ProbedHypervisor, receipt: Receipt | None) -> Iterator[Ailment]:
    path, policy = probed.file.path, probed.policy
    if policy is None:
        return
    if not policy.is_there:
        if receipt is None:
            yield Ailment(Level.NOTE, "no-policy", f"{path} has no policy yet", "", "`polpkg install vmv`", policy.path)
        elif not receipt.is_adopted:
            why = "booted with flask=enforcing it panics; otherwise nothing is enforced"
            yield Ailment(Level.PROBLEM, "no-policy", f"{path} has no policy", why, "`polpkg sync`", policy.path)
    elif policy.misfit:
        what = f"{path} refuses {policy.path}: {policy.misfit}"
        remedy = (
            "`polpkg sync` makes one that fits" if receipt else "`polpkg adopt` keeps it, `polpkg install` replaces it"
        )
        yield Ailment(
            Level.PROBLEM, "policy-misfit", what, "Xen panics at boot with flask=enforcing", remedy, policy.path
        )
    elif receipt is None:
        what = f"{policy.path} was not made by polpkg"
        why = "a change that needs its place keeps it, but cannot go back to it"
        yield Ailment(Level.CAUTION, "foreign-policy", what, why, "`polpkg adopt` makes it generation 0", policy.path)


def _tools(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """Toolstacks count initial SIDs by number: they and the hypervisor have to agree on their order (4.17 moved it)."""
    from polpkg.errors import UsageError
    from polpkg.policy.abi import load_abi
    from polpkg.targets.probe import probe_hypervisors, read_contents
    from polpkg.targets.toolstack import find_toolstacks

    del context
    toolstacks = find_toolstacks(target)
    known: dict[str, tuple[str, ...]] = {}
    for version in toolstacks:
        try:
            known[version] = tuple(load_abi(version).initial_sids)
        except UsageError:  # newer than what polpkg knows
            return
    for hypervisor in probe_hypervisors(target, receipt):
        if hypervisor.is_usable and known:
            sids = tuple(read_contents(target, hypervisor).abi.initial_sids)
            if sids not in known.values():
                what = f"the tools of Xen {', '.join(known)} number initial SIDs otherwise than {hypervisor.path}"
                why = "guests without a seclabel get the label of something else, or none"
                remedy = "install the tools of the same release, or give every guest a seclabel"
                yield Ailment(Level.PROBLEM, "sid-mismatch", what, why, remedy, hypervisor.path)


def _room(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """Whether a change of the usual size could be made."""
    del context, receipt
    sizes = {f"{STATE}/generations/new/policy": 1 << 20, PROJECT: 4096, f"{BOOT}/xenpolicy-new": 64 << 10}
    try:
        target.check_writable(sizes)
    except PolpkgError as error:
        yield of_error(error, "no change can be made")


def _way_back(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """Whether a policy that does not boot has another behind it, and what is not enforced."""
    from polpkg.targets.boot.trial import Trial, read_trial
    from polpkg.targets.confirm import is_confirmed
    from polpkg.targets.marks import read_marks

    del context
    if receipt is None:
        return
    marks = read_marks(target)
    if read_trial(target) is Trial.FAILED:
        what = f"generation {receipt.generation} was tried and not confirmed: the confirmed policy boots"
        yield Ailment(Level.PROBLEM, "trial-failed", what, "", "`polpkg rollback` makes that the current one", MARKS)
    elif marks.confirmed is None:
        why = "a policy that does not boot has no other to fall back to"
        yield Ailment(
            Level.CAUTION,
            "nothing-confirmed",
            "no generation is confirmed",
            why,
            "`polpkg confirm` after a good boot",
            MARKS,
        )
    elif not is_confirmed(target, receipt, marks):
        what = f"generation {receipt.generation} is not confirmed, generation {marks.confirmed} is"
        yield Ailment(Level.CAUTION, "not-confirmed", what, "", "`polpkg confirm` after a good boot", MARKS)
    for policy in receipt.policies:
        if policy.permissive and not policy.is_adopted:
            what = f"types are permissive: {', '.join(policy.permissive)}"
            why = "what they do is logged and allowed"
            yield Ailment(Level.CAUTION, "permissive-types", what, why, "`polpkg permissive remove`", PROJECT)


def _drift(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """Files that are not as they were left; without a generation, policies that lie about."""
    from polpkg.targets.verify import DriftKind, verify_files

    if receipt is None:
        return
    changed = (DriftKind.HYPERVISOR_CHANGED, DriftKind.FOREIGN, DriftKind.INTERRUPTED)
    for each in verify_files(target, thorough=True, boot_paths=context.boot_paths()):
        level = Level.CAUTION if each.kind in changed else Level.PROBLEM
        yield Ailment(
            level, each.kind.value, each.message, "", "`polpkg verify` tells all, `polpkg sync` mends", each.path
        )


def _backend(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    from polpkg.ops.project_files import read_project_files

    del receipt
    name = read_project_files(target, None).project.target.backend
    if name and (reason := why_unavailable(context, name)) is not None:
        what = f"policy.toml wants the backend {name}, which cannot be used here: {reason}"
        yield Ailment(Level.PROBLEM, "backend-missing", what, "no policy can be compiled for it", "", PROJECT)
