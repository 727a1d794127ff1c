"""The kernel policy language: expanded text in, statements out, all syntax errors collected.

The grammar is checkpolicy's (`checkpolicy/policy_parse.y`, `policy_scan.l`) for the Xen target, without its demand for
an order of sections: the linker sorts, so a fragment may say things in the order that reads best
(`sections` holds a whole policy.conf to it).
"""

from polpkg.policy.syntax.te.lexer import PlainText
from polpkg.policy.syntax.te.parser import parse_te

__all__ = ["PlainText", "parse_te"]
