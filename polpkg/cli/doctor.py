"""`polpkg doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions
from polpkg.errors import ExitCode, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.ailments import Ailment
    from polpkg.ops.doctor import Diagnosis


def command(console: Console, place: PlaceOptions) -> ExitCode | None:
    """Say in plain words what of a target will not work, and why.

    Hypervisors without FLASK or with another table, policies that they refuse, boot loaders that boot something else,
    files that changed, tools that are missing, and what runs on a host; each with what to do.  Nothing is changed.
    Exit code 1 if there is a problem; cautions and notes are no problems.

    For example:
      polpkg doctor --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.doctor import diagnose
    from polpkg.targets.steady import read_steadily

    context = make_context(console)
    target = None
    try:
        target = open_target(context, place.target)
    except TargetError as error:
        if error.code != "no-target":
            raise
        console.say(f"no target: {error.message}")
    opened = target
    found = diagnose(context, None) if opened is None else read_steadily(opened, lambda: diagnose(context, opened))
    document = {
        "target": found.target or None,
        "ok": found.is_well,
        "findings": [{**each._asdict(), "level": each.level.value} for each in found.ailments],
    }
    console.answer(document, "\n".join(_lines(found, console.width)))
    return ExitCode.OK if found.is_well else ExitCode.FAILURE


_SIGNS = {"problem": "!", "caution": "-", "note": " "}


def _lines(found: Diagnosis, width: int) -> Iterator[str]:
    level = ""
    for each in found.ailments:
        if each.level.value != level:
            level = each.level.value
            yield f"{level}s"
        yield from _ailment_lines(each, width)
    if found.is_well:
        yield "no problem, and nothing else to say" if not found.ailments else "no problem"


def _ailment_lines(ailment: Ailment, width: int) -> Iterator[str]:
    from textwrap import wrap

    from polpkg.cli.render import visible

    told = (ailment.what, ailment.why and f"why: {ailment.why}", ailment.remedy and f"do: {ailment.remedy}")
    begin = f"{_SIGNS[ailment.level.value]} "
    for text in filter(None, told):
        yield from wrap(
            visible(text),
            width,
            initial_indent=begin,
            subsequent_indent="    ",
            break_on_hyphens=False,
            break_long_words=False,
        )
        begin = "    "
