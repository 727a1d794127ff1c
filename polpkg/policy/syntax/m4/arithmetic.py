"""`eval`, `incr` and `decr`: 32-bit arithmetic as GNU m4 1.4.19 does it.

Overflow wraps.  What is wrong with an expression is a warning, and the result is empty: m4 carries on, so do we.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.policy.syntax.m4.invocation import Invocation

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER = re.compile(r"([ \t\n\v\f\r]*)([+-]?[0-9]+)")
_BLANKS = " \t\n\v\f\r"


def wrap(value: int) -> int:
    """`value` as a signed 32-bit number."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def _clamp_long(value: int) -> int:
    return max(min(value, 2**63 - 1), -(2**63))


def read_number(call: Invocation, text: str) -> int | None:
    """The number that an argument is; None, with a warning, when it is none."""
    if not text:
        call.warn(f"empty string treated as 0 in builtin `{call.name}'")
        return 0
    found = _NUMBER.fullmatch(text)
    if not found:
        call.warn(f"non-numeric argument to builtin `{call.name}'")
        return None
    if found[1]:
        call.warn(f"leading whitespace ignored in builtin `{call.name}'")
    value = read_digits(found[2])
    if value != wrap(value):
        call.warn(f"numeric overflow detected in builtin `{call.name}'")
    return wrap(value)


def read_digits(digits: str) -> int:
    """Decimal digits with a sign, as C's strtol reads them into 64 bits."""
    sign, rest = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    rest = rest.lstrip("0")
    return _clamp_long(sign * int(rest[:20] or "0") if len(rest) <= 20 else sign * 2**64)


def increment(call: Invocation) -> str:
    """`incr(number)`."""
    return _add(call, 1)


def decrement(call: Invocation) -> str:
    """`decr(number)`."""
    return _add(call, -1)


def _add(call: Invocation, step: int) -> str:
    value = read_number(call, call[0]) if call.arguments else None
    return "" if value is None else str(wrap(value + step))


def evaluate(call: Invocation) -> str:
    """`eval(expression, radix, width)`."""
    if not call.arguments:
        return ""
    radix = width = None
    if call[1]:
        radix = read_number(call, call[1])
        if radix is None:
            return ""
    radix = 10 if radix is None else radix
    if not 1 <= radix <= 36:
        call.warn(f"radix {radix} in builtin `eval' out of range")
        return ""
    width = read_number(call, call[2]) if len(call) > 2 else 1
    if width is None:
        return ""
    if width < 0:
        call.warn("negative width to builtin `eval'")
        return ""
    return _render(call, radix, width)


def _render(call: Invocation, radix: int, width: int) -> str:
    text = call[0]
    if not text:
        call.warn("empty string treated as 0 in builtin `eval'")
        value: int | None = 0
    else:
        value = evaluate_expression(call, text)
    if value is None:
        return ""
    if max(width, abs(value) if radix == 1 else 0) > call.limits.text:
        call.processor.fail_limit("text", call.level, call.offset)
    digits = _in_radix(abs(value), radix).rjust(width, "0")
    return f"-{digits}" if value < 0 else digits


def _in_radix(value: int, radix: int) -> str:
    if radix == 1:
        return "1" * value
    digits = ""
    while value or not digits:
        value, digit = divmod(value, radix)
        digits = _DIGITS[digit] + digits
    return digits


# -- expressions


class Fault(Enum):
    """What can be wrong with an expression: the text that GNU m4 warns with."""

    DIVIDE = "divide by zero in eval"
    MODULO = "modulo by zero in eval"
    EXPONENT = "negative exponent in eval"
    SYNTAX = "bad expression in eval"
    UNCLOSED = "bad expression in eval (missing right parenthesis)"
    INPUT = "bad expression in eval (bad input)"
    EXCESS = "bad expression in eval (excess input)"
    OPERATOR = "invalid operator in eval"


_MILD = frozenset({Fault.DIVIDE, Fault.MODULO, Fault.EXPONENT})
"""Faults that do not count on the side of `&&` or `||` that does not matter."""


