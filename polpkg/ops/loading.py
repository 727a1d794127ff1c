"""Bringing a change into force on a host that runs, with a way back until it is known to be good.

    activate             loads the policy under guard, puts the generation in place, and lets it stay
    confirm_waiting      what a person does who wanted to have the last word
    finish_interrupted   what the next command does about a trial, or a change, that did not come to its end

The generation and its boot files are put in place only after the new policy was in force and looked at: whatever
interrupts that, the host boots what it had, and runs that again when the time of the guard is up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import ApplyError, PolpkgError, TargetError
from polpkg.targets.live.host import find_live_host

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.ops.activation import Activation
    from polpkg.ops.context import Context
    from polpkg.targets.live.host import LiveHost
    from polpkg.targets.live.preflight import Load
    from polpkg.targets.live.record import Trial
    from polpkg.targets.live.recovery import Ending
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


class Confirmed(NamedTuple):
    """A change that waited for a person: its generation, and what had been asked for."""

    generation: int
    action: str


def activate(
    context: Context, activation: Activation, plan: Plan, wanted: WantedState, apply: Callable[[], Receipt | None]
) -> Receipt | None:
    """Bring `plan` into force; `apply` puts it in place, and its receipt is returned: None when it waits.

    Raises ApplyError when everything is as it was: see `try_policy`, and what `apply` raises.
    """
    from polpkg.targets.apply import check_plan

    load = activation.load
    if load is None:
        _remember(activation)
        return apply()
    check_plan(activation.host.target, plan)
    if plan.new_generation is None and not plan.is_empty:  # what is put back belongs to the generation that boots
        apply()
    trial = _trial(activation, load, plan)
    if trial.waits:
        _keep_candidate(activation.host.target, plan, wanted)
    _try(context, activation, load, trial)
    if trial.waits:
        return None
    try:
        receipt = apply()
    except (PolpkgError, KeyboardInterrupt) as error:
        raise _taken_back(context, activation.host, trial, error) from error
    _finish(activation.host, trial)
    return receipt


def _keep_candidate(target: Target, plan: Plan, wanted: WantedState) -> None:
    """Write the generation where the one who confirms it finds it."""
    from polpkg.targets.apply import render_generation
    from polpkg.targets.live.layout import CANDIDATE

    if files := render_generation(target, plan, wanted):
        target.write_tree(CANDIDATE, files)


def _remember(activation: Activation) -> None:
    """Write down which policy is in force before another one takes its place in /boot."""
    from polpkg.targets.live.record import Record, read_record, write_record

    running, before, target = activation.running, activation.before, activation.host.target
    if running is None or before is None:
        return
    earlier = read_record(target)
    if earlier is None or (earlier.boot, earlier.sha256) != (running.boot, before.sha256):
        last = earlier.last if earlier else None
        write_record(target, Record(running.boot, before.sha256, before.name, last), before.policydb)


def _trial(activation: Activation, load: Load, plan: Plan) -> Trial:
    from polpkg.targets.live.record import Trial
    from polpkg.targets.live.trial import LOOKING

    seconds = activation.how.confirm_within
    return Trial(
        activation.running.boot if activation.running else "",
        plan.action,
        bool(seconds),
        seconds or LOOKING,
        load.new.sha256,
        load.new.name,
        load.before.sha256 if load.before else "",
        load.before.name if load.before else "",
        plan.generation if plan.new_generation else 0,
    )


def _try(context: Context, activation: Activation, load: Load, trial: Trial) -> None:
    from polpkg.ops.activation import labelled_devices
    from polpkg.targets.live.recovery import current_link
    from polpkg.targets.live.trial import try_policy

    host, running = activation.host, activation.running
    assert running is not None  # noqa: S101 - what is to be loaded was planned for what runs
    _remember(activation)
    labelled, current = labelled_devices(host.target), current_link(host.target)
    try:
        try_policy(host, running, load, trial, current, labelled, context.tell)
    except ApplyError as error:
        _close(host, trial, error)
        raise
    except KeyboardInterrupt as error:
        raise _taken_back(context, host, trial, error) from error


def _close(host: LiveHost, trial: Trial, error: ApplyError) -> None:
    """Forget a trial whose end is known; when the old policy is not back, the guard goes on."""
    from polpkg.targets.live.layout import CANDIDATE
    from polpkg.targets.live.recovery import close_trial

    if error.code == "probe-failed":
        try:
            target = host.connect().target  # the old connection may be the one that was cut
            close_trial(target, trial, "undone", trial.boot)
        except TargetError:
            return  # the next command does it
    elif error.code == "load-refused":
        host.target.remove(CANDIDATE)


def _taken_back(
    context: Context, host: LiveHost, trial: Trial, error: PolpkgError | KeyboardInterrupt
) -> BaseException:
    """Load the old policy again after what came later went wrong; the error to raise."""
    from polpkg.targets.live.trial import take_back

    reason = "interrupted" if isinstance(error, KeyboardInterrupt) else error.message
    context.tell(f"{host.target.name}: {reason}: the old policy is being brought back")
    ended = take_back(host, trial, [reason], context.tell)
    _close(host, trial, ended)
    if ended.code == "revert-failed":
        return ended
    return error


def _finish(host: LiveHost, trial: Trial) -> None:
    """Let the new policy stay.  Its generation is in place: the guard sees that too, should nobody tell it."""
    from polpkg.targets.live.layout import CONFIRMED
    from polpkg.targets.live.recovery import close_trial
    from polpkg.targets.live.trial import confirm_trial

    if not confirm_trial(host):
        raise ApplyError(
            "reverted-meanwhile",
            f"{host.target.name} took its old policy back, because this took longer than {trial.seconds} seconds",
            hint="the change is in place for the next boot; `polpkg sync` loads it",
        )
    close_trial(host.target, trial, CONFIRMED, trial.boot)


def confirm_waiting(context: Context, target: Target, *, dry_run: bool = False) -> Confirmed | None:
    """Let the policy stay that waits for that, and put its generation in place; None when none waits.

    Raises TargetError `reverted` when it was taken back because nobody confirmed it in time, and what applying raises.
    """
    host = find_live_host(target)
    if host is None:
        return None
    from polpkg.targets.live.recovery import find_waiting, settle

    if dry_run:
        waiting = find_waiting(host)
        return Confirmed(waiting.becomes, waiting.what) if waiting else None

    with target.lock(context.tell):
        ending = settle(host)
        if ending is None:
            return None
        if ending.outcome != "waits":
            _refuse_late(target, ending)
            return None
        return _confirm(context, host, ending.trial)


def check_booted(target: Target) -> None:
    """Raises TargetError `not-booted` when the host was not started since its generation was put in place.

    That a policy is in force does not show that the machine boots with it, which is what is confirmed.
    """
    host = find_live_host(target)
    if host is None:
        return
    from polpkg.targets.boot.trial import Trial, read_trial
    from polpkg.targets.live.record import read_record
    from polpkg.targets.live.running import read_boot

    record = read_record(target)
    if record is None or read_trial(target) is not Trial.STAGED or record.boot != read_boot(host.commands):
        return
    raise TargetError(
        "not-booted",
        f"{target.name} was not started since the current generation was put in place: nobody knows whether it boots",
        hint="confirm it after the next boot; --force confirms it now",
    )


def _refuse_late(target: Target, ending: Ending) -> None:
    if ending.trial.waits and ending.outcome != "confirmed":
        message = f"{ending.trial.what}: {told(ending.outcome)}, so there is nothing to confirm"
        raise TargetError("reverted", f"{target.name}: {message}", hint="do it again, and confirm it in time")


def _confirm(context: Context, host: LiveHost, trial: Trial) -> Confirmed:
    from polpkg.targets.generations import current_number

    target = host.target
    if trial.becomes:
        _have_guard_wait(target)
        receipt = _put_in_place(context, target, trial)
        context.warn(context.plugins.generation_committed(receipt))
    _finish(host, trial)
    return Confirmed(trial.becomes or current_number(target) or 0, trial.what)


def _have_guard_wait(target: Target) -> None:
    """Have the guard wait while the generation is put in place; it may have been faster all the same.

    Raises TargetError `reverted`, and then nothing was put in place.
    """
    from polpkg.targets.live.layout import ARMED, CONFIRMING, phase_path

    target.write(CONFIRMING, b"")
    if target.stat(phase_path(ARMED)) is None:
        target.remove(CONFIRMING)
        raise TargetError(
            "reverted",
            f"{target.name} takes its old policy back just now, so there is nothing to confirm",
            hint="do it again, and confirm it in time",
        )


def _put_in_place(context: Context, target: Target, trial: Trial) -> Receipt:
    """Make the generation that was kept the current one."""
    from polpkg.ops.carrying_out import tell_firmware
    from polpkg.ops.rollback import how_many
    from polpkg.targets.apply import apply_plan
    from polpkg.targets.boot.set_up import with_boot_set_up
    from polpkg.targets.generations import read_state
    from polpkg.targets.layout import RECEIPT_FILE
    from polpkg.targets.live.layout import CANDIDATE
    from polpkg.targets.plan import compute_plan
    from polpkg.targets.present import read_present
    from polpkg.targets.receipt import parse_receipt

    path = f"{CANDIDATE}/{RECEIPT_FILE}"
    kept = parse_receipt(target.read(path), path)
    state = read_state(target, kept, trial.what, CANDIDATE)
    wanted = with_boot_set_up(target, state, boot_paths=context.boot_paths())
    present = read_present(target, wanted)
    receipt = apply_plan(target, compute_plan(wanted, present, keep=how_many(wanted, present)), wanted)
    tell_firmware(context, target, wanted.boot.once)
    return receipt


def finish_interrupted(context: Context, target: Target) -> None:
    """End what an earlier command left on `target`, and say so; the lock is held.

    Raises TargetError `confirmation-pending` when a policy waits for a person.
    """
    host = find_live_host(target)
    if host is not None:
        from polpkg.targets.live.recovery import settle

        ending = settle(host)
        if ending is not None and ending.outcome == "waits":
            raise _pending(target, ending.trial)
        if ending is not None:
            context.tell(f"{target.name}: {ending.trial.what}: {told(ending.outcome)}")
    from polpkg.targets.recovery import recover

    if (recovery := recover(target)) is not None:
        context.tell(f"{target.name}: a change that was interrupted was {recovery.outcome}")


def check_not_waiting(target: Target) -> None:
    """Raises TargetError `confirmation-pending` when a policy waits for a person: for those who only look."""
    host = find_live_host(target)
    if host is None:
        return
    from polpkg.targets.live.recovery import find_waiting

    if (waiting := find_waiting(host)) is not None:
        raise _pending(target, waiting)


def _pending(target: Target, trial: Trial) -> TargetError:
    return TargetError(
        "confirmation-pending",
        f"{target.name} tries a policy that waits to be confirmed: {trial.what}",
        hint="`polpkg confirm` keeps it; without that it is taken back when its time is up",
    )


_TOLD = {
    "confirmed": "its policy stays in force",
    "reverted": "its policy was not confirmed in time, and the host took the old one back",
    "undone": "its policy was taken back, and the old one is in force",
    "restart": "its policy was not confirmed before the host was started again",
    "stuck": "its policy could not be taken back, and is in force until the next boot",
}


def told(outcome: str) -> str:
    """How a trial ended, in words."""
    return _TOLD.get(outcome, outcome)
