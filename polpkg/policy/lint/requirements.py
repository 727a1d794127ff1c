"""Requirements that nothing needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.policy.lint.subject import words_of
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.lint.subject import Subject


def unused_requirements(subject: Subject) -> Iterator[Diagnostic]:
    """Packages of [requires] of which neither a name nor a macro is used.

    What macros bring in by themselves, such as the owners of functions, needs no requirement: a name counts when the
    package's own text has it, or what it begins with.
    """
    used = {use.owner for use in subject.module.macro_uses}
    written = {word for source in subject.fragments for word in re.findall(r"[\w.-]+", source.text)}
    for statement in subject.module.statements:
        names = (word for word in words_of(statement) if not written.isdisjoint(_beginnings(word)))
        used.update(filter(None, map(subject.declared_by.get, names)))
    for name, place in subject.requirements.items():
        if name not in used:
            message = f"package `{name}` is required, and nothing of it is used"
            yield finding("unused-requirement", place, message, "remove it from [requires]")


def _beginnings(name: str) -> Iterator[str]:
    """A name, and what macros may have added to: `dom0` and `dom0_t` for `dom0_t_self`."""
    yield name
    cut = name.rfind("_")
    while cut > 0:
        yield name[:cut]
        cut = name.rfind("_", 0, cut)
