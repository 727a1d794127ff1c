"""What a person reads of `polpkg functions`: values in, lines out."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from polpkg.cli.render import visible, wrapped
from polpkg.ops.functions import labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from polpkg.ops.functions import FunctionsReport, Served
    from polpkg.policy.analysis.holdings import Holding
    from polpkg.policy.powers import Power

_CELL = 24
"""Columns for the class and the label, before permissions."""


def report_lines(report: FunctionsReport, width: int, *, whole: bool = False) -> Iterator[str]:
    """The report, wrapped to `width`; with `whole` what each function takes with it as well."""
    others = f"; --xen chooses another: {', '.join(report.others)}" if report.others else ""
    yield from wrapped(f"the policy of generation {report.generation} for Xen {report.xen}{others}", width)
    yield ""
    yield from _owner_lines(report, width)
    holder = report.holder.name
    for clients in _alike(report.clients, _signature):
        yield ""
        names = _names([served.type for served in clients])
        if not clients[0].holdings:
            yield from wrapped(f"{holder} holds nothing on {names}", width)
            continue
        yield from wrapped(f"{holder} holds on {names}", width)
        yield from _holding_lines(clients[0].holdings, clients[0].type, report, width)
    yield ""
    yield f"{holder} holds on the host"
    yield from _holding_lines(report.host, "", report, width)
    yield from _move_lines(report, width, whole=whole)
    if report.residuals:
        yield ""
        yield "what this policy does not take away"
        for sentence in report.residuals:
            yield from wrapped(f"  {sentence}", width)


def _owner_lines(report: FunctionsReport, width: int) -> Iterator[str]:
    """Functions by owner for ordinary clients, then where a client has others."""
    by_owner: dict[str, list[str]] = defaultdict(list)
    for function, owner in report.owners.items():
        by_owner[owner].append(function)
    yield "owners"
    nobody = {owner.name for owners in report.host_owners.values() for owner in owners if not owner.type}
    for owner, functions in sorted(by_owner.items()):
        whose = f"nobody ({owner})" if owner in nobody else owner
        yield from wrapped(f"  {whose}: {', '.join(functions)}", width)
    for clients in _alike(report.clients, lambda served: _other_owners(served, report)):
        if others := _other_owners(clients[0], report):
            names = _names([served.type for served in clients])
            words = "; ".join(f"{owners or _declarers(clients)}: {', '.join(found)}" for owners, found in others)
            yield from wrapped(f"  for {names}: {words}", width)


def _other_owners(served: Served, report: FunctionsReport) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Who owns functions for a client in place of those for ordinary ones; "" is the instance that declares it."""
    found: dict[str, list[str]] = defaultdict(list)
    for function, owners in served.owners.items():
        named = ", ".join(owner.name for owner in owners)
        if named != report.owners[function]:
            found["" if named == served.package else named].append(function)
    return tuple((owners, tuple(functions)) for owners, functions in found.items())


def _declarers(clients: Sequence[Served]) -> str:
    packages = {served.package for served in clients}
    return clients[0].package if len(packages) == 1 else "the instance that declares it"


def _signature(served: Served) -> object:
    """What makes clients alike: the same holdings, but for their names."""
    return tuple(
        (held.source, held.target.removeprefix(served.type), *held[2:6], _rules(held)) for held in served.holdings
    )


def _alike(clients: Iterable[Served], signature: Callable[[Served], object]) -> list[list[Served]]:
    groups: dict[object, list[Served]] = {}
    for served in clients:
        groups.setdefault(signature(served), []).append(served)
    return list(groups.values())


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4:,} alike"


def _rules(held: Holding) -> tuple[str, ...]:
    return tuple(f"{o.package} {o.file}:{o.line}" if o else "a rule of unknown origin" for o in held.others)


def _reason(held: Holding, *, is_ordinary: bool) -> str:
    """Why it is held: the functions that need it, else the rules that grant it."""
    words = [f"for {', '.join(held.functions)}"] if held.functions else []
    if held.as_client:
        words.append(f"{'also ' if words else ''}as client of {', '.join(held.as_client)}")
    if held.others:
        words.append(f"{_without_function(words, is_ordinary=is_ordinary)}by {', '.join(_rules(held))}")
    if held.conditions:
        words.append(f"while {' or '.join(held.conditions)}")
    return "; ".join(words)


def _without_function(words: list[str], *, is_ordinary: bool) -> str:
    if words:
        return "also "
    return "ordinary, " if is_ordinary else "for no function, "


