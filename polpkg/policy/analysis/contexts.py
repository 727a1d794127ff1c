"""Contexts as text, judged by a policy: whether Xen would take one as a label, and if not, what is wrong with it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.access import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.ir.linked import LinkedContext, LinkedPolicy, RoleSymbol, UserSymbol


class ContextProblem(NamedTuple):
    """Why a text is no context of a policy: a stable code, what is wrong, and what to do about it."""

    code: str
    message: str
    hint: str = ""


def read_context(policy: LinkedPolicy, text: str) -> Subject | ContextProblem:
    """The context that `text` is in `policy`, as `security_context_to_sid` and `context_is_valid` see it.

    With MLS the level is looked at as far as that there is one and that its sensitivity is known.
    """
    parts = text.split(":", 3)
    if len(parts) < 3:
        message = f"`{text}` is no label: user:role:type is"
        return ContextProblem("malformed-label", message, _for_type(policy, text))
    user, role, type_, level = *parts[:3], parts[3] if len(parts) == 4 else ""
    user_number, role_number = _position(user, policy.users), _position(role, policy.roles)
    known = policy.number_of_type(type_)
    if known < 0 or policy.types[known].is_attribute:
        return ContextProblem("unknown-label", f"the policy has no type `{type_}`", _near(policy, type_))
    if user_number < 0:
        return ContextProblem("unknown-label", f"the policy has no user `{user}`", _for_type(policy, type_))
    if role_number < 0:
        return ContextProblem("unknown-label", f"the policy has no role `{role}`", _for_type(policy, type_))
    subject = Subject(user_number, role_number, known)
    return _pairs(policy, subject, (user, role, type_)) or _level(policy, level, type_) or subject


def _position(name: str, symbols: Iterable[UserSymbol | RoleSymbol]) -> int:
    return next((number for number, symbol in enumerate(symbols) if symbol.name == name), -1)


def _pairs(policy: LinkedPolicy, subject: Subject, names: tuple[str, str, str]) -> ContextProblem | None:
    """Role and type, and user and role, must go together; object_r goes with every type and user."""
    user, role, type_ = names
    if role == "object_r":
        return None
    if not policy.roles[subject.role].types >> subject.type & 1:
        message = f"role `{role}` may not have type `{type_}`"
        return ContextProblem("invalid-label", message, _for_type(policy, type_))
    if not policy.users[subject.user].roles >> subject.role & 1:
        message = f"user `{user}` may not have role `{role}`"
        return ContextProblem("invalid-label", message, _for_type(policy, type_))
    return None


def _level(policy: LinkedPolicy, level: str, type_: str) -> ContextProblem | None:
    if level and not policy.mls:
        return ContextProblem(
            "invalid-label", "the label has a level, and the policy has no MLS", _for_type(policy, type_)
        )
    if policy.mls and not level:
        return ContextProblem("invalid-label", "the policy has MLS, and the label no level", _for_type(policy, type_))
    known = {s.name for s in policy.sensitivities}
    for end in level.split("-") if level else ():
        if end.partition(":")[0] not in known:
            return ContextProblem("invalid-label", f"the policy has no level `{end}`")
    return None


def context_text(policy: LinkedPolicy, context: LinkedContext) -> str:
    """The context as text, without its level."""
    names = policy.users[context.user].name, policy.roles[context.role].name, policy.types[context.type].name
    return ":".join(names)


def context_of(policy: LinkedPolicy, type_name: str, user: str = "") -> str:
    """The context that goes with a type: the first user and role that may have it, system_u and system_r first.

    A type that no role has is that of a device: it goes with object_r.  With `user` it is the first role of that user.

    With MLS it is at the lowest level.
    """
    number = policy.number_of_type(type_name)
    allowed = next((u.roles for u in policy.users if u.name == user), -1)
    fitting = (r for n, r in enumerate(policy.roles) if number >= 0 and r.types >> number & 1 and allowed >> n & 1)
    roles = sorted(fitting, key=_system_first)
    role = roles[0].name if roles else "object_r"
    index = next((n for n, r in enumerate(policy.roles) if r.name == role), 0)
    users = sorted((u for u in policy.users if not roles or u.roles >> index & 1), key=_system_first)
    user = user or (users[0].name if users else "system_u")
    level = f":{policy.sensitivities[0].name}" if policy.mls and policy.sensitivities else ""
    return f"{user}:{role}:{type_name}{level}"


def _system_first(symbol: NamedTuple) -> tuple[bool, str]:
    name: str = symbol[0]
    return (not name.startswith("system_"), name)


def _near(policy: LinkedPolicy, type_: str) -> str:
    """The nearest type a domain can have; without one, where the labels are listed."""
    names = [t.name for t in policy.types if not t.is_attribute]
    close = get_close_matches(type_, names, 1)
    return f"did you mean `{context_of(policy, close[0])}`?" if close else "`polpkg labels` lists the labels there are"


def _for_type(policy: LinkedPolicy, type_: str) -> str:
    known = policy.number_of_type(type_)
    if known < 0 or policy.types[known].is_attribute:
        return _near(policy, type_)
    return f"did you mean `{context_of(policy, type_)}`?"
