"""The linker: modules in, one `LinkedPolicy` out, or all that is wrong with them.

    collect      modules            -> SymbolTable   every declaration, its package and place; duplicates, ownership
    bind         names              -> numbers       `Binder`; unknown names, strict dependencies
    rules        AV and type rules  -> LinkedAvRule, LinkedTypeRule, LinkedConditional, LinkedNeverallow
    constraints  constraints        -> LinkedConstraint
    labels       users, contexts    -> UserSymbol, LinkedContext, LinkedObjectContext
    assertions   neverallow against allow
    xen          what checkpolicy takes and Xen refuses or ignores

The order of the passes is in `linker.link`.  Errors are collected over all of them; nothing depends on the order of
modules, except the order of rules, which is theirs.
"""

from polpkg.policy.link.linker import LinkOptions, LinkResult, link

__all__ = ["LinkOptions", "LinkResult", "link"]
