"""Flattened device trees, read (Devicetree Specification, chapter 5: "Flattened Devicetree (DTB) Format", version 17).

Only what a node says: names, and properties as bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct, error
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = Struct(">10I")
_MAGIC = 0xD00DFEED
_WORD = Struct(">I")
_PROPERTY = Struct(">II")
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9
_MAX_DEPTH = 64


@dataclass(slots=True)
class Node:
    """A node with its properties and the nodes below it."""

    name: str
    properties: dict[str, bytes] = field(default_factory=dict[str, bytes])
    children: list[Node] = field(default_factory=list["Node"])

    def strings(self, name: str) -> tuple[str, ...]:
        """A property that is a list of strings; empty when it is not there."""
        value = self.properties.get(name, b"").rstrip(b"\0")
        return tuple(part.decode("latin-1") for part in value.split(b"\0")) if value else ()

    def cells(self, name: str) -> tuple[int, ...]:
        """A property that is a list of 32-bit numbers."""
        value = self.properties.get(name, b"")
        return tuple(_WORD.unpack_from(value, place)[0] for place in range(0, len(value) - 3, 4))

    def below(self) -> Iterator[tuple[Node, Node]]:
        """All nodes below this one, each with its parent."""
        for child in self.children:
            yield child, self
            yield from child.below()


def read_tree(content: bytes) -> Node:
    """The root of a device tree.  Raises ValueError when it is none, or is damaged."""
    try:
        magic, _, structure, strings, _, _, _, _, _, _ = _HEADER.unpack_from(content)
        if magic != _MAGIC:
            raise ValueError("it does not begin as a device tree does")
        return _read(content, structure, strings)
    except (error, IndexError):
        raise ValueError("it ends too early") from None


def _read(content: bytes, place: int, strings: int) -> Node:
    top = Node("")
    path = [top]
    while True:
        (token,) = _WORD.unpack_from(content, place)
        place += 4
        if token == _BEGIN_NODE:
            node = Node(_text(content, place))
            place += -(-(len(node.name) + 1) // 4) * 4
            path[-1].children.append(node)
            path.append(node)
        elif token == _END_NODE:
            path.pop()
        elif token == _PROP:
            length, name = _PROPERTY.unpack_from(content, place)
            value = content[place + 8 : place + 8 + length]
            path[-1].properties[_text(content, strings + name)] = value
            place += 8 + -(-length // 4) * 4
        elif token == _END:
            break
        elif token != _NOP:
            raise ValueError(f"{token} is no token of a device tree")
        if not path or len(path) > _MAX_DEPTH:
            raise ValueError("its nodes are not closed as they are opened")
    if len(path) != 1 or len(top.children) != 1:
        raise ValueError("it has no root, or more than one")
    return top.children[0]


def _text(content: bytes, place: int) -> str:
    end = content.index(b"\0", place) if b"\0" in content[place : place + 4096] else -1
    if end < 0:
        raise ValueError("a name does not end")
    return content[place:end].decode("latin-1")
