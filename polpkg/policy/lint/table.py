"""Every lint: its code, how much it matters, and what there is to know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from polpkg.diagnostics import Note, Place


class Lint(NamedTuple):
    """One lint; `text` explains it to somebody who sees it for the first time."""

    code: str
    level: Severity
    text: str


_ALL = (
    Lint(
        "unused-requirement",
        Severity.WARNING,
        "The package requires another and uses none of its names and macros.  The requirement makes every target take "
        "that package.  Remove it from [requires], or say why the package has to be there.",
    ),
    Lint(
        "unused-type",
        Severity.WARNING,
        "No rule, context, transition or assertion is about the type, neither by its name nor by an attribute that it "
        "has.  What carries it may do nothing.  Remove it, or give it a rule.",
    ),
    Lint(
        "unused-attribute",
        Severity.WARNING,
        "No rule, constraint or assertion names the attribute, so that having it means nothing.  An attribute that is "
        "there for other packages is worth a suppression that says so.",
    ),
    Lint(
        "undocumented-macro",
        Severity.WARNING,
        "A macro of a .if file is what other packages call, and the comment above it is all they know of it.  Say what "
        "it is for and what its parameters are; macros without an empty line between them share it.  Names that begin "
        "with an underscore are private.",
    ),
    Lint(
        "redundant-rule",
        Severity.WARNING,
        "Another rule allows at least the same, always.  Whoever removes the rule later will wonder why nothing "
        "changes.  Rules inside macros are not looked at, since a macro is written for all who call it.",
    ),
    Lint(
        "unguarded-permission",
        Severity.ERROR,
        "[xen] versions claims releases whose hypervisor lacks a class or permission that the package uses there.  On "
        "these the package does not link.  Guard the rule with ifdef(`xen_perm_CLASS_PERMISSION', ...) or claim less.",
    ),
    Lint(
        "over-broad-rule",
        Severity.WARNING,
        "The rule gives control over domains, memory, devices or the hypervisor, and its source or target is "
        "an attribute that types of other packages have.  Whoever installs one more package extends the rule.  Name "
        "types, or an attribute of your own.",
    ),
    Lint(
        "no-summary",
        Severity.WARNING,
        "`polpkg search` and `polpkg info` show the summary: one line that says what the package is for.",
    ),
    Lint("no-license", Severity.WARNING, "Nobody may pass on a package of which nobody knows under which terms."),
    Lint(
        "owns-nothing",
        Severity.WARNING,
        "A package that does not say which names it owns may declare any, and get in the way of others.",
    ),
    Lint(
        "permissive-type",
        Severity.WARNING,
        "Accesses of a permissive type are logged and allowed: that is for learning what it needs, not for use.",
    ),
    Lint(
        "suppression-without-reason",
        Severity.WARNING,
        "A suppression is a decision, and whoever reads it later needs the reason: # polpkg: allow(CODE) REASON.",
    ),
    Lint(
        "unused-suppression",
        Severity.NOTE,
        "Nothing is found where the suppression stands; it may hide something later that nobody decided about.",
    ),
    Lint("unknown-lint", Severity.WARNING, "There is no lint of that name, so that nothing is suppressed."),
)

LINTS: dict[str, Lint] = {lint.code: lint for lint in _ALL}
"""All lints, by code."""


def finding(code: str, place: Place, message: str, hint: str = "", notes: tuple[Note, ...] = ()) -> Diagnostic:
    """A finding of the lint `code`, at its level."""
    return Diagnostic.at(place, code, message, hint=hint, notes=notes, severity=LINTS[code].level)
