"""Expectations against a linked policy: what fails and why, what could not be judged, and which rules matter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Note
from polpkg.errors import PolicyError
from polpkg.packages.expectations import (
    EVERYTHING,
    SELF,
    Access,
    NoFlow,
    Ownership,
)
from polpkg.packages.functions import NOBODY
from polpkg.policy.abi import describe_availability, known_tables
from polpkg.policy.analysis.access import Subject, constrained
from polpkg.policy.analysis.access_sets import AccessSet, find_missing, rules_about
from polpkg.policy.analysis.explain import render_rule
from polpkg.policy.analysis.flow import flow_graph
from polpkg.policy.analysis.rules_in_force import rules_in_force
from polpkg.policy.ir.linked import bits
from polpkg.targets.in_use import reason_against

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.packages.expectations import Common, Expectation, PolicyTests
    from polpkg.policy.analysis.flow import FlowGraph, FlowStep
    from polpkg.policy.analysis.view import TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy

FAILED = "test-failed"
"""The code of an expectation that does not hold."""

_SHOWN = 5
"""How many rules or accesses a failure names."""


class Verdict(NamedTuple):
    """What became of an expectation.

    `finding` says why it fails, None when it holds.  `lacking`: what it names that this hypervisor does not have, in
    words; `judged` is false when nothing is left then.
    """

    finding: Diagnostic | None
    lacking: tuple[str, ...] = ()
    judged: bool = True


class _Pair(NamedTuple):
    """Sources and targets, bit sets both; `subjects`: their labels, where those are given."""

    sources: int
    targets: int
    of_itself: bool = False
    subjects: tuple[Subject, Subject] | None = None


@dataclass(slots=True)
class Judge:
    """Judges the expectations of one file on one linked policy; `touched` gathers the rules that `allow` rests on."""

    tests: PolicyTests
    assembly: Assembly
    policy: LinkedPolicy
    touched: set[TracedRule] = field(default_factory=set["TracedRule"])
    _rules: dict[object, tuple[TracedRule, ...]] = field(default_factory=dict[object, "tuple[TracedRule, ...]"])
    _graphs: dict[object, FlowGraph] = field(default_factory=dict[object, "FlowGraph"])

    def judge(self, expectation: Expectation) -> Verdict:
        """Whether an expectation holds.

        Classes and permissions that other hypervisors have and this one lacks are left out.  Raises PolicyError
        `test-unknown-...` for a name that the policy does not have, or no hypervisor.
        """
        for name in expectation.common.booleans:
            self._check_boolean(expectation.common, name)
        match expectation:
            case Access():
                return self._access(expectation)
            case NoFlow():
                return Verdict(self._no_flow(expectation))
            case Ownership():
                return Verdict(self._owned(expectation))

    def _access(self, expectation: Access) -> Verdict:
        lacking: list[str] = []
        accesses = [a for a in self._accesses(expectation, lacking) if a.permissions]
        if not accesses:
            return Verdict(None, tuple(lacking), judged=False)
        judge = self._allowed if expectation.is_allowed else self._denied
        return Verdict(judge(expectation, accesses), tuple(lacking))

    def _allowed(self, wanted: Access, accesses: list[AccessSet]) -> Diagnostic | None:
        findings = [self._one_allowed(wanted, access) for access in accesses]
        return next((finding for finding in findings if finding), None)

    def _one_allowed(self, wanted: Access, access: AccessSet) -> Diagnostic | None:
        rules = self._in_force(wanted.common.booleans, possible=False)
        self.touched.update(rules_about(self.policy, rules, access))
        missing = find_missing(self.policy, rules, access)
        if not missing:
            return None
        names, known = self.policy.types, self.policy.abi.all_classes[access.security_class]
        lines = [
            f"{names[m.source].name} may not {_words(m.permissions, known.permissions)} "
            f"{names[m.target].name} ({known.name})"
            for m in missing
        ]
        possible = self._in_force(wanted.common.booleans, possible=True)
        conditional = [r for r in rules_about(self.policy, possible, access) if r.condition]
        notes = [Note(text) for text in _shortened(lines[1:])]
        if access.permissions & access.refused:
            notes.append(
                Note(f"constraints refuse it: {_words(access.refused & access.permissions, known.permissions)}")
            )
        notes += [Note(f"only if {r.condition}: {self._text(r)}", r.origin) for r in conditional[:_SHOWN]]
        return self._failed(wanted.common, f"expected to be allowed: {lines[0]}", notes)

    def _denied(self, unwanted: Access, accesses: list[AccessSet]) -> Diagnostic | None:
        rules = self._in_force(unwanted.common.booleans, possible=True)
        lax = [self.policy.types[n].name for n in bits(accesses[0].sources) if self.policy.types[n].permissive]
        if lax:
            return self._failed(unwanted.common, f"expected to be denied: `{lax[0]}` is permissive, it may do anything")
        found: list[tuple[str, TracedRule]] = []
        for access in accesses:
            found += ((self._first_access(r, access), r) for r in rules_about(self.policy, rules, access))
        if not found:
            return None
        notes = [self._rule_note(rule) for _, rule in found[:_SHOWN]]
        notes += [Note(f"and {len(found) - _SHOWN} rules more")] if len(found) > _SHOWN else []
        return self._failed(unwanted.common, f"expected to be denied: {found[0][0]}", notes)

    def _first_access(self, rule: TracedRule, access: AccessSet) -> str:
        """One access that a rule grants, in words."""
        names, known = self.policy.types, self.policy.abi.all_classes[rule.security_class]
        sources = self.policy.expand(rule.source) & access.sources
        targets = self.policy.expand(rule.target) & (sources if access.of_itself else access.targets)
        source = next(bits(targets if access.of_itself else sources))
        permissions = _words(rule.permissions & access.permissions & ~access.refused, known.permissions)
        return f"{names[source].name} may {permissions} {names[next(bits(targets))].name} ({known.name})"

    def _no_flow(self, unwanted: NoFlow) -> Diagnostic | None:
        common = unwanted.common
        key = (*sorted(common.booleans.items()),)
        if key not in self._graphs:
            self._graphs[key] = flow_graph(self.policy, self._in_force(common.booleans, possible=True))
        source = self._types(common, "from", unwanted.source)
        target = self._types(common, "to", unwanted.target)
        through = self._types(common, "through", unwanted.through) if unwanted.through else 0
        path = self._graphs[key].find_path(source, target, through)
        if not path:
            return None
        way = " -> ".join((path[0].source, *(step.target for step in path)))
        return self._failed(common, f"expected no flow: {way}", [self._step_note(step) for step in path])

    def _step_note(self, step: FlowStep) -> Note:
        if step.rule is None:
            return Note(f"{step.source} and {step.target} are labels of one domain")
        note = self._rule_note(step.rule)
        return note._replace(text=f"{step.source} -> {step.target}: {note.text}")

    def _rule_note(self, rule: TracedRule) -> Note:
        condition = f"if {rule.condition}: " if rule.condition else ""
        return Note(f"{condition}{self._text(rule)}", rule.origin)

    def _text(self, rule: TracedRule) -> str:
        return render_rule(self.policy, rule).rstrip(";")

    def _owned(self, wanted: Ownership) -> Diagnostic | None:
        claims = self.assembly.claims
        if wanted.client != EVERYTHING:
            self._type(wanted.common, "client", wanted.client)
        for name in set(wanted.owners) - {NOBODY}:
            self._type(wanted.common, "owners", name)
        found = claims.owners(wanted.function, wanted.client) or (NOBODY,)
        if set(found) == set(wanted.owners):
            return None
        client = "the host" if wanted.client == EVERYTHING else wanted.client
        message = f"expected {' and '.join(sorted(wanted.owners))} to own {wanted.function} for {client}"
        return self._failed(wanted.common, f"{message}: it is {' and '.join(sorted(found))}")

    def _failed(self, common: Common, message: str, notes: Iterable[Note] = ()) -> Diagnostic:
        finding = self.tests.finding(common, "", FAILED, f"{common.name}: {message}" if common.name else message)
        return replace(finding, notes=tuple(notes))

    def _in_force(self, booleans: Mapping[str, bool], *, possible: bool) -> tuple[TracedRule, ...]:
        key = (possible, *sorted(booleans.items()))
        if key not in self._rules:
            self._rules[key] = rules_in_force(self.policy, booleans, possible=possible)
        return self._rules[key]

    def _accesses(self, access: Access, lacking: list[str]) -> Iterator[AccessSet]:
        """The accesses that an expectation is about, by class; what this hypervisor has not goes to `lacking`."""
        abi = self.policy.abi
        pairs = tuple(self._pairs(access))
        classes = [c.name for c in abi.all_classes] if EVERYTHING in access.classes else access.classes
        for name in dict.fromkeys(classes):
            if not abi.has_class(name):
                lacking.append(self._lacking(access.common, name))
                continue
            mask = (1 << len(abi.permissions(name))) - 1
            if access.permissions:
                mask = self._mask(access, name, lacking)
            number = abi.class_id(name) - 1
            for pair in pairs:
                refused = constrained(self.policy, *pair.subjects, number) if pair.subjects else 0
                yield AccessSet(pair.sources, pair.targets, number, mask, pair.of_itself, refused)

    def _pairs(self, access: Access) -> Iterator[_Pair]:
        """Sources and targets: sets of types, or labels one by one, to which constraints apply."""
        common, of_itself = access.common, access.target == (SELF,)
        if not any(":" in name for name in (*access.source, *access.target)):
            sources = self._types(common, "source", access.source)
            yield _Pair(sources, 0 if of_itself else self._types(common, "target", access.target), of_itself)
            return
        sources = [self._subject(common, "source", label) for label in access.source]
        targets = sources if of_itself else [self._subject(common, "target", label) for label in access.target]
        for source, target in zip(sources, targets, strict=True) if of_itself else product(sources, targets):
            yield _Pair(1 << source.type, 1 << target.type, subjects=(source, target))

    def _subject(self, common: Common, key: str, label: str) -> Subject:
        """The user, role and type of a label.  Raises PolicyError `test-unknown-label`."""
        reason = reason_against(label, self.policy)
        if reason:
            hint = (
                "labels stand for themselves: where one does, source and target are labels" if ":" not in label else ""
            )
            raise self._unknown(common, key, "unknown-label", f"`{label}`: {reason}", hint)
        user_name, role_name, type_name = label.split(":", 3)[:3]
        user = next(n for n, user in enumerate(self.policy.users) if user.name == user_name)
        role = next(n for n, role in enumerate(self.policy.roles) if role.name == role_name)
        return Subject(user, role, self.policy.number_of_type(type_name))

    def _mask(self, access: Access, class_name: str, lacking: list[str]) -> int:
        mask = 0
        for name in dict.fromkeys(access.permissions):
            if self.policy.abi.has_permission(class_name, name):
                mask |= 1 << self.policy.abi.permission_bit(class_name, name)
            else:
                lacking.append(self._lacking(access.common, class_name, name))
        return mask

    def _lacking(self, common: Common, class_name: str, permission: str = "") -> str:
        """What this hypervisor lacks, in words.  Raises PolicyError when every Xen lacks it."""
        tables = known_tables()
        classes = {c.name for table in tables for c in table.all_classes}
        if class_name not in classes:
            message, hint = f"no Xen has a class `{class_name}`", _nearest(class_name, classes)
            raise self._unknown(common, "class", "unknown-class", message, hint)
        if not permission:
            return f"class {class_name} is there {describe_availability(class_name)}"
        known = {p for t in tables if t.has_class(class_name) for p in t.permissions(class_name)}
        if permission not in known:
            message = f"class `{class_name}` has no permission `{permission}` in any Xen"
            raise self._unknown(common, "permissions", "unknown-permission", message, _nearest(permission, known))
        return f"{class_name}:{permission} is there {describe_availability(class_name, permission)}"

    def _types(self, common: Common, key: str, names: tuple[str, ...]) -> int:
        """The types that are named, those with a minus taken out."""
        found = taken = 0
        for name in names:
            if name == EVERYTHING:
                found |= sum(1 << n for n, symbol in enumerate(self.policy.types) if not symbol.is_attribute)
            elif name.startswith("-"):
                taken |= self._type(common, key, name[1:])
            else:
                found |= self._type(common, key, name)
        if not found & ~taken:
            raise self._unknown(common, key, "names-nothing", f"`{key}` stands for no type at all")
        return found & ~taken

    def _type(self, common: Common, key: str, name: str) -> int:
        number = self.policy.number_of_type(name)
        if number < 0:
            hint = _nearest(name, (symbol.name for symbol in self.policy.types))
            raise self._unknown(common, key, "unknown-type", f"the policy has no type `{name}`", hint)
        return self.policy.expand(number)

    def _check_boolean(self, common: Common, name: str) -> None:
        known = [boolean.name for boolean in self.policy.booleans]
        if name not in known:
            message = f"the policy has no boolean `{name}`"
            raise self._unknown(common, "booleans", "unknown-boolean", message, _nearest(name, known))

    def _unknown(self, common: Common, key: str, code: str, message: str, hint: str = "") -> PolicyError:
        return _policy_error(self.tests.finding(common, key, f"test-{code}", message, hint))


def _words(mask: int, names: tuple[str, ...]) -> str:
    return " ".join(names[bit] for bit in bits(mask))


def _policy_error(finding: Diagnostic) -> PolicyError:
    error = PolicyError(finding.code, finding.message)
    error.diagnostics = (finding,)
    return error


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(set(known)), 1)
    return f"did you mean `{close[0]}`?" if close else ""


def _shortened(lines: list[str]) -> list[str]:
    """The first lines, and how many there are more."""
    return [*lines[:_SHOWN], f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else lines
