"""`polpkg diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.diff import DiffAnswer

_SHOWN = 6


def command(
    console: Console,
    old: Annotated[str, typer.Argument(metavar="A", help="A generation, a policydb, a lock file or a requirement.")],
    new: Annotated[str, typer.Argument(metavar="B", help="What to compare it with, likewise.")],
    target: TargetOptions,
    indexes: IndexOptions,
) -> None:
    """Show what one policy says that another does not.

    What it allows, the gravest first, what it declares and labels: attributes are expanded, conditions compared by what
    they mean.  `--verbose` and `--json` leave nothing out.  For two files that compilers made, also how they differ in
    form, and by which rule compilers may.

    For example:
      polpkg diff vmv "netdom>=1" --xen 4.17
      polpkg diff 1 2 --root build/demo
      polpkg diff /boot/xenpolicy-4.17.7 policy.bin
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.diff import diff_named

    context = make_context(console, indexes)
    answer = diff_named(context, old, new, lambda: open_target(context, target), target.xen or "")
    lines = _lines(answer, console.width, is_whole=console.verbose)
    console.answer(_document(answer), "\n".join(lines))


def _document(answer: DiffAnswer) -> dict[str, Any]:
    from polpkg.cli.differences import diff_document
    from polpkg.cli.review import allow_document

    diff = answer.diff
    return {
        "old": answer.old.label,
        "new": answer.new.label,
        "same": diff.is_empty,
        "same_bytes": answer.is_same_file if answer.forms is not None else None,
        "forms": None if answer.forms is None else [form._asdict() for form in answer.forms],
        "abi": {
            "old": {"fingerprint": answer.old.policy.abi.fingerprint, "xen": answer.old.policy.abi.version or None},
            "new": {"fingerprint": answer.new.policy.abi.fingerprint, "xen": answer.new.policy.abi.version or None},
            "changes": diff.abi.to_json(),
        },
    } | {**diff_document(diff), "allow": allow_document(answer.review)}


def _lines(answer: DiffAnswer, width: int, *, is_whole: bool) -> Iterator[str]:
    from polpkg.cli.differences import diff_lines
    from polpkg.cli.render import wrapped
    from polpkg.cli.review import difference_lines

    if answer.diff.is_empty:
        yield f"{answer.old.label} and {answer.new.label} say the same"
    else:
        yield f"from {answer.old.label} to {answer.new.label}:"
        if is_whole:
            for line in diff_lines(answer.diff):
                yield from wrapped(line, width, "", "      ")
        else:
            yield from difference_lines(answer.review, width)
    yield from _form_lines(answer)


def _form_lines(answer: DiffAnswer) -> Iterator[str]:
    """How two files differ without saying anything else."""
    from polpkg.policy.backends.equivalence import RULES

    if not answer.forms:
        if answer.forms is not None and answer.diff.is_empty:
            yield "byte for byte" if answer.is_same_file else "in other numbers or in another order"
        return
    yield f"and in form, as compilers may, with {answer.old.label} on the left:"
    for rule, meaning in RULES.items():
        found = [form for form in answer.forms if form.rule == rule]
        if found:
            yield f"  {meaning} ({rule}):"
            yield from (f"    {form.component}: {form.text}" for form in found[:_SHOWN])
            yield from (f"    and {len(found) - _SHOWN} more" for _ in found[_SHOWN : _SHOWN + 1])