def _holding_lines(holdings: Iterable[Holding], client: str, report: FunctionsReport, width: int) -> Iterator[str]:
    """Permissions by reason, and below that by class and label."""
    reasons: dict[str, list[Holding]] = defaultdict(list)
    for held in holdings:
        reasons[_reason(held, is_ordinary=held in report.ordinary)].append(held)
    for reason, found in sorted(reasons.items(), key=_functions_first):
        yield from wrapped(f"  {reason}", width)
        yield from _access_lines(found, client, width)


def _functions_first(group: tuple[str, list[Holding]]) -> tuple[bool, int, str]:
    """Reasons with functions first, those with the fewest of them first of all."""
    functions = group[1][0].functions
    return not functions, len(functions), group[0]


def _access_lines(holdings: Iterable[Holding], client: str, width: int) -> Iterator[str]:
    """Permissions by class and label; labels that share all of a class stand together."""
    cells: dict[tuple[str, str, bool], dict[str, None]] = defaultdict(dict)
    for held in holdings:
        cells[held.security_class, held.target, held.source.endswith("_channel")][held.permission] = None
    joined: dict[tuple[str, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for (security_class, target, by_channel), permissions in cells.items():
        joined[security_class, by_channel, tuple(permissions)].append(target)
    for (security_class, by_channel, permissions), targets in joined.items():
        head = security_class + _about(targets, client) + (", by its channels" if by_channel else "")
        yield from _row(head, permissions, width)


def _row(head: str, permissions: Iterable[str], width: int) -> Iterator[str]:
    """`head` and the permissions beside it, below it when it is long."""
    first = f"    {visible(head):<{_CELL}} "
    if len(head) > _CELL:
        yield from wrapped(f"    {head}", width)
        first = " " * (_CELL + 5)
    rest = " " * (_CELL + 5)
    yield from wrapped(" ".join(permissions), width, first, rest)


def _about(targets: Sequence[str], client: str) -> str:
    """What a class is about, where that is not the client itself."""
    if not client:
        return f" on {', '.join(targets)}"
    words = {"": "", "_channel": " on its channels", "_target": " as its device model sees it"}
    return "".join(words.get(t.removeprefix(client), " while it is built") for t in targets)


def _why_nothing(report: FunctionsReport, function: str) -> str:
    """What else would have to go before anything goes with a function."""
    everything = (held for holdings in (*(c.holdings for c in report.clients), report.host) for held in holdings)
    shared = {held.functions for held in everything if function in held.functions and held.is_explained}
    fewest = min(shared, key=lambda functions: (len(functions), functions), default=())
    others = [name for name in fewest if name != function]
    return f"nothing before {' and '.join(others)} {'goes' if len(others) == 1 else 'go'} too" if others else "nothing"


def _move_lines(report: FunctionsReport, width: int, *, whole: bool) -> Iterator[str]:
    """What goes with each function alone: how much of it, and with `whole` what."""
    clients = {label: served.type for served in report.clients for label in labels_of(served.type)}
    yield ""
    yield f"giving a function to another domain would take from {report.holder.name}"
    for function, lost in report.gives_up.items():
        found: dict[str, list[Holding]] = defaultdict(list)
        for held in lost:
            found[clients.get(held.target, "")].append(held)
        counts = (f"{len(held)} on {client or 'the host'}" for client, held in found.items())
        words = _names(list(counts)) or _why_nothing(report, function)
        yield from wrapped(f"  {function}: {words}", width)
        if whole:
            for client, held in found.items():
                yield from wrapped(f"    on {client or 'the host'}", width)
                yield from _access_lines(held, client, width)
    if not whole:
        yield "  (what stands above under one function alone; --verbose lists it)"


def table_lines(rows: Iterable[Power], width: int) -> Iterator[str]:
    """The table of powers, a paragraph for each function."""
    from polpkg.policy.powers import WHEN

    paragraphs: dict[str, list[Power]] = defaultdict(list)
    for row in rows:
        for function in row.functions:
            paragraphs[function].append(row)
    for number, (function, found) in enumerate(sorted(paragraphs.items())):
        if number:
            yield ""
        yield function
        for row in found:
            yield from wrapped(
                f"  {row.subject} on {row.target}: {row.security_class} {{ {' '.join(row.permissions)} }}", width
            )
            condition = "" if row.when == "always" else f"{WHEN[row.when]}: "
            yield from wrapped(f"      {condition}{row.reason}", width)
            yield from wrapped(f"      {row.hooks}", width)
