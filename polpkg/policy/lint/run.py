"""All lints, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import MANIFEST
from polpkg.policy.lint.breadth import over_broad_rules
from polpkg.policy.lint.documentation import undocumented_macros
from polpkg.policy.lint.permissions import unguarded_permissions
from polpkg.policy.lint.redundancy import redundant_rules
from polpkg.policy.lint.requirements import unused_requirements
from polpkg.policy.lint.suppression import Suppressions
from polpkg.policy.lint.table import LINTS
from polpkg.policy.lint.unused import unused_attributes, unused_types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Diagnostic, Source
    from polpkg.policy.lint.subject import Subject

_LINTS = (
    unused_requirements,
    unused_types,
    unused_attributes,
    undocumented_macros,
    redundant_rules,
    unguarded_permissions,
    over_broad_rules,
)


def lint(
    subjects: Iterable[Subject], texts: Iterable[Source], others: Iterable[Diagnostic] = ()
) -> tuple[Diagnostic, ...]:
    """What the lints find in one package in all of the ways that it can be linked; sorted, each finding once.

    `texts` are all of the package's texts, with suppressions in them.  `others` are findings from elsewhere that may be
    suppressed as well.
    """
    found = dict.fromkeys(others) | dict.fromkeys(_agreed(subjects))
    suppressions = Suppressions.of(texts)
    remaining = list(suppressions.remaining(found))
    remaining += suppressions.problems(LINTS)
    return tuple(sorted(remaining, key=_position))


def _agreed(subjects: Iterable[Subject]) -> Iterator[Diagnostic]:
    """What is found however the package is linked: a type that only an option uses is not unused."""
    runs = [({s.file for s in each.fragments}, {d: None for run in _LINTS for d in run(each)}) for each in subjects]
    for _, found in runs:
        for diagnostic in found:
            file = diagnostic.origin.file if diagnostic.origin else MANIFEST
            if all(diagnostic in others for files, others in runs if file in files or file == MANIFEST):
                yield diagnostic


def _position(found: Diagnostic) -> tuple[str, int, int, str]:
    origin = found.origin
    return (origin.file, origin.line, origin.column, found.code) if origin else ("", 0, 0, found.code)
