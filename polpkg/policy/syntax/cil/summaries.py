"""Statements that several items make together: tables in their order, levels, and users with all that they have."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from polpkg.policy.ir.statements import (
    AccessVector,
    CategoryDeclaration,
    ClassDeclaration,
    CommonDeclaration,
    Dominance,
    InitialSidDeclaration,
    Level,
    LevelDeclaration,
    NameSet,
    SensitivityDeclaration,
    UserDeclaration,
)
from polpkg.policy.syntax.cil.problem import CilProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polpkg.diagnostics import Diagnostic, Place
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.cil.definitions import Definitions
    from polpkg.policy.syntax.cil.flatten import Item

OBJECT_ROLE = "object_r"
"""The role of things: it exists in every policy and goes with every type and user, so CIL's word on it is dropped."""


class Summaries:
    """Makes these statements; findings go to `problems`."""

    def __init__(
        self, definitions: Definitions, sids: tuple[str, ...], problems: list[Diagnostic], *, mls: bool
    ) -> None:
        """`sids` are the initial SIDs of the hypervisor; `mls` is whether the policy is linked with levels."""
        self._definitions = definitions
        self._problems = problems
        self._mls = mls
        self.sid_names = self._names_by_number(sids)

    def _names_by_number(self, sids: tuple[str, ...]) -> dict[str, str]:
        """The names of the hypervisor for the initial SIDs that `checkpolicy -C` named.

        Its list is that of Xen 4.6 (`xen_sid_to_str` of libsepol).  When there are more, it calls the last ones
        UNKNOWN13 and so on, and the others are shifted: only the numbers are right.
        """
        words = [item.values[0] for item in self._definitions.items["sidorder"]]
        order = words[0].names if len(words) == 1 else ()
        if len(order) != len(sids) or not any(name.startswith("UNKNOWN") for name in order):
            return {}
        return dict(zip(order, sids, strict=True))

    def tables(self) -> list[Statement]:
        """Commons, classes and initial SIDs, if these fragments declare any."""
        return self._guarded(self._tables)

    def levels(self) -> list[Statement]:
        """Sensitivities, categories and what goes together; nothing without MLS."""
        return self._guarded(self._levels) if self._mls else []

    def _guarded(self, method: Callable[[], list[Statement]]) -> list[Statement]:
        try:
            return method()
        except CilProblem as problem:
            self._problems.append(problem.diagnostic())
            return []

    def _declared(self, keyword: str) -> dict[str, Item]:
        """The declarations by name; a second one is a finding."""
        found: dict[str, Item] = {}
        for item in self._definitions.items[keyword]:
            name = item.values[0]
            if name in found:
                problem = CilProblem(item.form, 1, f"{keyword} `{name}` is declared already", code="duplicate-symbol")
                self._problems.append(problem.diagnostic(item.frame))
            found.setdefault(name, item)
        return found

    def _tables(self) -> list[Statement]:
        definitions = self._definitions
        classes, commons, sids = (self._declared(keyword) for keyword in ("class", "common", "sid"))
        inherited = {i.values[0]: i.values[1] for i in definitions.items["classcommon"]}
        found: list[Statement] = []
        found += [CommonDeclaration(item.place, name, item.values[1].names) for name, item in commons.items()]
        order = definitions.order("classorder", classes)
        found += [ClassDeclaration(classes[name].place, name) for name in order]
        for name in order:
            item = classes[name]
            found.append(AccessVector(item.place, name, inherited.get(name, ""), item.values[1].names))
        order = definitions.order("sidorder", sids)
        found += [InitialSidDeclaration(sids[name].place, self.sid_names.get(name, name)) for name in order]
        return found

    def _aliases(self, keyword: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = defaultdict(list)
        for item in self._definitions.items[f"{keyword}aliasactual"]:
            found[item.values[1]].append(item.values[0])
        return {name: tuple(aliases) for name, aliases in found.items()}

    def _levels(self) -> list[Statement]:
        definitions = self._definitions
        sensitivities, categories = self._declared("sensitivity"), self._declared("category")
        aliases = self._aliases("category")
        found: list[Statement] = [
            CategoryDeclaration(categories[name].place, name, aliases.get(name, ()))
            for name in definitions.category_order()
        ]
        aliases = self._aliases("sensitivity")
        order = definitions.order("sensitivityorder", sensitivities)
        found += [SensitivityDeclaration(sensitivities[name].place, name, aliases.get(name, ())) for name in order]
        if order:
            found.append(Dominance(definitions.items["sensitivityorder"][0].place, tuple(order)))
        allowed: dict[str, list[tuple[str, str]]] = defaultdict(list)
        first: dict[str, Place] = {}
        names = {alias: name for name, others in aliases.items() for alias in others}
        for item in definitions.items["sensitivitycategory"]:
            name: str = names.get(item.values[0]) or item.values[0]
            first.setdefault(name, item.place)
            allowed[name] += definitions.spans(item.values[1], item)
        for name, spans in allowed.items():
            place = sensitivities[name].place if name in sensitivities else first[name]
            found.append(LevelDeclaration(place, Level(name, tuple(spans))))
        return found

    def users(self) -> Iterator[Statement]:
        """One declaration for each user; roles and users that are declared twice are findings."""
        roles: dict[str, list[str]] = {i.values[0]: [] for i in self._definitions.items["user"]}
        places = {i.values[0]: i.place for i in reversed(self._definitions.items["user"])}
        for item in self._definitions.items["userrole"]:
            user, role = (str(value) for value in item.values)
            places.setdefault(user, item.place)
            roles.setdefault(user, []).extend(self._definitions.roles(role))
        for keyword in ("role", "user"):
            self._declared(keyword)
        levels, ranges = self._clearances("userlevel", "level"), self._clearances("userrange", "range")
        for name, place in places.items():
            known = tuple(role for role in dict.fromkeys(roles[name]) if role != OBJECT_ROLE)
            yield UserDeclaration(place, name, NameSet(known), levels.get(name), ranges.get(name))

    def _clearances(self, keyword: str, kind: str) -> dict[str, Any]:
        """The levels or ranges of users, none without MLS; of several the last, as in `cil_resolve_userlevel`.

        `checkpolicy -C` writes them again for a user that an optional block requires.
        """
        found: dict[str, Any] = {}
        for item in self._definitions.items[keyword] if self._mls else ():
            try:
                found[item.values[0]] = getattr(self._definitions, kind)(item.values[1], item)
            except CilProblem as problem:
                self._problems.append(problem.diagnostic(item.frame))
        return found