class _FaultError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def evaluate_expression(call: Invocation, text: str) -> int | None:
    """The value of `text`; None, with a warning, when it has none."""
    call.processor.spend(len(text) // 2, call.level, call.offset)
    parser = _Parser(call, text)
    try:
        return parser.parse()
    except _FaultError as error:
        call.warn(f"{error.fault.value}: {text}")
        return None


_TOKEN = re.compile(
    r"0[xX]([0-9a-fA-F]*)|0[bB]([01]*)|0[rR]([0-9]+):([0-9a-zA-Z]*)|([0-9]+)"
    r"|(<<=|>>=|\+\+|--|\*\*|<<|<=|>>|>=|==|!=|&&|\|\||[+\-*/%&|^]=|[()+\-*/%<>=&^|!~])"
)


class _Parser:
    """Precedence climbing over the tokens of one expression."""

    def __init__(self, call: Invocation, text: str) -> None:
        self._call = call
        self._text = text
        self._position = 0
        self._next: str | int | Fault | None = None
        self._depth = 0

    def parse(self) -> int:
        self._advance()
        value = self._binary(0)
        if isinstance(self._next, Fault):
            raise _FaultError(self._next)
        if self._next is not None:
            raise _FaultError(Fault.OPERATOR if self._next in _INVALID else Fault.EXCESS)
        return value

    def _advance(self) -> None:
        text, at = self._text, self._position
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        self._position = at
        if at == len(text):
            self._next = None
            return
        found = _TOKEN.match(text, at)
        if not found:
            self._next = Fault.SYNTAX if text[at].isalpha() else Fault.INPUT
            return
        self._position = found.end()
        self._next = found[6] or self._number(found)

    def _number(self, found: re.Match[str]) -> int | Fault:
        hexadecimal, binary, radix, digits, plain = found.groups()[:5]
        if hexadecimal is not None:
            return _horner(hexadecimal.lower(), 16)
        if binary is not None:
            return _horner(binary, 2)
        if plain is None:
            return self._radix_number(int(radix.lstrip("0")[:4] or 0), digits.lower())
        return self._plain_number(plain)

    def _plain_number(self, digits: str) -> int:
        octal = digits[0] == "0" and len(digits) > 1
        stop = next((n for n, digit in enumerate(digits) if digit > "7"), len(digits)) if octal else len(digits)
        self._position -= len(digits) - stop
        return _horner(digits[:stop], 8 if octal else 10)

    def _radix_number(self, radix: int, digits: str) -> int | Fault:
        if not 1 <= radix <= 36:
            return Fault.SYNTAX
        if radix == 1:
            rest = digits.lstrip("0").lstrip("1")
            self._position -= len(rest)
            return wrap(digits[: len(digits) - len(rest)].count("1"))
        stop = next((n for n, digit in enumerate(digits) if _DIGITS.index(digit) >= radix), len(digits))
        self._position -= len(digits) - stop
        return _horner(digits[:stop], radix)

    def _binary(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._power()
        value = self._binary(level + 1)
        operators = _LEVELS[level]
        while isinstance(self._next, str) and self._next in operators:
            operator = self._next
            self._advance()
            if operator in ("&&", "||"):
                value = self._logical(operator, value, level)
            else:
                value = self._apply(operator, value, self._binary(level + 1))
        return value

    def _logical(self, operator: str, left: int, level: int) -> int:
        try:
            right = self._binary(level + 1)
        except _FaultError as error:
            if error.fault in _MILD and bool(left) == (operator == "||"):
                return int(operator == "||")
            raise
        return int(bool(left and right) if operator == "&&" else bool(left or right))

    def _apply(self, operator: str, left: int, right: int) -> int:
        if operator == "=":
            self._call.warn("recommend ==, not =, for equality operator")
        return _OPERATIONS[operator](left, right)

    def _power(self) -> int:
        base = self._unary()
        if self._next != "**":
            return base
        self._enter()
        self._advance()
        exponent = self._power()
        self._depth -= 1
        if exponent < 0:
            raise _FaultError(Fault.EXPONENT)
        if base == 0 == exponent:
            raise _FaultError(Fault.DIVIDE)
        return wrap(pow(base, exponent, 1 << 32))

    def _unary(self) -> int:
        signs: list[str] = []
        while isinstance(self._next, str) and self._next in _UNARY:
            signs.append(self._next)
            self._advance()
        value = self._primary()
        for sign in reversed(signs):
            value = _UNARY[sign](value)
        return value

    def _primary(self) -> int:
        found = self._next
        if isinstance(found, Fault):
            raise _FaultError(found)
        if isinstance(found, int):
            self._advance()
            return found
        if found != "(":
            raise _FaultError(Fault.OPERATOR if found in _INVALID else Fault.SYNTAX)
        self._enter()
        self._advance()
        value = self._binary(0)
        self._depth -= 1
        if isinstance(self._next, Fault):
            raise _FaultError(self._next)
        if self._next != ")":
            raise _FaultError(Fault.UNCLOSED)
        self._advance()
        return value

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > self._call.limits.eval_nesting:
            self._call.processor.fail_limit("eval_nesting", self._call.level, self._call.offset)


def _horner(digits: str, radix: int) -> int:
    value = 0
    for digit in digits:
        value = (value * radix + _DIGITS.index(digit)) & 0xFFFFFFFF
    return wrap(value)


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise _FaultError(Fault.DIVIDE)
    return wrap(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise _FaultError(Fault.MODULO)
    return wrap(abs(left) % abs(right) * (-1 if left < 0 else 1))


_INVALID = frozenset({"++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})
_LEVELS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split()) for names in ("||", "&&", "|", "^", "&", "== = !=", "< <= > >=", "<< >>", "+ -", "* / %")
)
_UNARY: dict[str, Callable[[int], int]] = {
    "+": lambda value: value,
    "-": lambda value: wrap(-value),
    "~": lambda value: ~value,
    "!": lambda value: int(not value),
}
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "=": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: wrap(a << (b & 31)),
    ">>": lambda a, b: a >> (b & 31),
    "+": lambda a, b: wrap(a + b),
    "-": lambda a, b: wrap(a - b),
    "*": lambda a, b: wrap(a * b),
    "/": _divide,
    "%": _modulo,
}
