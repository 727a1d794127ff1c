"""Assertions over large sets of types, which the emitters shorten, mean the same to checkpolicy and secilc."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from polpkg.errors import PolicyError
from polpkg.policy.abi import load_abi
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.ir.linked import (
    LinkedAvRule,
    LinkedContext,
    LinkedNeverallow,
    LinkedPolicy,
    RoleSymbol,
    TypeSymbol,
    UserSymbol,
)
from polpkg.policy.ir.statements import AvKind

GUESTS = 60
CLASS, PERMISSION = 1, 1


def policy(sources: int, targets: int, source: int, target: int) -> LinkedPolicy:
    """One assertion and one rule among many types, two thirds of which have an attribute (number 0)."""
    members = sum(1 << number for number in range(1, GUESTS + 1) if number % 3)
    every = (1 << GUESTS + 1) - 2
    abi = load_abi("4.17")
    return LinkedPolicy(
        abi=abi,
        types=(TypeSymbol("all_guests", True, (), members), *(TypeSymbol(f"g{n:03}_t") for n in range(1, GUESTS + 1))),
        roles=(RoleSymbol("object_r", 0), RoleSymbol("system_r", every)),
        users=(UserSymbol("system_u", 2),),
        booleans=(),
        rules=(LinkedAvRule(AvKind.ALLOW, source, target, CLASS, PERMISSION),),
        type_rules=(),
        conditionals=(),
        neverallows=(LinkedNeverallow(sources, targets, False, CLASS, PERMISSION, None, ""),),
        constraints=(),
        initial_sids=tuple(LinkedContext(0, 1, 1) for _ in abi.initial_sids),
        object_contexts=(),
    )


def accepts(backend: str, wanted: LinkedPolicy) -> bool:
    from polpkg.policy.backends.checkpolicy import CheckpolicyBackend
    from polpkg.policy.backends.secilc import SecilcBackend

    chosen = {"checkpolicy": CheckpolicyBackend, "secilc": SecilcBackend}[backend]()
    try:
        chosen.compile(wanted, CompileOptions(neverallows=True))
    except PolicyError:
        return False
    return True


MEMBERS = sum(1 << number for number in range(1, GUESTS + 1) if number % 3)
EVERY = (1 << GUESTS + 1) - 2
SETS = {
    "attribute": MEMBERS,
    "attribute and more": MEMBERS | 1 << 3,
    "attribute without some": MEMBERS & ~(1 << 1 | 1 << 2),
    "both": (MEMBERS | 1 << 3 | 1 << 6) & ~(1 << 1),
    "all but one": EVERY & ~(1 << 5),
}


@pytest.mark.interop
@pytest.mark.parametrize("backend", ["checkpolicy", "secilc"])
@pytest.mark.parametrize("name", SETS)
def test_shortened_sets_hold_the_same_types(backend, name):
    if not shutil.which(backend):
        pytest.skip(f"needs {backend}")
    chosen = SETS[name]
    for number in (1, 2, 3, 4, 5, 6, 9, GUESTS):
        broken = bool(chosen >> number & 1)
        assert accepts(backend, policy(chosen, 1 << 60, number, 60)) is not broken, number
        assert accepts(backend, policy(1 << 60, chosen, 60, number)) is not broken, number


@pytest.mark.parametrize("emit", [emit_conf, emit_cil])
def test_assertions_about_nearly_all_types_are_short(emit):
    small = policy(SETS["both"], SETS["attribute without some"], 60, 60)
    text = emit(small)
    assert len(text) - len(emit(replace(small, neverallows=()))) < 500
