"""Finding the configurations of boot loaders in a target, and the part of one that is polpkg's.

A block of polpkg's own stands at the end of somebody's file, between two lines that say so; every byte outside stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.layout import BESIDE_FALLBACK_PREFIX, BOOT, SYSTEM_NAMES
from polpkg.targets.target import FileKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from polpkg.targets.target import Target

NETWORK_FOLDERS = ("/srv/tftp", "/tftpboot", "/var/lib/tftpboot")
"""Where a system has the files that it serves to other machines, by custom: these are looked at and left alone."""

BEGIN = "# polpkg: begin. Made again with every change, up to the end."
END = "# polpkg: end"

_OTHERS = frozenset(("grub", "grub2", "lost+found", "polpkg"))
"""Folders of /boot that have hundreds of files and none for us."""

_MAX_SIZE = 1 << 20
_MAX_DEPTH = 3


def find_files(
    target: Target, folders: Iterable[str], wanted: Callable[[str], bool], depth: int = _MAX_DEPTH
) -> Iterator[str]:
    """The files in `folders`, and `depth` folders below, of which the path is `wanted`; no links, none of polpkg's."""
    for folder in folders:
        for name in target.list(folder or "/"):
            path = f"{folder}/{name}"
            if name.startswith(BESIDE_FALLBACK_PREFIX) or name in _OTHERS:
                continue
            found = target.stat(path)
            if found is None or target.read_link(path) is not None:
                continue
            if found.kind is FileKind.DIRECTORY and depth:
                yield from find_files(target, (path,), wanted, depth - 1)
            elif found.kind is FileKind.FILE and wanted(path):
                yield path


def find_loader_files(target: Target, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The files that `target` boots with, as far as their path is `wanted`: those in /boot.

    When it is no system but a tree that a server gives to other machines, all but what polpkg itself has there.
    """
    names = target.list("/")
    if {"usr", "bin", "etc"} <= set(names):
        yield from find_files(target, (BOOT,), wanted)
        return
    yield from find_files(target, ("",), wanted, depth=0)
    yield from find_files(target, (f"/{name}" for name in names if name not in SYSTEM_NAMES), wanted)


def read_text(target: Target, path: str) -> str:
    """A configuration, every byte a character; empty when it is far too large to be one."""
    found = target.stat(path)
    return target.read(path).decode("latin-1") if found and found.size <= _MAX_SIZE else ""


def statements(text: str) -> Iterator[str]:
    """The lines that say something."""
    for line in text.splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield stripped


def without_block(text: str) -> str:
    """A configuration without polpkg's part."""
    begin = text.find(BEGIN)
    if begin < 0:
        return text
    end = text.find(END, begin)
    rest = text[end + len(END) :] if end >= 0 else ""
    return text[:begin] + rest.removeprefix("\r").removeprefix("\n")


def with_block(text: str, lines: Iterable[str]) -> bytes:
    """A configuration with these lines as polpkg's part, at the end; without a part when there are none."""
    plain = without_block(text)
    inner = list(lines)
    if inner:
        if plain and not plain.endswith("\n"):
            plain += "\n"
        plain += "\n".join((BEGIN, *inner, END, ""))
    return plain.encode("latin-1")


def is_same_file(target: Target, folders: Iterable[str], name: str, path: str) -> bool:
    """Whether `name`, looked for in these folders, leads to the file at `path`.  A URL counts from its host's root."""
    wanted = target.stat(path)
    plain = name.partition("://")[2].partition("/")[2] if "://" in name else name.lstrip("/")
    found = (target.stat(f"{folder}/{plain}") for folder in folders)
    return wanted is not None and any(each is not None and each.identity == wanted.identity for each in found)


def beside(reference: str, name: str) -> str:
    """What a boot loader calls the file `name`, given that it calls the hypervisor beside it `reference`."""
    folder, slash, _ = reference.rpartition("/")
    return f"{folder}{slash}{name}"
