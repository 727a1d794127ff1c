from __future__ import annotations

import pytest

from polpkg.diagnostics import Frame, Place, Source
from polpkg.errors import PolicyError
from polpkg.policy.abi import load_abi
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.ir.statements import TypeDeclaration
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.link import linker as linker_module

PLACE = Place(Frame(Source("a.te", "type x;\n", "crowd", "1")), 1, 1)


def test_too_many_types_are_refused_before_any_rule_is_bound(monkeypatch):
    monkeypatch.setattr(linker_module, "link_rules", lambda *_: pytest.fail("bound rules"))
    few = PolicyModule("few", "1", (TypeDeclaration(PLACE, "few_t"),))
    crowd = PolicyModule("crowd", "1", tuple(TypeDeclaration(PLACE, f"g{n}_t") for n in range(65_535)))
    with pytest.raises(PolicyError) as raised:
        link([few, crowd], load_abi("4.17"), LinkOptions(complete=False))
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.code == "too-many-types"
    assert "65,536" in diagnostic.message
    assert "`crowd` declares 65,535" in diagnostic.notes[0].text


def test_as_many_types_as_there_is_room_for_are_linked():
    crowd = PolicyModule("crowd", "1", tuple(TypeDeclaration(PLACE, f"g{n}_t") for n in range(65_535)))
    assert len(link([crowd], load_abi("4.17"), LinkOptions(complete=False)).policy.types) == 65_535
