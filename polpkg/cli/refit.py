"""`polpkg refit`."""

from __future__ import annotations

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions
from polpkg.errors import ExitCode


def command(console: Console, place: PlaceOptions) -> ExitCode | None:
    """Fit the policy of a target to its hypervisors, after an upgrade.

    For the triggers of package managers: whenever something in /boot changed, the locked policy is compiled and put in
    place for every hypervisor file that is new or another one, without network and without questions; nothing is
    loaded.  Says nothing when nothing is to be done.  When it fails, the target stays as it was, and the hypervisors
    that no policy fits are named.

    For example:
      polpkg refit --root build/demo
    """
    from polpkg.cli.changing import change_document, change_lines
    from polpkg.cli.render import wrapped
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.refit import refit_target

    context = make_context(console, IndexOptions(offline=True))
    done = refit_target(context, open_target(context, place.target))
    if done.outcome is None:
        console.answer({"changed": False, "found": []}, "")
        return None
    console.warn(done.outcome.warnings)
    root = str(place.root) if place.root else ""
    found = [{"kind": each.kind.value, "path": each.path, "message": each.message} for each in done.found]
    lines = [*(each.message for each in done.found), *change_lines(done.outcome)]
    text = "\n".join(line for each in lines for line in wrapped(each, console.width))
    console.answer({**change_document(done.outcome, root), "found": found}, text)
    return None
