"""Which releases of Xen's tools a target has, by the names of their files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.target import Target

_LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib")
_NAME = re.compile(r"(?:xen-|libxenctrl\.so\.|libxenlight\.so\.|libxenmisc\.so\.)(4\.\d+)(?:\.\d+)*")
"""A directory of Debian's (`/usr/lib/xen-4.17`), and libraries whose version is Xen's (tools/libs/*/Makefile)."""


def find_toolstacks(target: Target) -> tuple[str, ...]:
    """The releases, as "4.17", whose tools are in `target`; empty when none can be told.  Raises TargetError."""
    return tuple(sorted(set(_found(target))))


def _found(target: Target) -> Iterator[str]:
    for folder in _LIBRARIES:
        for name in target.list(folder):
            if match := _NAME.fullmatch(name):
                yield match[1]
