"""What polpkg remembers, on a host, of the policy that is in force: Xen does not give it away.

A record counts for the run of the kernel that it was made in; after another boot, what booted is in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import digest, read_document, render_document
from polpkg.targets.live.known_policy import KnownPolicy
from polpkg.targets.live.layout import IN_FORCE, NEW, PREVIOUS, RECORD, find_phase, phase_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from polpkg.targets.target import Target

_FORMAT = 1


class Last(NamedTuple):
    """How the last trial of a policy ended, when not well.

    `outcome`: reverted by the guard, by polpkg (`undone`), by a `restart` of the machine, or `stuck`.  `what`: what was
    to be done ("install vmv").  `when`: seconds since 1970, as the host has them; 0 when not known.
    """

    outcome: str
    what: str
    when: int = 0


class Record(NamedTuple):
    """Which policy is in force in the run `boot`: its digest, and what to call it."""

    boot: str
    sha256: str
    name: str
    last: Last | None = None


class Trial(NamedTuple):
    """A policy that is being tried.

    `waits`: for a person who says `polpkg confirm`; else for the polpkg that loaded it.  `what`: as in `Last`.  `new`,
    `name`: digest of the policy that is tried, and what to call it; likewise `previous`.  `seconds`: until it is taken
    back.  `becomes`: the generation that is current once it is confirmed; 0 when the current one is only loaded.
    """

    boot: str
    what: str
    waits: bool
    seconds: int
    new: str
    name: str
    previous: str
    previous_name: str
    becomes: int


def read_record(target: Target) -> Record | None:
    """What is remembered; None when there is nothing.  Raises TargetError `damaged-state`."""
    if target.stat(RECORD) is None:
        return None
    document = read_document(target.read(RECORD), RECORD, "damaged-state", _FORMAT)
    try:
        last = document["last"]
        told = Last(str(last["outcome"]), str(last["what"]), int(last["when"])) if last else None
        return Record(str(document["boot"]), str(document["sha256"]), str(document["name"]), told)
    except (KeyError, TypeError, ValueError):
        raise TargetError("damaged-state", f"{RECORD} in {target.name} is damaged") from None


def write_record(target: Target, record: Record, policydb: bytes | None = None) -> None:
    """Remember which policy is in force; its bytes too, when they are given.  Raises TargetError."""
    if policydb is not None:
        target.write(IN_FORCE, policydb)
    last = record.last._asdict() if record.last else None
    target.write(RECORD, render_document({"format": _FORMAT, **record._asdict(), "last": last}))


def recorded_policy(target: Target, boot: str) -> KnownPolicy | None:
    """The policy that was put in force in this run of the kernel; None when that is not known."""
    record = read_record(target)
    if record is None or record.boot != boot or not record.sha256:
        return None
    return _whole(target, IN_FORCE, record.sha256, record.name)


def render_trial(trial: Trial) -> bytes:
    """The content of the file of a trial."""
    return render_document({"format": _FORMAT, **trial._asdict()})


def read_trial(target: Target) -> tuple[str, Trial] | None:
    """The phase of the trial, and the trial; None when there is none.

    Raises TargetError `damaged-state`.
    """
    for _ in range(2):  # the guard may rename it between two looks
        if not (phase := find_phase(target)):
            return None
        path = phase_path(phase)
        if target.stat(path) is None:
            continue
        return phase, _trial(read_document(target.read(path), path, "damaged-state", _FORMAT), path)
    raise TargetError("damaged-state", f"the trial of a policy in {target.name} cannot be read")


def _trial(document: Mapping[str, Any], path: str) -> Trial:
    try:
        return Trial(
            str(document["boot"]),
            str(document["what"]),
            bool(document["waits"]),
            int(document["seconds"]),
            str(document["new"]),
            str(document["name"]),
            str(document["previous"]),
            str(document["previous_name"]),
            int(document["becomes"]),
        )
    except (KeyError, TypeError, ValueError):
        raise TargetError("damaged-state", f"{path} is damaged") from None


def tried_policy(target: Target, trial: Trial) -> KnownPolicy | None:
    """The policy that is being tried; None when its file is damaged."""
    return _whole(target, NEW, trial.new, trial.name)


def policy_before(target: Target, trial: Trial) -> KnownPolicy | None:
    """The policy that a trial would go back to; None when there was none, or its file is damaged."""
    return _whole(target, PREVIOUS, trial.previous, trial.previous_name) if trial.previous else None


def _whole(target: Target, path: str, sha256: str, name: str) -> KnownPolicy | None:
    if target.stat(path) is None:
        return None
    policydb = target.read(path)
    return KnownPolicy(policydb, name) if digest(policydb) == sha256 else None
