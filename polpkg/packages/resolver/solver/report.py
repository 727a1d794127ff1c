"""Puts a proof into words: numbered lines, each of which follows from facts and from lines before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

from polpkg.packages.resolver.solver.cause import (
    Conflicting,
    Contested,
    Derived,
    Missing,
    Requested,
    Required,
    RequiredBroadly,
    Unavailable,
)
from polpkg.packages.resolver.solver.core import steps_of
from polpkg.packages.resolver.solver.incompatibility import resolvent
from polpkg.packages.resolver.solver.summary import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.packages.resolver.solver.cause import Cause
    from polpkg.packages.resolver.solver.core import Core
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility

LONGEST = 60
"""The number of lines up to which a proof is shown as it is."""

_PREMISES = 3


class Describe(Protocol):
    """Puts a version set into words."""

    def __call__(self, package: str, versions: int, /) -> str:
        """A phrase such as `vmv 1.0` or `vmv >=1.1` for a non-negative, non-empty version set."""
        ...


class Report(NamedTuple):
    """A proof in lines.  `short` is `whole` unless that is long; then it names what cannot go together."""

    short: Sequence[str]
    whole: Sequence[str]


def report(core: Core, describe: Describe) -> Report:
    """The proof of `core` in words."""
    words = _Words(describe)
    if not isinstance(core.proof.cause, Derived):
        only = (f"1. Because {words.fact(core.proof, core.proof.cause)}, no set of versions fits.",)
        return Report(only, only)
    whole = _WholeProof(core.proof, words)
    if len(whole) <= LONGEST:
        return Report(whole.lines, whole.lines)
    return Report(summary(core, words.fact, len(whole), LONGEST), whole)


class _WholeProof(Sequence[str]):
    """The lines of a proof, put into words when they are looked at; most long proofs are never read."""

    def __init__(self, proof: Incompatibility, words: _Words) -> None:
        self._proof = proof
        self._words = words
        self._length = sum(_pieces(step) for step in steps_of(proof))

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """All lines."""
        return _Proof(self._words).lines(self._proof)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self.lines[index]


class _Words:
    """Puts facts and conclusions into clauses."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe

    def fact(self, premise: Incompatibility, cause: Cause) -> str:
        """A fact from outside."""
        match cause:
            case Requested(package, specifier):
                return f"you asked for {package}{specifier}"
            case Required(package, dependency, specifier, option):
                return f"{self._subject(premise, package, option)} requires {dependency}{specifier}"
            case RequiredBroadly(package, dependency):
                fitting = next((~term.allowed for term in premise.terms if term.package == dependency), 0)
                return f"{self._subject(premise, package)} requires {self._describe(dependency, fitting)}"
            case Missing("", dependency, specifier, because, _):
                return f"you asked for {dependency}{specifier} and {because}"
            case Missing(package, dependency, specifier, because, option):
                return f"{self._subject(premise, package, option)} requires {dependency}{specifier} and {because}"
            case Unavailable(package, because):
                return f"{self._subject(premise, package)} {because}"
            case Conflicting(package, other):
                return f"{self._subject(premise, package)} conflicts with {self._subject(premise, other)}"
            case Contested(package, other, function):
                both = f"{self._subject(premise, package)} and {self._subject(premise, other)}"
                return f"{both} both claim {function} for every client"
            case Derived():
                return self.conclusion(premise)

    def _subject(self, premise: Incompatibility, package: str, option: str = "") -> str:
        versions = next(term.allowed for term in premise.terms if term.package == package)
        text = self._describe(package, versions)
        return f"{text} with the option {option}" if option else text

    def conclusion(self, step: Incompatibility) -> str:
        """What an incompatibility says."""
        chosen = [self._describe(*term) for term in step.terms if term.is_positive]
        needed = [self._describe(term.package, ~term.allowed) for term in step.terms if not term.is_positive]
        if not chosen and not needed:
            return "no set of versions fits"
        if not needed:
            together = " together" if len(chosen) > 1 else ""
            return f"{_and(chosen)} cannot be chosen{together}"
        if not chosen:
            return f"{' or '.join(needed)} is needed"
        return f"{_and(chosen)} {'requires' if len(chosen) == 1 else 'together require'} {' or '.join(needed)}"


class _Proof:
    """Numbers the lines of a proof, so that later ones can refer to them."""

    def __init__(self, words: _Words) -> None:
        self._words = words
        self._number: dict[int, int] = {}
        self._lines: list[str] = []

    def lines(self, proof: Incompatibility) -> tuple[str, ...]:
        for step in steps_of(proof):
            for premises, conclusion in _in_pieces(step):
                number = len(self._lines) + 1
                self._lines.append(
                    f"{number}. {_capital(self._premises(premises))}, {self._words.conclusion(conclusion)}."
                )
                self._number[id(conclusion)] = number
            self._number[id(step)] = len(self._lines)
        return tuple(self._lines)

    def _premises(self, premises: list[Incompatibility]) -> str:
        earlier: list[int] = []
        facts: list[str] = []
        for premise in premises:
            if isinstance(premise.cause, Derived):
                earlier.append(self._number[id(premise)])
            else:
                facts.append(f"because {self._words.fact(premise, premise.cause)}")
        by = f"by {_and([str(number) for number in sorted(earlier)])}" if earlier else ""
        parts = [*filter(None, (by,)), *facts]
        return ", and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _pieces(step: Incompatibility) -> int:
    """Into how many smaller ones `_in_pieces` divides a derived step: the first premise, and two others in each."""
    others = len(step.cause.premises) - 1 if isinstance(step.cause, Derived) else 0
    return max(1, ceil(others / (_PREMISES - 1)))


def _in_pieces(step: Incompatibility) -> Iterator[tuple[list[Incompatibility], Incompatibility]]:
    """A derived step as smaller ones, with few premises each: premises and conclusion."""
    if not isinstance(step.cause, Derived):
        return
    current, *others = step.cause.premises
    premises = [current]
    for premise, pivot in zip(others, step.cause.pivots, strict=True):
        if len(premises) == _PREMISES:
            yield premises, current
            premises = [current]
        current = resolvent(current, premise, pivot)
        premises.append(premise)
    yield premises, step


def _and(phrases: list[str]) -> str:
    return " and ".join((", ".join(phrases[:-1]), phrases[-1])) if len(phrases) > 1 else phrases[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
