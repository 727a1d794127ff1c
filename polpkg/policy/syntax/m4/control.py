"""The builtins that define, choose and report: `define`, `ifelse`, `shift`, `dnl`, `errprint` and their like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.provenance import Text, TextBuilder
from polpkg.policy.syntax.m4.substitution import body_marks, join_quoted
from polpkg.policy.syntax.m4.table import Macro

if TYPE_CHECKING:
    from polpkg.policy.syntax.m4.invocation import Invocation


def define(call: Invocation) -> None:
    """`define(name, body)`: put a definition in the place of the one that counts."""
    macro = _new_macro(call)
    if macro:
        stacks = call.processor.stacks
        stacks[macro.name] = (*stacks.get(macro.name, ())[:-1], macro)


def push_definition(call: Invocation) -> None:
    """`pushdef(name, body)`: put a definition on top of the one that counts."""
    macro = _new_macro(call)
    if macro:
        stacks = call.processor.stacks
        stack = stacks.get(macro.name, ())
        call.processor.check_pushdefs(len(stack) + 1, call)
        stacks[macro.name] = (*stack, macro)


def _new_macro(call: Invocation) -> Macro | None:
    if not call.arguments:
        return None
    name = call.arguments[0]
    if name.macro:
        call.warn(f"{call.name}: invalid macro name ignored")
        return None
    owner = call.processor.owner
    if len(call) < 2:
        marks = ((0, call.level.source, call.offset if call.offset < 0 else ~call.offset, call.author),)
        return Macro.of_text(call[0], "", marks, owner)
    body = call.arguments[1]
    if body.macro:
        return replace(body.macro, name=call[0], owner=owner)
    return Macro.of_text(call[0], body.text.text, body_marks(body.text), owner)


def undefine(call: Invocation) -> None:
    """`undefine(name...)`: forget all definitions."""
    for name in call.texts():
        call.processor.stacks.pop(name, None)


def pop_definition(call: Invocation) -> None:
    """`popdef(name...)`: forget the definition that counts."""
    stacks = call.processor.stacks
    for name in call.texts():
        stack = stacks.pop(name, ())[:-1]
        if stack:
            stacks[name] = stack


def definition(call: Invocation) -> Text | None:
    """`defn(name...)`: the quoted bodies; or a builtin itself, to be given to `define`."""
    result = TextBuilder()
    fixed = call.offset if call.offset < 0 else ~call.offset
    for name in call.texts():
        macro = call.processor.macro(name)
        if macro is None:
            continue
        if macro.builtin or macro.native:
            if len(call) > 1:
                call.warn(f"cannot concatenate builtin `{name}'")
            else:
                call.processor.pass_macro(macro)
            continue
        result.put("`", call.level, fixed, call.author)
        result.put(macro.body, call.level, fixed, call.author)
        result.put("'", call.level, fixed, call.author)
        if result.length > call.limits.text:
            call.processor.fail_limit("text", call.level, call.offset)
    return Text(result.join(), result.marks) if result.length else None


def if_defined(call: Invocation) -> Text | None:
    """`ifdef(name, then, else)`."""
    if len(call) < 2:
        return None
    chosen = 1 if call[0] in call.processor.stacks else 2
    return call.arguments[chosen].text if chosen < len(call) else None


def if_else(call: Invocation) -> Text | None:
    """`ifelse(a, b, then, ...)`: several comparisons in a row, with an else at the end."""
    count = len(call)
    if count <= 1:
        return None
    if count < 3:
        call.warn("too few arguments to builtin `ifelse'")
        return None
    if count % 3 == 2:
        call.warn("excess arguments to builtin `ifelse' ignored")
    at = 0
    while call[at] != call[at + 1]:
        at += 3
        if count - at < 3:
            return call.arguments[at].text if at < count else None
    return call.arguments[at + 2].text


def shift(call: Invocation) -> Text | None:
    """`shift(a, b...)`: all but the first, quoted."""
    if len(call) < 2:
        return None
    fixed = call.offset if call.offset < 0 else ~call.offset
    return join_quoted(list(call.arguments[1:]), call.level, fixed, call.author)


def delete_to_newline(call: Invocation) -> None:
    """`dnl`: delete the rest of the line, its end included."""
    call.processor.skip_line(call)


def print_error(call: Invocation) -> None:
    """`errprint(text...)`: a message for the person who runs this."""
    call.processor.say(" ".join(call.texts()), call.level, call.offset)


def file_name(call: Invocation) -> str:
    """`__file__`: the file being read, quoted."""
    return f"`{call.processor.file}'"


def line_number(call: Invocation) -> str:
    """`__line__`: the line in the file being read."""
    return str(call.processor.line_at(call.root))
