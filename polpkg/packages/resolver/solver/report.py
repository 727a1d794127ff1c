"""Puts a proof into words: numbered lines, each of which follows from facts and from lines before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from polpkg.packages.resolver.solver.cause import (
    Conflicting,
    Contested,
    Derived,
    Missing,
    Requested,
    Required,
    Unavailable,
)

if TYPE_CHECKING:
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility

_Fact: TypeAlias = Requested | Required | Missing | Unavailable | Conflicting | Contested


class Describe(Protocol):
    """Puts a version set into words."""

    def __call__(self, package: str, versions: int, /) -> str:
        """A phrase such as `vmv 1.0` or `vmv >=1.1` for a non-negative, non-empty version set."""
        ...


def report(failure: Incompatibility, describe: Describe) -> tuple[str, ...]:
    """The proof that ends in `failure`, an incompatibility without terms, one line a step."""
    writer = _Writer(describe)
    if not isinstance(failure.cause, Derived):
        return (f"1. {_capital(writer.fact(failure, failure.cause))}: no set of versions fits.",)
    return writer.lines(failure)


class _Writer:
    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._number: dict[int, int] = {}

    def lines(self, failure: Incompatibility) -> tuple[str, ...]:
        return tuple(self._line(step) for step in _steps(failure))

    def _line(self, step: Incompatibility) -> str:
        number = len(self._number) + 1
        self._number[id(step)] = number
        premises = self._premises(step)
        return f"{number}. {_capital(premises)}, {self._conclusion(step)}."

    def _premises(self, step: Incompatibility) -> str:
        assert isinstance(step.cause, Derived)  # noqa: S101 - only derived steps have lines
        earlier: list[int] = []
        facts: list[str] = []
        for premise in step.cause:
            if isinstance(premise.cause, Derived):
                earlier.append(self._number[id(premise)])
            else:
                facts.append(self.fact(premise, premise.cause))
        by = f"by {' and '.join(str(number) for number in sorted(earlier))}" if earlier else ""
        because = [f"because {fact}" for fact in facts]
        return ", and ".join(filter(None, (by, *because)))

    def fact(self, premise: Incompatibility, cause: _Fact) -> str:
        """A fact from outside, as a clause."""
        match cause:
            case Requested(package, specifier):
                return f"you asked for {package}{specifier}"
            case Required(package, dependency, specifier, option):
                return f"{self._subject(premise, package, option)} requires {dependency}{specifier}"
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

    def _subject(self, premise: Incompatibility, package: str, option: str = "") -> str:
        versions = next(term.allowed for term in premise.terms if term.package == package)
        text = self._describe(package, versions)
        return f"{text} with the option {option}" if option else text

    def _conclusion(self, step: Incompatibility) -> str:
        """What an incompatibility says, as a clause."""
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


def _steps(failure: Incompatibility) -> list[Incompatibility]:
    """The derived incompatibilities behind `failure`, each once and after those that it follows from."""
    ordered: list[Incompatibility] = []
    seen: set[int] = set()
    pending: list[tuple[Incompatibility, bool]] = [(failure, False)]
    while pending:
        step, premises_done = pending.pop()
        if premises_done:
            ordered.append(step)
        elif isinstance(step.cause, Derived) and id(step) not in seen:
            seen.add(id(step))
            pending.append((step, True))
            pending += ((premise, False) for premise in reversed(step.cause))
    return ordered


def _and(phrases: list[str]) -> str:
    return " and ".join((", ".join(phrases[:-1]), phrases[-1])) if len(phrases) > 1 else phrases[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
