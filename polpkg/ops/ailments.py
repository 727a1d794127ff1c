"""What `polpkg doctor` finds, and what it finds about the machine that polpkg itself runs on."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError
from polpkg.packages.store import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context


class Level(Enum):
    """PROBLEM: something does not work, or will not at the next boot.  CAUTION: it works, and may not for long, or does
    less than one might think.  NOTE: something that is not there, and that not everybody needs.
    """

    PROBLEM = "problem"
    CAUTION = "caution"
    NOTE = "note"


class Ailment(NamedTuple):
    """One thing: `what` is the matter, `why` that matters, and what a person can do.

    `code`: kebab-case.  `path`: the file that it is about; may be empty, as `why` and `remedy` may.
    """

    level: Level
    code: str
    what: str
    why: str = ""
    remedy: str = ""
    path: str = ""


def of_error(error: PolpkgError, why: str = "") -> Ailment:
    """A problem that an error tells of."""
    return Ailment(Level.PROBLEM, error.code, error.message, why, error.hint)


_IMAGE_TOOLS = ("e2fsck", "debugfs", "fsck.fat", "mcopy", "qemu-img", "qemu-nbd")


def examine_machine(context: Context) -> Iterator[Ailment]:
    """The cache, plugins, and programs that are missing here."""
    yield from _cache()
    for broken in context.plugins.broken:
        what = f"the plugin {broken.name} is left out: {broken.reason}"
        yield Ailment(Level.PROBLEM, "broken-plugin", what, "what it registers is not there", "upgrade or remove it")
    yield from _backends(context)
    yield from _programs()


def _cache() -> Iterator[Ailment]:
    why = "every archive is fetched and every package expanded each time, and --offline finds nothing"
    try:
        folder = cache_directory()
    except PolpkgError as error:
        yield of_error(error, why)._replace(level=Level.CAUTION)
        return
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = f"the cache {folder} cannot be written"
        yield Ailment(Level.CAUTION, "cache-unusable", what, why, "POLPKG_CACHE names another directory", str(folder))


def _backends(context: Context) -> Iterator[Ailment]:
    for name in sorted(context.plugins.backends):
        if (reason := why_unavailable(context, name)) is not None:
            yield Ailment(Level.NOTE, "backend-missing", f"--backend {name} does not work: {reason}")


def why_unavailable(context: Context, backend: str) -> str | None:
    """Why a backend cannot compile here; None when it can."""
    try:
        return context.backend(backend).is_available()
    except PolpkgError as error:
        return error.message


def _programs() -> Iterator[Ailment]:
    from shutil import which

    from polpkg.errors import TargetError
    from polpkg.targets.image.tools import find_tool

    if which("ssh") is None:
        yield Ailment(Level.NOTE, "missing-tool", "--host ssh://HOST does not work: there is no ssh")
    for name in _IMAGE_TOOLS:
        try:
            find_tool(name)
        except TargetError as error:
            yield Ailment(Level.NOTE, "missing-tool", f"--image: {error.message}", "", error.hint)
