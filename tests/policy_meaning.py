"""What a compiled policy grants, with booleans as they may be set: for comparing compilers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.policydb import lift


def differences(left, right):
    """How two policydbs differ that were read: in words, and empty when they mean the same.

    Conditional rules are compared by when they hold, not by how their conditions are written.
    """
    bare = [replace(policy, conditionals=()) for policy in (left, right)]
    found = [f"{d.component}: {d.text}" for d in explain_differences(*bare) if not d.rule]
    one, other = meaning(lift(left)), meaning(lift(right))
    changed = (key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key))
    return found + [f"rule: {key} holds in {one.get(key, 0):b} and {other.get(key, 0):b}" for key in changed]


def meaning(policy):
    """Every rule with attributes expanded, and a bit for each setting of the booleans in which it holds."""
    found = {}
    settings = list(product((False, True), repeat=len(policy.booleans)))
    always = (1 << len(settings)) - 1
    for rule in (*policy.rules, *policy.type_rules):
        _add(policy, rule, always, found)
    for conditional in policy.conditionals:
        holds = sum(1 << n for n, setting in enumerate(settings) if _value(conditional.expression, setting))
        for rules, when in ((conditional.then, holds), (conditional.otherwise, always & ~holds)):
            for rule in rules:
                _add(policy, rule, when, found)
    return {key: when for key, when in found.items() if when}


def _add(policy, rule, when, found):
    names = policy.types
    whats = bits(rule.permissions) if isinstance(rule, LinkedAvRule) else (names[rule.result].name,)
    for what in whats:
        for source in bits(policy.expand(rule.source)):
            for target in bits(policy.expand(rule.target)):
                key = (rule.kind.name, names[source].name, names[target].name, rule.security_class, str(what))
                found[key] = found.get(key, 0) | when


def _value(expression, setting):
    stack = []
    for word in expression:
        if not isinstance(word, BooleanOperator):
            stack.append(setting[word])
        elif word is BooleanOperator.NOT:
            stack.append(not stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(
                {
                    BooleanOperator.AND: left and right,
                    BooleanOperator.OR: left or right,
                    BooleanOperator.XOR: left != right,
                    BooleanOperator.EQ: left == right,
                    BooleanOperator.NEQ: left != right,
                }[word]
            )
    return stack[0]
