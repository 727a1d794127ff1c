"""Find the entry points of one group without `importlib.metadata`.

That module costs 13 ms to import (email, zipfile, csv) and 4 ms to ask, more than bare Python needs to start, and it
would be paid by every command.  A scan of `sys.path` for `*.dist-info/entry_points.txt` takes about 1 ms for fifty
distributions.  It sees all that wheels and editable installs leave behind: a `.dist-info` directory, named after the
distribution and its version (Python packaging's "Recording installed projects").  Older and rarer layouts (a zip file
on the path, `.egg-info`) are handed to `importlib.metadata`, so nothing that it finds is missed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DIST_INFO = ".dist-info"
_EGG_INFO = ".egg-info"


class EntryPoint(NamedTuple):
    """A reference `value` (`module` or `module:attribute`) that a distribution publishes under `name`."""

    distribution: str
    version: str
    name: str
    value: str


def find_entry_points(group: str, path: Iterable[str]) -> list[EntryPoint]:
    """The entry points of `group` in all distributions on `path`, by distribution and name.

    Of several versions of a distribution the first on the path counts, as it does for imports.
    """
    found: dict[str, list[EntryPoint]] = {}
    for entry in path:
        for distribution, points in _in_entry(group, Path(entry)):
            found.setdefault(distribution, points)
    return sorted(point for points in found.values() for point in points)


def parse_entry_points(text: str, group: str) -> list[tuple[str, str]]:
    """The names and values of one group of an `entry_points.txt`; extras after a value are left out."""
    section = ""
    pairs: list[tuple[str, str]] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            pairs.append((name.strip(), value.partition("[")[0].strip()))
    return pairs


def _in_entry(group: str, entry: Path) -> Iterator[tuple[str, list[EntryPoint]]]:
    try:
        directories = sorted(entry.iterdir())
    except NotADirectoryError:
        yield from _by_metadata(group, entry)
        return
    except OSError:  # a path entry that is not there or not readable holds nothing to import either
        return
    for directory in directories:
        if directory.name.endswith(_DIST_INFO):
            yield _in_dist_info(group, directory)
    if any(d.name.endswith(_EGG_INFO) and f"[{group}]" in _entry_points_text(d) for d in directories):
        yield from _by_metadata(group, entry)


def _in_dist_info(group: str, directory: Path) -> tuple[str, list[EntryPoint]]:
    name, _, version = directory.name.removesuffix(_DIST_INFO).partition("-")
    pairs = parse_entry_points(_entry_points_text(directory), group)
    name = _normalised(name)
    return name, [EntryPoint(name, version, *pair) for pair in pairs]


def _entry_points_text(directory: Path) -> str:
    try:
        return (directory / "entry_points.txt").read_text(encoding="utf-8", errors="replace")
    except OSError:  # most distributions have no entry points
        return ""


def _by_metadata(group: str, entry: Path) -> Iterator[tuple[str, list[EntryPoint]]]:
    from importlib.metadata import distributions

    for distribution in distributions(path=[str(entry)]):
        name = _normalised(distribution.name or "")
        points = distribution.entry_points.select(group=group)
        yield name, [EntryPoint(name, distribution.version, p.name, p.value.partition("[")[0].strip()) for p in points]


def _normalised(name: str) -> str:
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))
