"""Causes: why an incompatibility is true.  Data only; `report` puts them into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


class Requested(NamedTuple):
    """`package` was asked for, in versions of `specifier`."""

    package: str
    specifier: str


class Required(NamedTuple):
    """Versions of `package` require `dependency` in versions of `specifier`; with `option`, only when that is on."""

    package: str
    dependency: str
    specifier: str
    option: str = ""


class RequiredBroadly(NamedTuple):
    """Versions of `package` require `dependency`, each in some of the versions that all of them together ask for.

    Said in a proof in place of many `Required`, where the difference between them does not matter.
    """

    package: str
    dependency: str


class Missing(NamedTuple):
    """As `Requested` (when `package` is empty) or `Required`, but no version of `dependency` fits, for a reason."""

    package: str
    dependency: str
    specifier: str
    because: str
    option: str = ""


class Unavailable(NamedTuple):
    """Versions of `package` must not be chosen; `because` completes the sentence "vmv 1.0 ...".

    `remedy`: what one can do about it; may be empty.
    """

    package: str
    because: str
    remedy: str = ""


class Conflicting(NamedTuple):
    """Versions of `package` say that they conflict with versions of `other`."""

    package: str
    other: str


class Contested(NamedTuple):
    """`package` and `other` both claim `function` for every client."""

    package: str
    other: str
    function: str


class Derived(NamedTuple):
    """Follows from other incompatibilities.

    The first premise is joined with the second, by what both say of the first pivot, what comes of it with the third by
    the second pivot, and so on: see `resolvent`.
    """

    premises: tuple[Incompatibility, ...]
    pivots: tuple[str, ...]


Cause: TypeAlias = Requested | Required | RequiredBroadly | Missing | Unavailable | Conflicting | Contested | Derived
