"""Statements as text again: the dump of modules, for people and for golden files."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from polpkg.policy.ir.statements import (
    AvRule,
    BooleanDeclaration,
    BooleanOperator,
    Conditional,
    ConstraintConnective,
    ConstraintTerm,
    NamedTransition,
    NameSet,
    ObjectContext,
    Optional,
    Statement,
    TypeDeclaration,
    TypeRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule


def render_modules(modules: Iterable[PolicyModule]) -> str:
    """Every statement on a line of its own, with its origin behind it, by module."""
    return "\n".join(line for module in modules for line in _module_lines(module)) + "\n"


def _module_lines(module: PolicyModule) -> Iterator[str]:
    yield f"# {module.package} {module.version}"
    for statement in module.statements:
        yield f"{render_statement(statement)}  # {_trail(statement.place)}"


def _trail(place: Place) -> str:
    origin = place.origin()
    return " > ".join([f"{origin.file}:{origin.line}", *(f"{m.name} ({m.file}:{m.line})" for m in origin.macros)])


def render_statement(statement: Statement) -> str:
    """One statement, in a form close to the policy language that names every field in order."""
    match statement:
        case AvRule(_, kind, source, target, classes, permissions):
            return f"{kind.name.lower()} {source} {target}:{NameSet(classes)} {permissions};"
        case TypeRule(_, kind, source, target, classes, result):
            return f"{kind.name.lower()} {source} {target}:{NameSet(classes)} {result};"
        case NamedTransition(_, source, target, classes, result, name):
            return f'type_transition {source} {target}:{NameSet(classes)} {result} "{name}";'
        case TypeDeclaration(_, name, aliases, attributes):
            alias = f" alias {NameSet(aliases)}" if aliases else ""
            return f"type {name}{alias}{''.join(f', {a}' for a in attributes)};"
        case Conditional(_, expression, then, otherwise):
            branches = [" ".join(map(render_statement, branch)) for branch in (then, otherwise)]
            condition = " ".join(w.name if isinstance(w, BooleanOperator) else w for w in expression)
            return f"if [{condition}] {{ {branches[0]} }} else {{ {branches[1]} }}"
        case BooleanDeclaration(_, name, default, tunable):
            return f"{'tunable' if tunable else 'bool'} {name} {'true' if default else 'false'};"
        case Optional(_, body, otherwise):
            blocks = [" ".join(map(render_statement, block)) for block in (body, otherwise)]
            return f"optional {{ {blocks[0]} }}" + (f" else {{ {blocks[1]} }}" if otherwise else "")
        case ObjectContext(_, kind, low, high, path, context):
            return f"{kind.name.lower()} {path or f'{low:#x}-{high:#x}'} {_word(context)}"
        case _:
            words = [_word(value) for name, value in zip(statement._fields, statement, strict=True) if name != "place"]
            return " ".join([type(statement).__name__, *(word for word in words if word)])


def _word(value: object) -> str:
    match value:
        case NameSet():
            return str(value) if value != NameSet() else ""
        case ConstraintTerm(left, operator, right):
            return f"({left} {operator.name} {right})"
        case ConstraintConnective():
            return value.name
        case tuple():
            words = cast("tuple[object, ...]", value)
            return "[" + " ".join(map(_word, words)) + "]" if words else ""
        case None:
            return ""
        case _:
            return str(value)
