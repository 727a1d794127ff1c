"""What a change of policy means, for the person who is to agree: newly allowed, lost, and by which package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.cli.render import wrapped
from polpkg.policy.analysis.review import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.ops.review import PolicyReview
    from polpkg.policy.analysis.diff import RuleChange, Section
    from polpkg.policy.analysis.review import Review, ReviewedRule

_SHOWN_GROUPS = 24
"""How many pairs of a source and its targets a person reads; `--json` has all."""

_SHOWN_TARGETS = 4
_SHOWN_NAMES = 40

_NAMED_FROM = GRAVITY.index("domain-manager")
"""From this function on it is said that somebody has what its owners have."""


def review_document(found: PolicyReview) -> dict[str, Any]:
    """One reviewed policy as JSON values: the whole difference, and the packages of each allow rule."""
    from polpkg.cli.differences import diff_document

    document: dict[str, Any] = {"xen": found.xen, "compared_with": found.compared_with or None}
    if found.review is None:
        return document
    return document | diff_document(found.review.diff) | {"allow": allow_document(found.review)}


def allow_document(review: Review) -> dict[str, Any]:
    """The allow rules that came and went as JSON values, each with its packages and the function it is typical of."""
    return {"added": _rules(review.gained), "removed": _rules(review.lost)}


def _rules(found: Iterable[ReviewedRule]) -> list[dict[str, Any]]:
    from polpkg.cli.differences import rules_document

    rules = list(found)
    documents = rules_document(rule.change for rule in rules)
    return [
        document | {"packages": list(rule.packages), "function": rule.function}
        for document, rule in zip(documents, rules, strict=True)
    ]


def review_lines(found: PolicyReview, width: int) -> list[str]:
    """One reviewed policy for a person, in lines of at most `width` columns where names allow it."""
    review = found.review
    if review is None:
        return [f"policy for Xen {found.xen}: the first one here, there is none to compare it with"]
    if review.diff.is_empty:
        return [f"policy for Xen {found.xen}: says the same as that of {found.compared_with}"]
    return [f"policy for Xen {found.xen}, compared with {found.compared_with}:", *difference_lines(review, width)]


def difference_lines(review: Review, width: int) -> Iterator[str]:
    """A difference for a person: the gravest first, and not more than one reads."""
    for line in review.diff.abi.lines():
        yield from wrapped(f"hypervisor: {line}", width, "  ", "      ")
    yield from _rule_lines("newly allowed", "+", review.gained, width)
    yield from _rule_lines("no longer allowed", "-", review.lost, width)
    more = len(review.diff.type_rules.added), len(review.diff.type_rules.removed)
    if any(more):
        yield f"  computed labels: {more[0]} more, {more[1]} less"
    for name, section in review.diff.sections.items():
        yield from _section_lines(name, section, width)


def _section_lines(name: str, section: Section, width: int) -> Iterator[str]:
    """What came and went by name, and which stayed with other properties."""
    changed = tuple(change.name for change in section.changed)
    for mark, names in (("+", section.added), ("-", section.removed), ("~", changed)):
        if names:
            shown = ", ".join(names[:_SHOWN_NAMES])
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            yield from wrapped(f"{mark} {name.replace('_', ' ')}: {shown}{more}", width, "  ", "      ")


class _Group(NamedTuple):
    """What one source may do to some targets, alike for all of them."""

    source: str
    function: str
    packages: tuple[str, ...]
    accesses: tuple[str, ...]


def _rule_lines(title: str, mark: str, rules: tuple[ReviewedRule, ...], width: int) -> Iterator[str]:
    if not rules:
        return
    groups = _grouped(rules)
    count = sum(len(rule.change.permissions) for rule in rules)
    yield f"  {title} ({count} permissions):"
    for group, targets in groups[:_SHOWN_GROUPS]:
        yield from _group_lines(mark, group, targets, width)
    if len(groups) > _SHOWN_GROUPS:
        yield f"    and {len(groups) - _SHOWN_GROUPS} more like these; --json has all, and `polpkg diff --verbose`"


def _grouped(rules: Iterable[ReviewedRule]) -> list[tuple[_Group, list[str]]]:
    """Rules of one source and target together, then targets that are treated alike, in the order of the rules."""
    pairs: dict[tuple[str, str], list[ReviewedRule]] = {}
    for rule in rules:
        pairs.setdefault((rule.change.source, rule.change.target), []).append(rule)
    groups: dict[_Group, list[str]] = {}
    for (source, target), alike in pairs.items():
        packages = tuple(sorted({package for rule in alike for package in rule.packages}))
        group = _Group(source, alike[0].function, packages, tuple(_access(rule.change) for rule in alike))
        groups.setdefault(group, []).append(target)
    return list(groups.items())


def _access(change: RuleChange) -> str:
    condition = f" (while {change.condition})" if change.condition else ""
    return f"{change.security_class}: {' '.join(change.permissions)}{condition}"


def _group_lines(mark: str, group: _Group, targets: list[str], width: int) -> Iterator[str]:
    more = len(targets) - _SHOWN_TARGETS
    shown = ", ".join(targets[:_SHOWN_TARGETS]) + (f" and {more} more" if more > 0 else "")
    what = f", as {group.function}" if GRAVITY.index(group.function) >= _NAMED_FROM else ""
    by = f" [{', '.join(group.packages)}]" if group.packages else ""
    yield from wrapped(f"{mark} {group.source} on {shown}{what}{by}", width, "  ", "      ")
    for access in group.accesses:
        yield from wrapped(access, width, "      ", "          ")
