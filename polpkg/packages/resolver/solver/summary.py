"""The short form of a proof that is too long to read: the facts that cannot all be met, package by package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.resolver.solver.cause import Missing, Requested, Required, RequiredBroadly

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.packages.resolver.solver.cause import Cause
    from polpkg.packages.resolver.solver.core import Core
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility

    Words = Callable[[Incompatibility, Cause], str]

_NAMED = 8


def summary(core: Core, words: Words, steps: int, longest: int) -> tuple[str, ...]:
    """At most `longest` numbered lines: what `core` rests on, and how many `steps` the proof from there has."""
    requested = [fact.cause for fact in core.facts if isinstance(fact.cause, Requested)]
    asked = [f"{cause.package}{cause.specifier}" for cause in sorted(requested)]
    lines = [f"You asked for {_listed(asked, 'and')}"] if asked else []
    groups = _by_package(core)
    room = longest - len(lines) - 2
    for package, facts in list(groups.items())[:room]:
        lines.append(_about(package, facts, words))
    left = list(groups)[room:]
    if left:
        lines.append(f"And so on for {len(left)} more packages: {_listed(left, 'and')}")
    known = "These cannot all be met" if core.minimal else "These cannot all be met, and perhaps not all are to blame"
    lines.append(f"{known}; the proof takes {steps} steps that try every way: no set of versions fits")
    return tuple(f"{number}. {text}." for number, text in enumerate(lines, start=1))


def _by_package(core: Core) -> dict[str, list[Incompatibility]]:
    groups: dict[str, list[Incompatibility]] = {}
    for fact in core.facts:
        if not isinstance(fact.cause, Requested):
            groups.setdefault(getattr(fact.cause, "package", "") or fact.terms[0].package, []).append(fact)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def _about(package: str, facts: list[Incompatibility], words: Words) -> str:
    """All that the facts say of one package, in one sentence."""
    if len(facts) == 1:
        return words(facts[0], facts[0].cause)
    others = [fact for fact in facts if not isinstance(fact.cause, (Required, RequiredBroadly, Missing))]
    sentences = _requirements(package, facts)
    sentences += [words(fact, fact.cause) for fact in others[:2]]
    if len(others) > 2:
        sentences.append(f"{len(others) - 2} more of this kind")
    return ", and ".join(sentences)


def _requirements(package: str, facts: list[Incompatibility]) -> list[str]:
    needs = sorted(
        {_need(fact.cause) for fact in facts if isinstance(fact.cause, (Required, RequiredBroadly, Missing))}
    )
    if not needs:
        return []
    texts = list(dict.fromkeys(f"{dependency}{specifier}" for dependency, specifier in needs))
    if len(texts) <= _NAMED:
        return [f"{package} requires {_listed(texts, 'or')}, depending on its version"]
    names = list(dict.fromkeys(dependency for dependency, _ in needs))
    return [f"{package} requires {_listed(names, 'and')}, in versions that depend on its own"]


def _need(cause: Required | RequiredBroadly | Missing) -> tuple[str, str]:
    return cause.dependency, "" if isinstance(cause, RequiredBroadly) else cause.specifier


def _listed(names: list[str], word: str) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} {word} {len(names) - _NAMED} more"
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
