"""The table of builtins, with the arities and the recognition rules of GNU m4 1.4.19."""

from __future__ import annotations

from polpkg.policy.syntax.m4 import arithmetic, control, printf, strings
from polpkg.policy.syntax.m4.table import Builtin

_SUPPORTED = (
    Builtin("__file__", control.file_name, 0, 0, blind=False),
    Builtin("__line__", control.line_number, 0, 0, blind=False),
    Builtin("decr", arithmetic.decrement, 1, 1),
    Builtin("define", control.define, 1, 2, takes_builtins=True),
    Builtin("defn", control.definition, 1),
    Builtin("dnl", control.delete_to_newline, 0, 0, blind=False),
    Builtin("errprint", control.print_error, 1),
    Builtin("eval", arithmetic.evaluate, 1, 3),
    Builtin("format", printf.format_arguments, 1),
    Builtin("ifdef", control.if_defined, 2, 3),
    Builtin("ifelse", control.if_else),
    Builtin("incr", arithmetic.increment, 1, 1),
    Builtin("index", strings.index, 2, 2),
    Builtin("len", strings.length, 1, 1),
    Builtin("patsubst", strings.substitute_pattern, 2, 3),
    Builtin("popdef", control.pop_definition, 1),
    Builtin("pushdef", control.push_definition, 1, 2, takes_builtins=True),
    Builtin("regexp", strings.find_pattern, 2, 3),
    Builtin("shift", control.shift, 1),
    Builtin("substr", strings.substring, 2, 3),
    Builtin("translit", strings.transliterate, 2, 3),
    Builtin("undefine", control.undefine, 1),
)

# Builtins that reach outside of the fragment, change m4's own syntax, or belong to its debugger.
_REFUSED_WITH_ARGUMENTS = (
    "builtin",
    "changeword",
    "esyscmd",
    "include",
    "indir",
    "m4wrap",
    "maketemp",
    "mkstemp",
    "sinclude",
    "syscmd",
)
_REFUSED_ANYWHERE = (
    "__gnu__", "__program__", "__unix__", "changecom", "changequote", "debugfile", "debugmode", "divert", "divnum",
    "dumpdef", "m4exit", "sysval", "traceoff", "traceon", "undivert",
)  # fmt: skip

BUILTINS: tuple[Builtin, ...] = (
    *_SUPPORTED,
    *(Builtin(name, None) for name in _REFUSED_WITH_ARGUMENTS),
    *(Builtin(name, None, blind=False) for name in _REFUSED_ANYWHERE),
)
