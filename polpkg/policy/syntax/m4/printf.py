"""`format`: printf as GNU m4 1.4.19 does it, with widths and precisions that are bounded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.arithmetic import read_digits, wrap

if TYPE_CHECKING:
    from polpkg.policy.syntax.m4.invocation import Invocation

_DIRECTIVE = re.compile(r"%(?:%|([-+ 0#']*)(\*|[0-9]*)(\.(?:\*|-?[0-9]*))?(hh|h|l)?(.?))", re.DOTALL)
_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_FLOAT = re.compile(r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_KNOWN = frozenset("cdiouxXsaAeEfFgG")
_REFUSED_WITH = {"'": "aAceEosxX", "+": "cosuxX", " ": "cosuxX", "0": "cs", "#": "cdisu", "-": ""}
_BITS = {"hh": 8, "h": 16, "l": 64, None: 32}


def format_arguments(call: Invocation) -> str:
    """`format(format, argument...)`; `%a` is refused, no policy needs it."""
    return _Formatter(call).run() if call.arguments else ""


class _Formatter:
    """One call: hands out the arguments in turn."""

    def __init__(self, call: Invocation) -> None:
        self._call = call
        self._next = 1
        self._size = 0
        self._valid = True

    def run(self) -> str:
        text = _DIRECTIVE.sub(self._directive, self._call[0])
        if self._valid and self._next < len(self._call):
            self._call.warn("excess arguments to builtin `format' ignored")
        return text

    def _argument(self) -> str | None:
        self._next += 1
        return self._call[self._next - 1] if self._next <= len(self._call) else None

    def _directive(self, found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        flags, width_text, precision_text, size, kind = found.groups()
        width = self._integer(32) if width_text == "*" else int(width_text[:9] or 0)
        if width < 0:
            flags, width = flags + "-", -width
        precision = self._precision(precision_text)
        if not self._accepts(flags, precision_text, size, kind):
            self._call.warn(f"unrecognized specifier in `{self._call[0]}'")
            self._valid = False
            return ""
        self._bound(max(width, precision or 0))
        text = self._convert(kind, flags, precision, size)
        if "0" in flags and "-" not in flags and kind not in "cs" and not (precision is not None and kind in "diouxX"):
            text = _pad_zeros(text, width)
        return text.ljust(width) if "-" in flags else text.rjust(width)

    def _precision(self, text: str | None) -> int | None:
        if text is None:
            return None
        value = self._integer(32) if text == ".*" else int(text[1:10].strip("-") or 0)
        return None if value < 0 or text.startswith(".-") else value

    def _accepts(self, flags: str, precision: str | None, size: str | None, kind: str) -> bool:
        if kind not in _KNOWN or not kind or any(kind in _REFUSED_WITH[flag] for flag in flags):
            return False
        if kind == "c" and precision is not None:
            return False
        return not (size and kind in ("cs" if size == "l" else "aAceEfFgGs"))

    def _bound(self, size: int) -> None:
        self._size += size
        if self._size > self._call.limits.text:
            self._call.processor.fail_limit("text", self._call.level, self._call.offset)

    def _convert(self, kind: str, flags: str, precision: int | None, size: str | None) -> str:
        if kind == "c":
            code = self._integer(32) & 0xFF
            return chr(code) if code else ""
        if kind == "s":
            text = self._argument() or ""
            self._bound(len(text))
            return text[:precision]
        if kind in "aA":
            raise self._call.error("m4-unsupported-format", "format: hexadecimal floating point is not supported")
        if kind in "eEfFgG":
            return self._floating(kind, flags, precision)
        return self._whole(kind, flags, precision, _BITS[size])

    def _integer(self, bits: int) -> int:
        text = self._argument()
        if text is None:
            return 0
        if not text:
            self._call.warn("empty string treated as 0")
            return 0
        found = _INTEGER.match(text)
        if not found or found.end() < len(text):
            self._call.warn(f"non-numeric argument {text}")
        value = read_digits(found[1]) if found else 0
        return value if bits == 64 else wrap(value)

    def _whole(self, kind: str, flags: str, precision: int | None, bits: int) -> str:
        value = self._integer(bits) & ((1 << bits) - 1)
        if kind in "di":
            value -= (value >> (bits - 1)) << bits
        digits = f"{abs(value):{kind if kind in 'oxX' else 'd'}}"
        if precision is not None:
            digits = "" if value == 0 == precision else digits.rjust(precision, "0")
        prefix = ""
        if "#" in flags:
            if kind == "o" and not digits.startswith("0"):
                digits = "0" + digits
            prefix = f"0{kind}" if kind in "xX" and value else ""
        sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
        return f"{sign}{prefix}{digits}"

    def _floating(self, kind: str, flags: str, precision: int | None) -> str:
        text = self._argument()
        value = 0.0
        if text:
            found = _FLOAT.match(text)
            if not found or found.end() < len(text):
                self._call.warn(f"non-numeric argument {text}")
            value = float(found[1]) if found else 0.0
        sign = "+" if "+" in flags else " " if " " in flags else ""
        alternate = "#" if "#" in flags else ""
        return f"{value:{sign}{alternate}.{6 if precision is None else precision}{kind}}"


def _pad_zeros(text: str, width: int) -> str:
    """Zeros after the sign and the `0x`, up to `width`; infinities are padded with blanks."""
    if not text[-1:].isalnum() or "n" in text.lower():
        return text
    head = re.match(r"[-+ ]?(?:0[xX])?", text)
    cut = head.end() if head else 0
    return text[:cut] + text[cut:].rjust(width - cut, "0")
