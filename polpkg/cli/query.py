"""`polpkg query`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import Policy, TargetOptions
from polpkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.policy.analysis.query import RuleAnswer
    from polpkg.policy.ir.linked import LinkedPolicy

_KINDS = ("allow", "auditallow", "dontaudit")


def command(
    console: Console,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="allow, auditallow, dontaudit; types, attributes, classes, roles, users, booleans, sids.",
        ),
    ],
    target: TargetOptions,
    policy: Policy = None,
    source: Annotated[str, typer.Option("-s", "--source", metavar="TYPE", help="Rules of this type.")] = "",
    target_type: Annotated[str, typer.Option("-t", "--target", metavar="TYPE", help="Rules on this type.")] = "",
    security_class: Annotated[str, typer.Option("-c", "--class", metavar="CLASS", help="Rules of this class.")] = "",
    permissions: Annotated[
        str, typer.Option("-p", "--perm", metavar="P,...", help="Rules with one of these permissions.")
    ] = "",
    expand: Annotated[bool, typer.Option("--expand", help="Types in place of attributes.")] = False,
) -> None:
    """Ask a policy what is in it.

    Rules are found for a type and for the attributes that it has.

    For example:
      polpkg query allow -t vmv_guest_t -c domain --root build/demo
      polpkg query types --policy build/demo/boot/xenpolicy-4.17.7
    """
    from polpkg.cli.asking import read_policy
    from polpkg.policy.analysis.query import RuleQuery, find_rules
    from polpkg.policy.ir.statements import AvKind

    listing = _LISTINGS.get(what)
    if listing is None and what not in _KINDS:
        raise UsageError("unknown-question", f"`{what}` is nothing that can be asked for", hint=_offer(what))
    view = read_policy(console, policy, target).view
    if listing is not None:
        found = listing(view.policy)
        console.answer({what: found}, "\n".join(_line(entry) for entry in found))
        return
    words = frozenset(word for word in permissions.replace(",", " ").split() if word)
    query = RuleQuery(source, target_type, security_class, words, AvKind[what.upper()], expand)
    answers = find_rules(view, query)
    console.answer({"rules": [_rule(answer) for answer in answers]}, "\n".join(_text(what, a) for a in answers))


def _offer(what: str) -> str:
    from difflib import get_close_matches

    known = [*_KINDS, *_LISTINGS]
    close = get_close_matches(what, known, 1)
    return f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}"


def _rule(answer: RuleAnswer) -> dict[str, Any]:
    return {
        "source": answer.source,
        "target": answer.target,
        "class": answer.security_class,
        "permissions": list(answer.permissions),
        "condition": answer.condition or None,
    }


def _text(what: str, answer: RuleAnswer) -> str:
    permissions = " ".join(answer.permissions)
    shown = permissions if len(answer.permissions) == 1 else f"{{ {permissions} }}"
    condition = f"  # while {answer.condition}" if answer.condition else ""
    return f"{what} {answer.source} {answer.target}:{answer.security_class} {shown};{condition}"


def _line(entry: dict[str, Any]) -> str:
    name, *rest = entry.values()
    words = [" ".join(value) if isinstance(value, list) else str(value) for value in rest if value not in (None, [])]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{name}: {'; '.join(words)}" if words else str(name)


def _types(policy: LinkedPolicy) -> list[dict[str, Any]]:
    return [{"name": t.name, "aliases": list(t.aliases)} for t in policy.types if not t.is_attribute]


def _attributes(policy: LinkedPolicy) -> list[dict[str, Any]]:
    from polpkg.policy.ir.linked import bits

    names = [t.name for t in policy.types]
    return [{"name": t.name, "types": [names[n] for n in bits(t.members)]} for t in policy.types if t.is_attribute]


def _classes(policy: LinkedPolicy) -> list[dict[str, Any]]:
    return [{"name": c.name, "permissions": list(c.permissions)} for c in policy.abi.all_classes]


def _roles(policy: LinkedPolicy) -> list[dict[str, Any]]:
    from polpkg.policy.ir.linked import bits

    return [{"name": r.name, "types": [policy.types[n].name for n in bits(r.types)]} for r in policy.roles]


def _users(policy: LinkedPolicy) -> list[dict[str, Any]]:
    from polpkg.policy.ir.linked import bits

    return [{"name": u.name, "roles": [policy.roles[n].name for n in bits(u.roles)]} for u in policy.users]


def _booleans(policy: LinkedPolicy) -> list[dict[str, Any]]:
    return [{"name": b.name, "default": b.default} for b in policy.booleans]


def _sids(policy: LinkedPolicy) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, context in zip(policy.abi.initial_sids, policy.initial_sids, strict=True):
        words = None
        if context is not None:
            user, role = policy.users[context.user].name, policy.roles[context.role].name
            words = f"{user}:{role}:{policy.types[context.type].name}"
        found.append({"name": name, "context": words})
    return found


_LISTINGS: dict[str, Callable[[LinkedPolicy], list[dict[str, Any]]]] = {
    "types": _types,
    "attributes": _attributes,
    "classes": _classes,
    "roles": _roles,
    "users": _users,
    "booleans": _booleans,
    "sids": _sids,
}
