"""The macro processor: fragments in, expanded text out, every character with its macro stack.

It is GNU m4 1.4 (that program is the oracle in the tests) without its ways out: no commands, no files, no change of
syntax, and bounds on everything.  Text is taken as characters where GNU m4 counts bytes.
"""

from polpkg.policy.syntax.m4.expansion import Call, Expansion, Message, MessageKind
from polpkg.policy.syntax.m4.invocation import NativeError
from polpkg.policy.syntax.m4.limits import Limits
from polpkg.policy.syntax.m4.processor import expand
from polpkg.policy.syntax.m4.table import Builtin, Macro, MacroTable
from polpkg.policy.syntax.m4.trial import NotAlike, Trial

__all__ = [
    "Builtin", "Call", "Expansion", "Limits", "Macro", "MacroTable", "Message", "MessageKind", "NativeError",
    "NotAlike", "Trial", "expand",
]  # fmt: skip
