"""`neverallow_others`: what a function is made of, said as what nobody but the owners may hold.

The permissions and who shares them come from the table of powers, so that an assertion forbids exactly what the table
says to belong to owners, on whatever hypervisor.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from polpkg.policy.functions import function_named
from polpkg.policy.powers import ORDINARY, Access, functions_with, powers_of
from polpkg.policy.syntax.m4 import NativeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from polpkg.policy.abi import Abi
    from polpkg.policy.functions import Owners
    from polpkg.policy.powers import Power

OBSERVING = frozenset({("domain", "getdomaininfo"), ("domain2", "get_domain_state")})
"""Seeing that a domain is there is no power over it: lists, monitors and daemons do so."""

_CLIENT = frozenset({"client", "new-client"})
"""Kinds of objects that are the client itself.

Channels need the consent of both ends; build labels and labels for device models have assertions of their own.
"""

_EXEMPT = {("domain", "peer"): (1, 2), ("client", "client"): (1,), ("xenboot", "new-domain"): (3,)}
"""Subjects and objects that need a permission for other reasons, and the arguments that name who is exempt for them."""

_RARE = frozenset(
    {"store-domain", "late-hardware-domain", "remote-tables", "oxenstored", "no-grants", "sealed", "stub"}
)
"""Rows that are not for every owner: what they are about is the business of whoever needs them."""


def assertion_macros(owners: Owners, abi: Abi) -> dict[str, Callable[[Sequence[str]], str]]:
    """`neverallow_others(FUNCTION, CLIENT, PEERS, CREATOR)`: nobody but owners holds for CLIENT what FUNCTION needs.

    Permissions that several functions need may be held by the owners of each.  The client itself and PEERS are exempt
    from what domains that talk as equals do, CREATOR from what the hypervisor does when it starts a domain.
    """

    def neverallow_others(arguments: Sequence[str]) -> str:
        if len(arguments) < 2:
            raise NativeError("too-few-arguments", f"`neverallow_others` needs 2 arguments, and has {len(arguments)}")
        function = function_named(arguments[0], owners.functions())
        words = [text.strip() for text in (*arguments, "", "")]
        rules: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
        for access in _exclusive(powers_of(function), abi):
            holders = _holders(access, owners, words)
            rules[access.security_class, holders].append(access.permission)
        return "\n".join(
            f"neverallow ~{{ {' '.join(holders)} }} {words[1]}:{name} {{ {' '.join(permissions)} }};"
            for (name, holders), permissions in rules.items()
        )

    return {"neverallow_others": neverallow_others}


def exclusive_powers(function: str, abi: Abi) -> tuple[Access, ...]:
    """The permissions on a client that only owners may have, for the sake of `function`."""
    return tuple(_exclusive(powers_of(function), abi))


def _exclusive(rows: Iterable[Power], abi: Abi) -> Iterator[Access]:
    seen: set[Access] = set()
    for row in rows:
        if row.subject != "owner" or row.target not in _CLIENT or row.when in _RARE:
            continue
        for permission in row.known_to(abi):
            access = Access("owner", row.target, row.security_class, permission)
            if (row.security_class, permission) not in OBSERVING and access not in seen:
                seen.add(access)
                yield access


def sharing_functions(access: Access) -> tuple[str, ...]:
    """Every function whose owners may hold a permission on a client, sealed or not."""
    found = {name for kind in _CLIENT for name in functions_with(access._replace(target=kind))}
    return tuple(sorted(found - {ORDINARY}))


def _holders(access: Access, owners: Owners, words: Sequence[str]) -> tuple[str, ...]:
    """The words of the set of those who may hold a permission on the client, `words[1]`."""
    client = words[1]
    found = {owner for function in sharing_functions(access) for owner in owners.owners(function, client)}
    exempt = [
        words[number]
        for (subject, target), numbers in _EXEMPT.items()
        if functions_with(Access(subject, target, access.security_class, access.permission))
        for number in numbers
    ]
    return tuple(dict.fromkeys([*sorted(found), *(word for word in exempt if word)]))
