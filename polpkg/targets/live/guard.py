"""The guard: a script on the host that brings the old policy back, unless the trial of the new one is confirmed.

It needs a POSIX shell and nothing of polpkg, and is no child of the connection that started it: the new policy may cut
that off.  Whether it acts is decided by one rename of the trial's file (`polpkg.targets.live.layout`).
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.host.commands import DEFAULT_TIMEOUT
from polpkg.targets.live.layout import (
    ARMED,
    CONFIRMED,
    CONFIRMING,
    GUARD,
    LIVE,
    NEW,
    PULSE,
    REVERTED,
    REVERTING,
    STUCK,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polpkg.targets.devices.unit import DeviceLabel
    from polpkg.targets.host.commands import Commands

_SCRIPT = """#!/bin/sh
# Written by polpkg: brings the policy of Xen back that was in force before, unless the new one is confirmed.
# `sh guard.sh now` does it at once; `again` goes on with what was begun.
trap '' HUP PIPE
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
cd "${{0%/*}}" || exit 4
take() {{ mv {armed} "$1" 2>/dev/null; }}
bring_back() {{
{restore}
}}
# Whether the trial is still this guard's: another one has a guard of its own.
is_mine() {{
  [ -e {armed} ] || return 1
  owner=; {{ read -r owner <{pulse}; }} 2>/dev/null
  [ "${{owner:-$$}}" = $$ ]
}}
wait_for() {{
  left=$1
  while is_mine && [ "$left" -gt 0 ]; do sleep 1; left=$((left-1)); done
  is_mine || exit 0
}}
case $1 in
now) trap '' INT; take {reverting} || exit {taken} ;;
again) trap '' INT; [ -e {reverting} ] || exit {taken} ;;
*)
  echo $$ >{pulse}
  wait_for {seconds}
  if [ -e {confirming} ]; then wait_for {more}; fi
  [ "$(readlink ../current)" = {current} ] || {{ take {confirmed}; exit 0; }}
  take {reverting} || exit 0 ;;
esac
# A loader whose connection was lost may still be at it, and would come after the old policy.
left={loading}
while [ $left -gt 0 ] && cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -q '{new}$'; do
  sleep 1; left=$((left-1))
done
tries=0
until bring_back; do
  tries=$((tries+1))
  [ $tries -ge {tries} ] && {{ sync; mv {reverting} {stuck}; exit 1; }}
  sleep 1
done
{after}
sync
mv {reverting} {reverted}
sync
"""

_TRIES = 5
_TAKEN = 3
"""How the script ends when somebody else has the trial already."""

_MORE = 120
"""Seconds that a confirmation has that was begun in time, to put its generation in place."""

_STARTING = 10

_START = """
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1 &&
   systemd-run --quiet --collect --setenv=PATH="$PATH" sh {script} >/dev/null 2>&1; then exit 0; fi
if command -v setsid >/dev/null 2>&1; then detached=setsid; else detached=; fi
(trap '' HUP; exec $detached sh {script} </dev/null >/dev/null 2>&1) &
"""

_WATCH = """
n=0
until [ -s {pulse} ] && kill -0 "$(cat {pulse})" 2>/dev/null; do
  [ $n -ge {seconds} ] && exit 1; n=$((n+1)); sleep 1
done
"""

_LOADERS = ("xl loadpolicy", "flask-loadpolicy")


def render_guard(
    seconds: int,
    current: str,
    *,
    previous: bool = True,
    booleans: Mapping[str, bool],
    devices: Sequence[DeviceLabel] = (),
) -> bytes:
    """The script, for a trial of so many seconds.

    `current`: where the link `current` leads; when it leads elsewhere in the end, the trial was good.  `previous`:
    whether there is a policy to bring back; without one, Xen is made permissive again, as it was in effect before the
    first policy.  `booleans`, `devices`: what was set and labelled under it.
    """
    restore = " || ".join(f"{loader} previous" for loader in _LOADERS) if previous else "xl setenforce 0"
    after = [f"flask-set-bool {quote(name)} {int(value)}" for name, value in sorted(booleans.items())]
    after += [f"flask-label-pci {quote(str(address))} {quote(context)}" for address, context in devices]
    text = _SCRIPT.format(
        armed=ARMED,
        confirming=CONFIRMING.rpartition("/")[2],
        taken=_TAKEN,
        loading=int(DEFAULT_TIMEOUT) + _TRIES,
        new=f"{NEW[:-1]}[{NEW[-1]}]",  # what looks for the loader does not find itself
        more=_MORE,
        confirmed=CONFIRMED,
        reverting=REVERTING,
        reverted=REVERTED,
        stuck=STUCK,
        pulse=PULSE.rpartition("/")[2],
        seconds=seconds,
        current=quote(current),
        tries=_TRIES,
        restore=f"  {restore}",
        after="\n".join(after),
    )
    return text.encode()


def start_guard(commands: Commands) -> None:
    """Start the guard that was written, and see that it runs.  Raises TargetError `no-guard`."""
    commands.run(["sh", "-c", _START.format(script=GUARD)])
    if not is_guarded(commands, wait=_STARTING):
        message = "the script that would bring the old policy back does not run there, so nothing is loaded"
        raise TargetError("no-guard", message, hint="--no-activate leaves the new policy for the next boot")


def is_guarded(commands: Commands, *, wait: int = 0) -> bool:
    """Whether the guard runs; it is waited for so many seconds."""
    return commands.run(["sh", "-c", _WATCH.format(pulse=PULSE, seconds=wait)]).status == 0


def change_phase(commands: Commands, before: str, after: str) -> bool:
    """Move the trial from a phase to another; False when somebody else was faster."""
    return commands.run(["mv", f"{LIVE}/{before}", f"{LIVE}/{after}"]).status == 0


def revert_now(commands: Commands, *, again: bool = False) -> bool | None:
    """Bring the old policy back; `again`: the trial is `reverting`, and whoever was at it died.  Whether that worked.

    None when somebody else is at it, or nobody can tell.  One program decides and acts, so that a connection that is
    lost meanwhile does not leave a trial which neither side takes back.
    """
    done = commands.run(["sh", GUARD, "again" if again else "now"], timeout=120.0)
    return {0: True, 1: False}.get(done.status)
