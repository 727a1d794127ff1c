"""Which optionals stay: those whose names are all known, with the optionals around them.

An optional that goes takes what it declares with it, and so may take others along; each is looked at again only when
something that it uses went away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polpkg.policy.syntax.cil.arguments import Reference
    from polpkg.policy.syntax.cil.flatten import Group


def kept_groups(groups: Sequence[Group], is_known: Callable[[Reference], bool]) -> list[Group]:
    """The groups that stay, in order; `is_known` tells what other fragments and packages declare."""
    if len(groups) == 1:
        return list(groups)
    declared = Counter(reference for group in groups for reference in group.declared)
    users: dict[Reference, list[int]] = defaultdict(list)
    children: dict[int, list[int]] = defaultdict(list)
    numbers = {id(group): number for number, group in enumerate(groups)}
    for number, group in enumerate(groups[1:], 1):
        children[numbers[id(group.parent)]].append(number)
        for reference in group.used:
            users[reference].append(number)
    gone: set[int] = set()
    work = [n for ref, found in users.items() if not declared[ref] and not is_known(ref) for n in found]
    while work:
        number = work.pop()
        if number in gone:
            continue
        gone.add(number)
        work.extend(children[number])
        for reference in groups[number].declared:
            declared[reference] -= 1
            if not declared[reference] and not is_known(reference):
                work.extend(n for n in users.pop(reference, ()) if n not in gone)
    return [group for number, group in enumerate(groups) if number not in gone]
