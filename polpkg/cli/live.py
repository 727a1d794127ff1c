"""What becomes of the policy in force on a host that runs, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.cli.render import visible, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.activation import Activation
    from polpkg.ops.live_status import LiveStatus


def question(activation: Activation) -> str:
    """What a person is asked."""
    name = visible(activation.host.target.name)
    return f"load it on {name}?" if activation.load else f"change {name}, for its next boot?"


def proposed_lines(activation: Activation, width: int) -> list[str]:
    """What will happen to what runs, in lines of at most `width` columns."""
    return [line for text in _proposed(activation) for line in wrapped(visible(text), width)]


def _proposed(activation: Activation) -> Iterator[str]:
    from polpkg.ops.activation import touched_domains

    load, running = activation.load, activation.running
    if running is not None:
        yield f"Xen {running.version} runs there, with {_count(len(running.guests))}"
    if load is None:
        yield "the policy in force stays" if activation.is_in_force else f"not loaded now: {activation.reason}"
        return
    yield f"the policy is loaded now, in place of {load.before.name}" if load.before else "the policy is loaded now"
    for each in touched_domains(activation):
        label = each.domain.type_name
        yield f"  {each.domain}, {label}: {each.gained} permissions more, {each.lost} less"
    yield from (f"  boolean {name} is set {_word(value)}" for name, value in sorted(load.booleans.items()))
    yield from (f"  PCI device {each.address} is labelled again: {each.context}" for each in load.devices)
    yield from (f"note: {note}" for note in load.notes)


def outcome_lines(activation: Activation, width: int) -> list[str]:
    """What happened to what runs."""
    return [line for text in _done(activation) for line in wrapped(visible(text), width)]


def _done(activation: Activation) -> Iterator[str]:
    load, name = activation.load, activation.host.target.name
    if load is None:
        if not activation.is_in_force:
            yield f"not loaded on {name}, it waits for the next boot: {activation.reason}"
        return
    yield from (f"note: {note}" for note in load.notes)
    if seconds := activation.how.confirm_within:
        yield f"{name} runs the new policy; it is taken back in {_time(seconds)} unless `polpkg confirm` comes before"
    else:
        through = " through a new connection" if activation.host.is_remote else ""
        yield f"{name} runs the new policy, and it was looked at{through}"


def status_lines(live: LiveStatus, width: int) -> list[str]:
    """What runs on a host, in lines of at most `width` columns."""
    return [line for text in _status(live) for line in wrapped(visible(text), width)]


def _status(live: LiveStatus) -> Iterator[str]:
    running = live.running
    if running is None:
        yield f"running: {live.reason}"
        return
    yield f"running: Xen {running.version} with {_count(len(running.guests))}; {_FLASK[running.flask.value]}"
    if running.enforcing is False:
        yield "! Xen is in permissive mode: what is denied is only logged"
    if running.flask.value == "loaded":
        yield f"  {_in_force(live)}"
    if live.trial is not None:
        end = "`polpkg confirm` keeps it" if live.trial.waits else "another polpkg is looking at it"
        yield f"! it is being tried ({live.trial.what}): {end}, else the host takes it back"
    if live.last is not None:
        from polpkg.ops.loading import told

        yield f"! {live.last.what}: {told(live.last.outcome)}"


def probe_lines(live: LiveStatus, width: int) -> list[str]:
    """The same with every domain and boolean."""
    more: list[str] = []
    if live.running is not None:
        more += [f"  {domain}: {domain.label}" for domain in live.running.domains]
        more += [f"  boolean {name}: {_word(value)}" for name, value in (live.running.booleans or {}).items()]
    return [line for text in (*_status(live), *more) for line in wrapped(visible(text), width)]


_FLASK = {
    "loaded": "FLASK has a policy",
    "no-policy": "FLASK waits for a policy, and allows everything until it gets one",
    "absent": "it has no FLASK, so no policy is in force",
}


def _in_force(live: LiveStatus) -> str:
    if live.in_force is None:
        return "the policy in force is not one that polpkg knows"
    if live.is_current:
        return "the policy in force is that of this generation"
    waits = "" if live.trial else "; this one is loaded by `polpkg sync`, or by the next boot"
    return f"the policy in force is {live.in_force.name}{waits}"


def _count(guests: int) -> str:
    return "no guest" if not guests else f"{guests} {'guest' if guests == 1 else 'guests'}"


def _word(value: bool) -> str:  # noqa: FBT001 - the value is the subject
    return "on" if value else "off"


def _time(seconds: int) -> str:
    for unit, name in ((3600, "hours"), (60, "minutes")):
        if seconds >= unit and seconds % unit == 0:
            count = seconds // unit
            return f"{count} {name[:-1] if count == 1 else name}"
    return f"{seconds} seconds"
