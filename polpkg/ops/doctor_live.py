"""What `polpkg doctor` finds about what runs on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.ops.ailments import Ailment, Level
from polpkg.ops.live_status import LiveStatus, read_live_status
from polpkg.targets.layout import DEVICES_UNIT
from polpkg.targets.live.running import Flask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.targets.live.running import RunningXen
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target

_LABELLER = "flask-label-pci"


def examine_live(context: Context, target: Target, receipt: Receipt | None) -> Iterator[Ailment]:
    """What runs on `target`; nothing for a tree or an image."""
    del context
    live = read_live_status(target, receipt)
    if live is None:
        return
    if live.running is None:
        why = "a change waits for the next boot, and nothing can be loaded or asked"
        yield Ailment(Level.PROBLEM, "not-a-dom0", live.reason, why, "boot it with Xen")
        return
    yield from _flask(live.running)
    yield from _in_force(live, receipt)
    yield from _programs(target, live.running)


def _flask(running: RunningXen) -> Iterator[Ailment]:
    if running.flask is Flask.ABSENT:
        what = f"the Xen {running.version} that runs does not enforce any policy: FLASK is not in it, or not in use"
        remedy = "boot it with xsm=flask flask=enforcing, if it was built with XSM and FLASK"
        yield Ailment(Level.PROBLEM, "flask-not-in-use", what, "every domain may do what Xen itself allows", remedy)
    elif running.flask is Flask.EMPTY:
        why = "everything is allowed, and a guest that is created now is labelled as Xen itself"
        remedy = "shut all guests down, then `polpkg sync`; boot with flask=enforcing rather than flask=late"
        yield Ailment(Level.PROBLEM, "no-policy-loaded", "Xen runs without any policy", why, remedy)
    elif running.enforcing is False:
        why = "what the policy denies is logged and allowed"
        yield Ailment(
            Level.PROBLEM, "not-enforcing", "the policy is not enforced: FLASK is permissive", why, "`xl setenforce 1`"
        )
    if running.is_late and running.flask is Flask.LOADED:
        why = "after every boot there is no policy until somebody loads one"
        yield Ailment(Level.CAUTION, "flask-late", "Xen was booted with flask=late", why, "flask=enforcing")


def _in_force(live: LiveStatus, receipt: Receipt | None) -> Iterator[Ailment]:
    if live.last is not None:
        what = f"the last policy that was tried ended: {live.last.outcome}"
        yield Ailment(Level.CAUTION, "trial-ended", what, live.last.what, "`polpkg status` tells more")
    if live.is_current is False and receipt is not None:
        what = f"the policy in force is not that of generation {receipt.generation}"
        yield Ailment(Level.CAUTION, "other-policy-in-force", what, "", "`polpkg sync` loads it, or the next boot does")


def _programs(target: Target, running: RunningXen) -> Iterator[Ailment]:
    from polpkg.targets.live.host import find_live_host

    if running.flask is Flask.LOADED and running.booleans is None:
        what = "booleans cannot be read: flask-get-bool is missing, or may not"
        yield Ailment(Level.NOTE, "missing-tool", what, "those that differ at run time are not told of")
    host = find_live_host(target)
    if host is None or target.stat(DEVICES_UNIT) is None:
        return
    if host.commands.run(["sh", "-c", 'command -v "$0"', _LABELLER]).status != 0:
        what = f"{_LABELLER} is missing, which gives devices their labels after a boot"
        yield Ailment(Level.PROBLEM, "missing-tool", what, "driver domains cannot use them", "install Xen's utilities")
