"""Pass `blocks`: optional blocks and tunables are decided, so that no later pass meets them.

As in libsepol (`enable_avrules` in `link.c`): all blocks are taken to hold, then those whose requirements nobody
declares are dropped until nothing changes, and each dropped one is replaced by its `else`.  A block inside another also
needs what the outer one requires.  Two blocks that need each other hold both.  A tunable has the value that it is
declared with (`discard_tunables` in `expand.c`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.ir.statements import BooleanDeclaration, BooleanOperator, Conditional, Optional, Require
from polpkg.policy.link.report import declared_at
from polpkg.policy.link.scopes import declarations, references

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.statements import BooleanExpression, Statement
    from polpkg.policy.link.report import Report
    from polpkg.policy.link.scopes import Name

_DECLARED_KINDS = frozenset(("type", "role", "user", "boolean"))
_DECLARED_ONCE = frozenset(("type", "boolean"))


class Resolved(NamedTuple):
    """Modules without optional blocks and tunables.

    `dropped` are statements of optional blocks that do not hold, whose names of types, roles and booleans have been
    looked at; `untaken` are the rules of the branches that tunables decide against, with their module.
    """

    modules: tuple[PolicyModule, ...]
    dropped: tuple[Statement, ...]
    untaken: tuple[PolicyModule, ...]


class _Pair(NamedTuple):
    """An optional block and its `else`."""

    first: _Block
    second: _Block | None


@dataclass(slots=True, eq=False)
class _Block:
    """A sequence of statements with a scope of its own; the outermost one, of a whole policy, has no parent."""

    parent: _Block | None
    statements: list[Statement | _Pair] = field(default_factory=list["Statement | _Pair"])
    declared: set[Name] = field(default_factory=set["Name"])
    required: set[Name] = field(default_factory=set["Name"])
    holds: bool = True

    def sees(self, name: Name) -> bool:
        """Whether `name` is declared or required here or in a block around this one."""
        return name in self.declared or name in self.required or (self.parent is not None and self.parent.sees(name))

    def needs(self) -> set[Name]:
        """What must be declared for this block to hold."""
        return self.required | self.parent.needs() if self.parent else set()


def resolve_blocks(modules: Sequence[PolicyModule], report: Report) -> Resolved:
    """Decides what holds.

    Reports names that are used where no declaration or `require` reaches, and names declared twice.
    """
    dropped: tuple[Statement, ...] = ()
    if any(isinstance(s, Optional) for m in modules for s in m.others):
        optionals = _Optionals(report)
        modules = optionals.resolve(modules)
        dropped = optionals.dropped()
    return _resolve_tunables(modules, dropped, report)


class _Optionals:
    """The blocks of all modules."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._everywhere = _Block(None)
        self._pairs: list[_Pair] = []
        self._known: set[Name] = set()

    def resolve(self, modules: Sequence[PolicyModule]) -> tuple[PolicyModule, ...]:
        """The modules with the statements of the blocks that hold."""
        outer = [self._read(m.statements, None) for m in modules]
        for block in outer:
            self._everywhere.declared |= block.declared
            block.parent = self._everywhere
        self._decide()
        blocks = (*outer, *(b for pair in self._pairs for b in pair if b is not None))
        for block in blocks:
            self._check_scope(block)
        self._check_duplicates(blocks)
        return tuple(replace(m, statements=tuple(self._kept(block))) for m, block in zip(modules, outer, strict=True))

    def dropped(self) -> tuple[Statement, ...]:
        """The statements of the blocks that do not hold."""
        blocks = [block for pair in self._pairs for block in pair if block is not None and not block.holds]
        return tuple(s for block in blocks for s in block.statements if not isinstance(s, _Pair))

    def _read(self, statements: Iterable[Statement], parent: _Block | None) -> _Block:
        block = _Block(parent)
        for statement in statements:
            if isinstance(statement, Optional):
                first = self._read(statement.body, block)
                second = self._read(statement.otherwise, block) if statement.otherwise else None
                pair = _Pair(first, second)
                block.statements.append(pair)
                self._pairs.append(pair)
                continue
            block.statements.append(statement)
            block.declared.update(declarations(statement))
            if isinstance(statement, Require):
                block.required.update(_required(statement))
        self._known |= block.declared
        return block

    def _decide(self) -> None:
        """Finds out which blocks hold."""
        for _, second in self._pairs:
            if second is not None:
                second.holds = False
                self._refuse_declarations(second)
        missing = True
        while missing:
            declared = self._everywhere.declared.union(*(b.declared for b, _ in self._pairs if b.holds))
            missing = False
            for block, _ in self._pairs:
                if block.holds and not block.needs() <= declared:
                    block.holds = False
                    missing = True
        for block, second in self._pairs:
            if second is not None:
                second.holds = not block.holds

    def _refuse_declarations(self, block: _Block) -> None:
        """As checkpolicy, which lets an `else` block declare and require nothing (`is_creation_allowed`)."""
        for statement in block.statements:
            if isinstance(statement, _Pair):
                continue
            word = "require" if isinstance(statement, Require) else "declare"
            if word == "require" or any(declarations(statement)):
                message = f"an `else` block cannot {word} anything"
                self._report.error(
                    statement.place, "declared-in-else", message, f"{word} it in an optional block inside the `else`"
                )

    def _check_scope(self, block: _Block) -> None:
        """Reports names that exist and cannot be seen, and in a block that is dropped also those that do not exist."""
        for statement in block.statements:
            if isinstance(statement, _Pair):
                continue
            for kind, name in references(statement):
                if not block.sees((kind, name)) and ((kind, name) in self._known or not block.holds):
                    message = f"{kind} `{name}` is declared in an optional block, and not required here"
                    if (kind, name) not in self._known:
                        message = f"{kind} `{name}` is neither declared nor required"
                    hint = "say so in the block that uses it: require { ... }"
                    self._report.error(statement.place, f"unknown-{kind}", message, hint, word=name)

    def _check_duplicates(self, blocks: Iterable[_Block]) -> None:
        """Reports what is declared twice, once in a block that is dropped: no later pass sees that."""
        first: dict[Name, tuple[Place, bool]] = {}
        for block in blocks:
            for statement in block.statements:
                if isinstance(statement, _Pair):
                    continue
                for kind, name in declarations(statement):
                    place, holds = first.setdefault((kind, name), (statement.place, block.holds))
                    if place is not statement.place and kind in _DECLARED_ONCE and not (holds and block.holds):
                        message = f"{kind} `{name}` is declared in two blocks"
                        note = declared_at("first declared here", place)
                        self._report.error(statement.place, "duplicate-symbol", message, notes=(note,), word=name)

    def _kept(self, block: _Block) -> Iterator[Statement]:
        """The statements of a block, then of those in it; a block that is dropped may have one in it that holds.

        In the order in which libsepol has them, so that a condition is spelt as there when it comes in two spellings.
        """
        if block.holds:
            yield from (statement for statement in block.statements if not isinstance(statement, _Pair))
        for pair in block.statements:
            if isinstance(pair, _Pair):
                for inner in pair:
                    if inner is not None:
                        yield from self._kept(inner)


