"""`polpkg labels`."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Policy, TargetOptions
from polpkg.errors import UsageError

if TYPE_CHECKING:
    from polpkg.ops.labels import Label


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    policy: Policy = None,
    xl: Annotated[
        bool, typer.Option("--xl", help="Sections to paste into xl.cfg, one for each kind of guest.")
    ] = False,
) -> None:
    """Show the labels of every role, with the lines for xl.cfg.

    For example:
      polpkg labels --root build/demo
      polpkg labels --xl --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.labels import find_labels

    if policy is not None and not policy.isdecimal():
        raise UsageError("not-a-generation", f"`{policy}` is no generation", hint="a policy file names no packages")
    context = make_context(console, indexes)
    labels = find_labels(context, open_target(context, target), int(policy) if policy else None)
    console.answer({"labels": [_document(label) for label in labels]}, _text(labels, xl=xl))


def _document(label: Label) -> dict[str, Any]:
    return {
        "package": label.package,
        "instance": label.instance,
        "role": label.role or None,
        "kind": label.kind,
        "context": label.context,
        "xl": {label.xl: label.context} if label.xl else {},
    }


def _text(labels: tuple[Label, ...], *, xl: bool) -> str:
    """A line for each label, never cut: lines are copied into xl.cfg."""
    if not xl:
        return "\n".join(f"# {label.instance}: {label.kind}\n{_setting(label)}" for label in labels)
    groups = groupby((label for label in labels if label.xl), key=lambda label: (label.package, *_guest(label)))
    return "\n\n".join(_section(guest, tuple(group)) for (_, *guest), group in groups)


def _guest(label: Label) -> tuple[str, str]:
    """Whose configuration a label goes to; that of a device model goes to that of the guest before it."""
    return label.instance, label.item


def _section(guest: list[str], labels: tuple[Label, ...]) -> str:
    """What goes into the configuration of one guest, below a comment that says which: xl reads it as it is."""
    title = " ".join(word for word in guest if word)
    return "\n".join([f"# {title}", *(_setting(label) for label in labels)])


def _setting(label: Label) -> str:
    return f'{label.xl}="{label.context}"' if label.xl else f"# {label.context}"
