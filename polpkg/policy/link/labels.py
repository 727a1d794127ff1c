"""Pass `labels`: users, and the contexts of initial SIDs and devices, each checked to be a valid combination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import (
    LinkedContext,
    LinkedObjectContext,
    LinkedRangeTransition,
    UserSymbol,
    bits,
)
from polpkg.policy.ir.statements import (
    InitialSidContext,
    ObjectContext,
    ObjectContextKind,
    RangeTransition,
    UserDeclaration,
)
from polpkg.policy.link.levels import is_within
from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.linked import RoleSymbol
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.statements import Context
    from polpkg.policy.link.binder import Binder
    from polpkg.policy.link.levels import Levels
    from polpkg.policy.link.symbols import SymbolTable


def link_users(
    modules: Iterable[PolicyModule], table: SymbolTable, binder: Binder, levels: Levels
) -> tuple[UserSymbol, ...]:
    """The users of the linked policy, in the order of their numbers."""
    found = {name: UserSymbol(name, 0, place=table.users[name].place) for name in binder.user_names}
    for module in modules:
        for statement in module.others:
            if isinstance(statement, UserDeclaration) and statement.name in found:
                found[statement.name] = _bind_user(statement, found[statement.name], module, binder, levels)
    return tuple(found.values())


def _bind_user(
    statement: UserDeclaration, known: UserSymbol, module: PolicyModule, binder: Binder, levels: Levels
) -> UserSymbol:
    place, names = statement.place, statement.roles
    if names.star or names.complement or names.excluded:
        message = "the roles of a user are listed by name; `*`, `~` and `-` are not allowed here"
        binder.report.error(place, "syntax-error", message)
    if statement.level is not None and not levels.mls:
        binder.report.error(place, "mls-disabled", "this user has a level, and the policy is linked without MLS")
    roles = binder.role_set(names.names, module, place)
    if levels.mls and (statement.level is None or statement.range is None):
        message = f"user `{statement.name}` needs a level and a range in a policy with MLS"
        binder.report.error(place, "missing-level", message, f"user {statement.name} roles ... level s0 range s0;")
        return known._replace(roles=known.roles | roles)
    if not levels.mls or statement.level is None or statement.range is None:
        return known._replace(roles=known.roles | roles)
    level, range_ = levels.allowed_level(statement.level, place), levels.range(statement.range, place)
    return known._replace(roles=known.roles | roles, level=level, range=range_)


class ContextLinker:
    """Binds contexts and checks that user, role and type go together (libsepol's `context_is_valid`)."""

    def __init__(
        self, binder: Binder, roles: tuple[RoleSymbol, ...], users: tuple[UserSymbol, ...], levels: Levels
    ) -> None:
        """What contexts are checked against."""
        self._binder, self._roles, self._users, self._levels = binder, roles, users, levels

    def bind(self, context: Context, module: PolicyModule, place: Place) -> LinkedContext | None:
        """The context by number; None, and an error, when it is not valid."""
        binder = self._binder
        user = binder.user_number(context.user, module, place)
        role = binder.regular_role(context.role, module, place)
        type_ = binder.single_type(context.type, module, place)
        if user is None or role is None or type_ is None:
            return None
        if role and not self._check_pairs(context, user, role, type_, place):
            return None
        if not self._levels.mls:
            if context.range is not None:
                message = "this context has a level, and the policy is linked without MLS"
                binder.report.error(place, "mls-disabled", message, "link with --mls")
            return LinkedContext(user, role, type_)
        if context.range is None:
            binder.report.error(place, "missing-level", "a context needs a level in a policy with MLS")
            return None
        range_ = self._levels.range(context.range, place)
        if range_ is None:
            return None
        outer = self._users[user].range
        if role and outer is not None and not is_within(range_, outer):
            message = f"this range is not within that of user `{context.user}`"
            binder.report.error(place, "invalid-context", message)
            return None
        return LinkedContext(user, role, type_, range_)

    def _check_pairs(self, context: Context, user: int, role: int, type_: int, place: Place) -> bool:
        if not self._users[user].roles >> role & 1:
            message = f"user `{context.user}` may not have role `{context.role}`"
            self._binder.report.error(place, "invalid-context", message, f"user {context.user} roles {context.role};")
            return False
        if not self._roles[role].types >> type_ & 1:
            message = f"role `{context.role}` may not have type `{context.type}`"
            self._binder.report.error(place, "invalid-context", message, f"role {context.role} types {context.type};")
            return False
        return True

    def initial_sids(self, modules: Iterable[PolicyModule], *, complete: bool) -> tuple[LinkedContext | None, ...]:
        """The context of every initial SID of the ABI; with `complete`, one that has none is an error."""
        abi, report = self._binder.abi, self._binder.report
        numbers = {name: number for number, name in enumerate(abi.initial_sids)}
        found: dict[int, LinkedContext | None] = {}
        places: dict[int, Place] = {}
        for module in modules:
            for statement in module.others:
                if not isinstance(statement, InitialSidContext):
                    continue
                place, number = statement.place, numbers.get(statement.name)
                if number is None:
                    message = f"initial SID `{statement.name}` does not exist in this hypervisor"
                    report.error(place, "unknown-sid", message, f"guard it: ifdef(`xen_sid_{statement.name}', ...)")
                elif number in places:
                    note = declared_at("first labelled here", places[number])
                    message = f"initial SID `{statement.name}` has a context already"
                    report.error(place, "duplicate-symbol", message, notes=(note,))
                else:
                    places[number] = place
                    found[number] = self.bind(statement.context, module, place)
        if complete and (missing := [name for name, n in numbers.items() if n not in places]):
            self._report_missing(missing, modules)
        return tuple(found.get(n) for n in range(len(abi.initial_sids)))

    def _report_missing(self, missing: list[str], modules: Iterable[PolicyModule]) -> None:
        place = next((s.place for m in modules for s in m.statements[:1]), None)
        if place is None:
            return
        listed = ", ".join(f"`{name}`" for name in missing)
        message = f"no package gives a context to the initial SIDs {listed}, and Xen refuses a policy without them"
        hint = "the packages `dom0` and `domu` label them"
        self._binder.report.not_for_xen(place, message, hint, code="missing-sid")

    def object_contexts(self, modules: Iterable[PolicyModule]) -> tuple[LinkedObjectContext, ...]:
        """Every device label, sorted by kind and number; two for one device are an error."""
        found: list[LinkedObjectContext] = []
        for module in modules:
            for statement in module.others:
                if isinstance(statement, ObjectContext):
                    context = self.bind(statement.context, module, statement.place)
                    if context is not None:
                        _, kind, low, high, path, _ = statement
                        self._binder.report.check_ascii(path, "the path of a device tree node", statement.place)
                        found.append(LinkedObjectContext(kind, low, high, path, context, statement.place))
        found.sort(key=lambda c: (c.kind.value, c.low, c.high, c.path))
        self._check_overlaps(found)
        return tuple(found)

    def _check_overlaps(self, contexts: list[LinkedObjectContext]) -> None:
        """`contexts` are sorted; each is compared with the one before it that reaches furthest."""
        before: LinkedObjectContext | None = None
        for new in contexts:
            if before is None or before.kind is not new.kind:
                before = new
                continue
            tree = new.kind is ObjectContextKind.DEVICE_TREE
            if before.path == new.path if tree else new.low <= before.high:
                self._report_overlap(new.path if tree else f"{new.low:#x}", before, new)
            before = new if tree or new.high > before.high else before

    def _report_overlap(self, what: str, before: LinkedObjectContext, new: LinkedObjectContext) -> None:
        if before.place is not None and new.place is not None:
            note = declared_at("first labelled here", before.place)
            message = f"{what} has a label already"
            self._binder.report.error(new.place, "device-labelled-twice", message, notes=(note,))


def link_range_transitions(
    modules: Iterable[PolicyModule], binder: Binder, levels: Levels
) -> Iterator[LinkedRangeTransition]:
    """`range_transition` rules, for types only; each source, target and class has one range."""
    known: dict[tuple[int, int, int], LinkedRangeTransition] = {}
    for module in modules:
        for statement in module.others:
            if not isinstance(statement, RangeTransition):
                continue
            for new in _bind_range_transition(statement, module, binder, levels):
                first = known.setdefault((new.source, new.target, new.security_class), new)
                if first is new:
                    yield new
                elif first.range != new.range and first.place is not None:
                    note = declared_at("the other rule", first.place)
                    message = "this range transition contradicts another"
                    binder.report.error(statement.place, "conflicting-range-transition", message, notes=(note,))


def _bind_range_transition(
    statement: RangeTransition, module: PolicyModule, binder: Binder, levels: Levels
) -> Iterator[LinkedRangeTransition]:
    place = statement.place
    if not levels.mls:
        binder.report.error(place, "mls-disabled", "`range_transition` needs a policy with MLS", "link with --mls")
        return
    if any(names.star or names.complement for names in (statement.source, statement.target)):
        binder.report.error(place, "syntax-error", "`*` and `~` are allowed in neverallow rules only")
    sources = binder.type_set(statement.source, module, place, only_types=True)
    targets = binder.type_set(statement.target, module, place, only_types=True)
    range_ = levels.range(statement.range, place)
    for name in statement.classes:
        number = binder.class_number(name, place)
        if number is None or range_ is None:
            continue
        for source in bits(sources.types):
            for target in bits(targets.types):
                yield LinkedRangeTransition(source, target, number, range_, place)