def _required(statement: Require) -> Iterator[Name]:
    for kind, name in statement.symbols:
        known = {"attribute": "type", "attribute_role": "role", "bool": "boolean", "tunable": "boolean"}.get(kind, kind)
        if known in _DECLARED_KINDS:
            yield known, name


def _resolve_tunables(modules: Sequence[PolicyModule], dropped: tuple[Statement, ...], report: Report) -> Resolved:
    values = {s.name: s.default for m in modules for s in m.others if isinstance(s, BooleanDeclaration) and s.tunable}
    if not values:
        return Resolved(tuple(modules), dropped, ())
    kept: list[PolicyModule] = []
    untaken: list[PolicyModule] = []
    for module in modules:
        others: list[Statement] = []
        kept.append(replace(module, statements=tuple(_without_tunables(module.statements, values, others, report))))
        untaken.append(replace(module, statements=tuple(others)))
    return Resolved(tuple(kept), dropped, tuple(untaken))


def _without_tunables(
    statements: Iterable[Statement], values: dict[str, bool], others: list[Statement], report: Report
) -> Iterator[Statement]:
    """`statements` with the branches that tunables decide for; the other branches go to `others`."""
    for statement in statements:
        if not isinstance(statement, Conditional):
            yield statement
            continue
        names = [word for word in statement.expression if isinstance(word, str)]
        tunable = [name for name in names if name in values]
        if not tunable:
            yield statement
        elif len(tunable) < len(names):
            message = "a condition is about tunables or about booleans, not about both"
            report.error(statement.place, "mixed-condition", message, "nest nothing: write two conditions")
        else:
            taken, other = statement.then, statement.otherwise
            if not _evaluate(statement.expression, values):
                taken, other = other, taken
            others += other
            yield from taken


def _evaluate(expression: BooleanExpression, values: dict[str, bool]) -> bool:
    stack: list[bool] = []
    for word in expression:
        if not isinstance(word, BooleanOperator):
            stack.append(values[word])
            continue
        right = stack.pop()
        stack.append(not right if word is BooleanOperator.NOT else _combine(word, stack.pop(), right))
    return stack[-1]


def _combine(operator: BooleanOperator, left: bool, right: bool) -> bool:  # noqa: FBT001 - the values are all there is
    match operator:
        case BooleanOperator.OR:
            return left or right
        case BooleanOperator.AND:
            return left and right
        case BooleanOperator.EQ:
            return left == right
        case _:
            return left != right
