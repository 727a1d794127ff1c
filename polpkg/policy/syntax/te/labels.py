"""Statements about levels and the labels of devices, one small method each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import (
    CategoryDeclaration,
    Dominance,
    LevelDeclaration,
    ObjectContext,
    ObjectContextKind,
    SensitivityDeclaration,
    Statement,
)
from polpkg.policy.syntax.te.cursor import Cursor, SyntaxProblem

if TYPE_CHECKING:
    from polpkg.diagnostics import Place

_UINT32 = 0xFFFFFFFF
_UINT64 = 0xFFFFFFFFFFFFFFFF


class LabelStatements(Cursor):
    """A method for each word that begins such a statement; the cursor stands behind it."""

    __slots__ = ()

    # Multi-level security

    def sensitivity(self, place: Place) -> Statement:
        """`sensitivity S alias ...;`"""
        name = self.read_name("a sensitivity")
        aliases = self.read_aliases()
        self.end()
        return SensitivityDeclaration(place, name, aliases)

    def category(self, place: Place) -> Statement:
        """`category C alias ...;`"""
        name = self.read_name("a category")
        aliases = self.read_aliases()
        self.end()
        return CategoryDeclaration(place, name, aliases)

    def dominance(self, place: Place) -> Statement:
        """`dominance { S ... }`"""
        return Dominance(place, self.read_name_block() if self.word == "{" else (self.read_name(),))

    def level(self, place: Place) -> Statement:
        """`level S:C;`"""
        level = self.read_level()
        self.end()
        return LevelDeclaration(place, level)

    # Object contexts

    def pirqcon(self, place: Place) -> Statement:
        """`pirqcon N CONTEXT`"""
        return self._one_number(place, ObjectContextKind.PIRQ)

    def pcidevicecon(self, place: Place) -> Statement:
        """`pcidevicecon N CONTEXT`"""
        return self._one_number(place, ObjectContextKind.PCI_DEVICE)

    def _one_number(self, place: Place, kind: ObjectContextKind) -> Statement:
        number = self.read_number(_UINT32)
        return ObjectContext(place, kind, number, number, "", self.read_context())

    def ioportcon(self, place: Place) -> Statement:
        """`ioportcon N-M CONTEXT`"""
        return self._numbers(place, ObjectContextKind.IOPORT, _UINT32)

    def iomemcon(self, place: Place) -> Statement:
        """`iomemcon N-M CONTEXT`"""
        return self._numbers(place, ObjectContextKind.IOMEM, _UINT64)

    def _numbers(self, place: Place, kind: ObjectContextKind, largest: int) -> Statement:
        start: int = self.at
        low = self.read_number(largest)
        high = self.read_number(largest) if self.accept("-") else low
        if low > high:
            raise SyntaxProblem(start, f"the range {low:#x}-{high:#x} ends before it begins")
        return ObjectContext(place, kind, low, high, "", self.read_context())

    def devicetreecon(self, place: Place) -> Statement:
        """`devicetreecon PATH CONTEXT`"""
        path = self.word.strip('"')
        if not path.startswith("/"):
            self.fail("a device tree path")
        self.at += 1
        return ObjectContext(place, ObjectContextKind.DEVICE_TREE, 0, 0, path, self.read_context())
