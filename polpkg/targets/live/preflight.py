"""What is known before a policy is loaded: whether it can be loaded now, waits for the next boot, or must not come.

A load is refused here where it would do damage that cannot be undone, and left for the next boot where it could not be
taken back or would not work: the boot loader's trial has a way back of its own.  Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.policy.abi.catalogue import find_release
from polpkg.targets.in_use import LabelInUse, check_labels_in_use
from polpkg.targets.live.running import Flask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polpkg.targets.devices.unit import DeviceLabel
    from polpkg.targets.live.known_policy import KnownPolicy
    from polpkg.targets.live.running import RunningXen
    from polpkg.targets.receipt import PolicyRecord


@dataclass(frozen=True, slots=True)
class Load:
    """A policy that can be loaded now.

    `new`; `before`: the one in force, None when there is none yet.  `booleans`: those to set after the load, because
    their value at boot changes; `kept`: those that keep another value than they have at boot.  `devices`: labels to
    give again.  `notes`: what a person should know, a line each.
    """

    new: KnownPolicy
    before: KnownPolicy | None
    booleans: Mapping[str, bool]
    kept: Mapping[str, bool]
    devices: tuple[DeviceLabel, ...]
    notes: tuple[str, ...]


def find_loadable(version: str, policies: Sequence[PolicyRecord]) -> PolicyRecord | None:
    """The policy that fits the Xen that runs, by its version; None when none is known to.

    The file that booted may be gone or replaced, so the version is looked for among the hypervisor files first, and
    then among the releases that are known.
    """
    of_files = {p.abi: p for p in policies for boot in p.boot_files for h in boot.hypervisors if h.version == version}
    if not of_files:
        of_files = {p.abi: p for p in policies if p.xen_version == version}
    if len(of_files) == 1:
        return next(iter(of_files.values()))
    fingerprint = _known_fingerprint(version)
    return next((policy for policy in policies if policy.abi == fingerprint), None)


def _known_fingerprint(version: str) -> str:
    from polpkg.errors import UsageError

    try:
        return find_release(version).fingerprint
    except UsageError:
        return ""


def check_late(running: RunningXen) -> None:
    """Raises TargetError `late-with-domains` when domains were made before there was any policy.

    They are labelled as the hypervisor itself, and after the load nobody could manage them.
    """
    if running.flask is not Flask.EMPTY or not running.guests:
        return
    names = ", ".join(map(str, running.guests))
    why = "flask=late" if running.is_late else "no policy was loaded at boot"
    raise TargetError(
        "late-with-domains",
        f"domains run that were created before any policy ({why}): {names}; with a policy nobody could manage them",
        hint="shut them down first; or --no-activate, and boot with flask=enforcing",
    )


def why_not_now(running: RunningXen, before: KnownPolicy | None, new: KnownPolicy) -> str:
    """Why a policy waits for the next boot; empty when it can be loaded now."""
    if running.flask is Flask.ABSENT:
        return "the Xen that runs has no FLASK, or was not told xsm=flask"
    dom0 = running.domain0.type_name
    if running.flask is Flask.LOADED:
        if before is None:
            return "the policy in force is not known, so it could not be brought back"
        if reason := before.contradiction(running):
            return f"the policy in force is not {before.name}, so the right one could not be brought back: {reason}"
        if not before.may_load(dom0):
            return f"the policy in force is sealed: {dom0} may not load another"
        if not new.may_load(dom0):
            return f"the new policy is sealed: once it is loaded, {dom0} could not bring the old one back"
    return ""


def plan_load(
    running: RunningXen,
    before: KnownPolicy | None,
    new: KnownPolicy,
    devices: Iterable[DeviceLabel] = (),
    asked: frozenset[str] = frozenset(),
) -> Load:
    """What loading `new` takes, where `before` is in force; `asked` as in `changed_booleans`.

    Raises TargetError `label-in-use` when the label of a running domain or of a device would be lost.
    """
    labelled = tuple(devices)
    if before is not None:
        check_labels_in_use((LabelInUse(d.label, str(d)) for d in running.domains), before.linked, new.linked)
    changed = changed_booleans(running, before, new, asked)
    wanted = changed if new.may_set_booleans(running.domain0.type_name) else {}
    kept = {
        name: value
        for name, value in (running.booleans or {}).items()
        if name in new.booleans and name not in changed and new.booleans[name] is not value
    }
    notes = list(_notes(running, before, new, kept))
    if changed and not wanted:
        notes.append(f"{', '.join(sorted(changed))}: set at the next boot, {running.domain0.type_name} may set none")
    return Load(new, before, wanted, kept, labelled, tuple(notes))


def changed_booleans(
    running: RunningXen, before: KnownPolicy | None, new: KnownPolicy, asked: frozenset[str] = frozenset()
) -> dict[str, bool]:
    """The booleans to set: a load carries values over by name, so one whose value at boot changed keeps the old one.

    `asked`: those that shall have their value at boot in any case.
    """
    if before is None or running.booleans is None:
        return {}
    return {
        name: value
        for name, value in new.booleans.items()
        if name in running.booleans
        and running.booleans[name] is not value
        and (name in asked or before.booleans.get(name, value) is not value)
    }


def _notes(
    running: RunningXen,
    before: KnownPolicy | None,
    new: KnownPolicy,
    kept: Mapping[str, bool],
) -> Iterator[str]:
    if running.enforcing is False:
        yield "Xen is in permissive mode: what is denied is only logged"
    if before is None:
        yield "it is the first policy, which cannot be unloaded: the way back is `xl setenforce 0`"
    elif running.booleans is None:
        yield "booleans cannot be read there (flask-get-bool), so they keep the values they have until the next boot"
    for name, value in sorted(kept.items()):
        yield f"boolean {name} keeps the value it was given: {_word(value)}; at boot it is {_word(not value)}"
    for domain in running.guests if before else ():
        if late := _late_labels(domain.type_name, before, new):
            yield f"{domain} gets {', '.join(late)} only when it is started again"


def _late_labels(type_name: str, before: KnownPolicy | None, new: KnownPolicy) -> list[str]:
    earlier = before.computed_labels(type_name) if before else frozenset[str]()
    return sorted(new.computed_labels(type_name) - earlier)


def _word(value: bool) -> str:  # noqa: FBT001 - the value is the subject
    return "on" if value else "off"
