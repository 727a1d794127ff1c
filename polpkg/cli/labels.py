"""`polpkg labels`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Policy, TargetOptions
from polpkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    sections = _sections(label for label in labels if label.xl)
    names = Counter(map(_guest, (section[0] for section in sections)))
    return "\n\n".join(_section(section, alone=names[_guest(section[0])] == 1) for section in sections)


def _sections(labels: Iterable[Label]) -> list[list[Label]]:
    """The labels of one guest each: its build label comes before its own, that of its device model after."""
    sections: list[list[Label]] = []
    for label in labels:
        begins = label.xl == "init_seclabel" or (label.xl == "seclabel" and not _waits(sections))
        if begins or not sections:
            sections.append([])
        sections[-1].append(label)
    return sections


def _waits(sections: list[list[Label]]) -> bool:
    """Whether the last section has a build label alone."""
    return bool(sections) and [label.xl for label in sections[-1]] == ["init_seclabel"]


def _guest(label: Label) -> str:
    """Whose configuration a label goes to."""
    return f"{label.instance} {label.item}".strip()


def _section(labels: list[Label], *, alone: bool) -> str:
    """What goes into the configuration of one guest, below a comment that says which: xl reads it as it is."""
    own = next((label for label in labels if label.xl == "seclabel"), labels[0])
    title = _guest(own) if alone else f"{_guest(own)} {own.context.split(':')[2]}"
    return "\n".join([f"# {title}", *(_setting(label) for label in labels)])


def _setting(label: Label) -> str:
    return f'{label.xl}="{label.context}"' if label.xl else f"# {label.context}"
