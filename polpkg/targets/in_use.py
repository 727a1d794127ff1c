"""Labels that are in use on a running host, and which of them a new policy would lose.

A policy that lacks the label of a running domain loads all the same: the domain becomes `unlabeled_t`, nobody can see,
pause or destroy it any more, and the number of its label is given to the next one that is looked up, under whose name
the orphan then appears.  Loading the old policy again heals that only if no other label took the number first (seen on
Xen 4.17.7 and 4.22.0).  So renaming or removing an instance whose type is in use is refused before anything is loaded.

Pure functions: whoever knows a host brings the labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic
from polpkg.errors import TargetError
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import TypeRuleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.ir.linked import LinkedPolicy


class LabelInUse(NamedTuple):
    """A security context, as text, and what has it, as people call it: `domain 3 (web)`, `PCI device 0000:03:00.0`."""

    label: str
    holder: str


class LostLabel(NamedTuple):
    """A label in use that the new policy does not have, and why not."""

    in_use: LabelInUse
    reason: str


def find_lost_labels(in_use: Iterable[LabelInUse], before: LinkedPolicy, after: LinkedPolicy) -> tuple[LostLabel, ...]:
    """The labels in use under the policy `before` that `after` would lose, in the order given.

    A label is kept when its user, role and type are there and may be combined; a type may be there as an alias.  To
    the type of a domain belong the label under which it sees itself and those of its event channels (T_self,
    T_channel): without them it is lost as well.  A label that `before` does not have either was lost earlier, and is
    not counted.
    """
    lost: list[LostLabel] = []
    for each in in_use:
        if reason_against(each.label, before):
            continue
        reason = reason_against(each.label, after) or next(_missing_companions(each.label, before, after), "")
        if reason:
            lost.append(LostLabel(each, reason))
    return tuple(lost)


def check_labels_in_use(in_use: Iterable[LabelInUse], before: LinkedPolicy, after: LinkedPolicy) -> None:
    """Raises TargetError `label-in-use`, with a finding for each label that would be lost: see `find_lost_labels`."""
    hint = "shut it down first, or keep its package, instance and parameters until it has gone"
    findings = [
        Diagnostic("label-in-use", f"{lost.in_use.holder} runs as {lost.in_use.label}: {lost.reason}", hint=hint)
        for lost in find_lost_labels(in_use, before, after)
    ]
    if findings:
        raise TargetError.of(findings)


def reason_against(label: str, policy: LinkedPolicy) -> str:
    """Why a policy does not have a label, in words; empty when it has.  Levels (MLS) are not looked at."""
    parts = label.split(":", 3)
    if len(parts) < 3:
        return f"`{label}` is not a label"
    user_name, role_name, type_name = parts[:3]
    number = policy.number_of_type(type_name)
    if number < 0 or policy.types[number].is_attribute:
        return f"the policy has no type `{type_name}`"
    role = next((n for n, role in enumerate(policy.roles) if role.name == role_name), -1)
    if role < 0:
        return f"the policy has no role `{role_name}`"
    user = next((user for user in policy.users if user.name == user_name), None)
    if user is None:
        return f"the policy has no user `{user_name}`"
    if role_name == "object_r":
        return ""
    if not user.roles >> role & 1:
        return f"user `{user_name}` may not have the role `{role_name}`"
    return "" if policy.roles[role].types >> number & 1 else f"`{role_name}` may not have the type `{type_name}`"


def _missing_companions(label: str, before: LinkedPolicy, after: LinkedPolicy) -> Iterator[str]:
    """What a domain of this type is labelled for itself, and what its channels are, which only the old policy has."""
    number = before.number_of_type(label.split(":", 3)[2])
    domain = before.abi.class_id("domain") - 1
    found = 0
    for rule in before.type_rules:
        of_itself = rule.kind is TypeRuleKind.TYPE_TRANSITION and rule.source == number
        if of_itself and (rule.security_class != domain or rule.target == number):
            found |= 1 << rule.result
    for companion in bits(found):
        name = before.types[companion].name
        if after.number_of_type(name) < 0:
            yield f"the policy has no type `{name}`, which belongs to it"
