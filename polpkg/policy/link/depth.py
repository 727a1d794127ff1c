"""How deep expressions may be: the hypervisor evaluates them on stacks of a fixed size.

The sizes are CEXPR_MAXDEPTH and COND_EXPR_MAXDEPTH (xen/xsm/flask/ss/constraint.h, conditional.h); checkpolicy has the
same.  A constraint that is too deep makes Xen refuse the policy, a condition that is too deep is never true.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

DEEPEST_CONSTRAINT = 5
DEEPEST_CONDITION = 10


def stack_height(expression: Iterable[object], unary: Collection[object]) -> int:
    """How many values a postfix expression needs at once; operators are enum members, those in `unary` take one."""
    height = highest = 0
    for word in expression:
        if not isinstance(word, Enum):
            height += 1
        elif word not in unary:
            height -= 1
        highest = max(highest, height)
    return highest
