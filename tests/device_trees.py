"""Device trees for tests, made here: nodes under /chosen, with two cells for an address and two for a size."""

from __future__ import annotations

import struct


def fdt(*nodes):
    """A device tree with these nodes under /chosen: name, {property: bytes}."""
    strings = b""
    places = {}
    body = b""

    def text(value):
        return (value.encode() + b"\0").ljust(-(-(len(value) + 1) // 4) * 4, b"\0")

    def prop(name, value):
        nonlocal strings
        if name not in places:
            places[name] = len(strings)
            strings += name.encode() + b"\0"
        padded = value + bytes(-len(value) % 4)
        return struct.pack(">3I", 3, len(value), places[name]) + padded

    body += struct.pack(">I", 1) + text("") + struct.pack(">I", 1) + text("chosen")
    body += prop("#address-cells", struct.pack(">I", 2)) + prop("#size-cells", struct.pack(">I", 2))
    for name, properties in nodes:
        body += struct.pack(">I", 1) + text(name)
        body += b"".join(prop(key, value) for key, value in properties.items()) + struct.pack(">I", 2)
    body += struct.pack(">3I", 2, 2, 9)
    start = 40 + 16
    head = struct.pack(
        ">10I", 0xD00DFEED, start + len(body) + len(strings), start, start + len(body), 40, 17, 16, 0, len(strings), 0
    )
    return head + bytes(16) + body + strings


def module(compatible, **more):
    return {"compatible": compatible.replace(" ", "\0").encode() + b"\0", **more}
