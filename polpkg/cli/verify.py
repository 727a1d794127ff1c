"""`polpkg verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.verify import Verification


def command(console: Console, place: PlaceOptions, indexes: IndexOptions) -> ExitCode | None:
    """See whether a target still is what was installed.

    Files are compared with the receipt, the lock with policy.toml, and each policy is built once more from the locked
    packages and compared byte for byte.  On a host that runs, labels and booleans in force are looked at as well.  Exit
    code 1 if anything differs.

    For example:
      polpkg verify --root build/demo
    """
    from polpkg.cli.installed import drift_values
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.verify import verify_target
    from polpkg.targets.steady import read_steadily

    context = make_context(console, indexes)
    target = open_target(context, place.target)
    found = read_steadily(target, lambda: verify_target(context, target))
    document = {
        "generation": found.generation,
        "ok": not found.drift,
        "drift": [drift_values(*each) for each in found.drift],
        "rebuilt": found.rebuilt,
        "skipped": list(found.skipped),
    }
    console.answer(document, "\n".join(_lines(found, console.width)))
    return ExitCode.FAILURE if found.drift else ExitCode.OK


def _lines(found: Verification, width: int) -> Iterator[str]:
    from polpkg.cli.render import wrapped

    lines = [f"! {message} [{kind}]" for kind, _, message in found.drift] + [f"note: {each}" for each in found.skipped]
    for line in lines:
        yield from wrapped(line, width)
    count = len(found.drift)
    if count:
        where = f"generation {found.generation}: " if found.generation is not None else ""
        yield f"{where}{count} {'difference' if count == 1 else 'differences'}"
    else:
        built = f"; built again with the same bytes: {found.rebuilt}" if found.rebuilt else ""
        yield f"generation {found.generation} is as it was installed{built}"
