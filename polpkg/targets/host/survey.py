"""What polpkg looks at on any host, fetched at once: each question that is asked of a host costs a way there and back.

Two lines of a session bring what is in the directories below, with the content of small files.  The answers are those
of one moment: whoever uses them forgets them when something is changed, or when time has passed.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING

from polpkg.targets.host.quoting import command, quoted
from polpkg.targets.layout import (
    BOOT,
    BOOT_FOLDER,
    CONFIGURATION,
    CURRENT,
    DEVICES_DROP_IN,
    DEVICES_UNIT,
    GENERATIONS,
    GRUB_SCRIPTS,
    LOCK,
    POLICY_PREFIX,
    STATE,
)
from polpkg.targets.target import FileKind, file_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from polpkg.targets.host.commands import Completed
    from polpkg.targets.target import FileStat

DIRECTORIES = (
    "/",
    CONFIGURATION,
    STATE,
    GENERATIONS,
    BOOT,
    BOOT_FOLDER,
    GRUB_SCRIPTS,
    f"{BOOT}/grub",
    DEVICES_UNIT.rpartition("/")[0],
    DEVICES_DROP_IN.rpartition("/")[0],
)
"""What is looked into, besides the current generation and its folders."""

_READ = (
    f"{CONFIGURATION}/",
    f"{STATE}/",
    f"{BOOT_FOLDER}/",
    f"{BOOT}/{POLICY_PREFIX}",
    f"{GRUB_SCRIPTS}/09_",
    f"{BOOT}/grub/grub.cfg",
)
"""How the paths begin of the files whose content is wanted."""

_SMALL = 1 << 16
_ALL = 1 << 18
"""Files are fetched up to the first size each and the second in all; larger ones only when they are asked for."""


_FRESH = 10.0
"""Seconds for which answers are good as long as polpkg itself changes nothing."""


class Surveys:
    """The answers that are good now: fetched with the first question, and with the first after `renew`."""

    def __init__(self, ask: Callable[[str], Completed], top: str, *, is_root: bool) -> None:
        """Of the host that `ask` gives a line to; nothing is fetched for whoever may not see everything there."""
        self._ask = ask
        self._top = top
        self._is_root = self._is_due = is_root
        self._known = Survey()
        self._until = 0.0

    def known(self) -> Survey:
        """What is known, which may be nothing.  Raises TargetError when the connection is lost."""
        if self._is_due:
            self._is_due = False
            self._known, self._until = self._fetch(), monotonic() + _FRESH
        elif monotonic() > self._until:
            self._known = Survey()
        return self._known

    def forget(self) -> None:
        """Know nothing from here on: something is about to be changed."""
        self._is_due, self._known = False, Survey()

    def renew(self) -> None:
        """Fetch all of it with the next question."""
        self._is_due = self._is_root

    def _fetch(self) -> Survey:
        found = Survey()
        directories = self._ask(survey_line(self._top))
        if directories.status == 0:
            found.add_directories(directories.output, self._top)
            if wanted := found.wanted():
                contents = self._ask(command("cat", [f"{self._top}{path}" for path in wanted]))
                found.add_contents(wanted, contents.output if contents.status == 0 else b"")
        return found


class Survey:
    """Some answers; a question that it has none for is a KeyError."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._names: dict[str, tuple[str, ...]] = {}
        self._absent: set[str] = set()
        self._stats: dict[str, FileStat] = {}
        self._links: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}

    def stat(self, path: str) -> FileStat | None:
        """See `Target.stat`."""
        return None if self.is_absent(path) else self._stats[path]

    def read_link(self, path: str) -> str | None:
        """See `Target.read_link`."""
        return None if self.is_absent(path) else self._links.get(path)

    def list(self, path: str) -> tuple[str, ...]:
        """See `Target.list`."""
        directory = path.rstrip("/")
        return self._names[directory] if directory in self._names else self._no_names(directory)

    def read(self, path: str) -> bytes:
        """See `Target.read`."""
        return self._contents[path]

    def wanted(self) -> tuple[str, ...]:
        """The files whose content is worth fetching."""
        found: list[str] = []
        room = _ALL
        for path, status in sorted(self._stats.items()):
            is_wanted = path.startswith(_READ) and path != LOCK and status.kind is FileKind.FILE
            if is_wanted and status.size <= min(_SMALL, room):
                room -= status.size
                found.append(path)
        return tuple(found)

    def add_directories(self, text: bytes, top: str = "") -> None:
        """Learn from what `p_survey` printed; `top` stands before each path there."""
        fields = iter(os.fsdecode(text).split("\0"))
        while where := next(fields):
            directory = where.removeprefix(top).rstrip("/")
            names: list[str] = []
            while name := next(fields):
                names.append(name)
                if link := next(fields):
                    self._links[f"{directory}/{name}"] = link
            if stats := next(fields):
                self._names[directory] = tuple(sorted(names))
                self._stats |= {f"{directory}/{name}": status for name, status in _stats(stats)}
            else:
                self._absent.add(directory)

    def add_contents(self, paths: Iterable[str], content: bytes) -> None:
        """Learn the content of files, one after the other; nothing is learnt if it is not as long as they are."""
        paths = tuple(paths)
        if len(content) != sum(self._stats[path].size for path in paths):
            return
        start = 0
        for path in paths:
            end = start + self._stats[path].size
            self._contents[path] = content[start:end]
            start = end

    def is_absent(self, path: str) -> bool:
        """Whether nothing is there, not even a link that leads nowhere."""
        directory, _, name = path.rpartition("/")
        if path in self._absent or directory in self._absent:
            return True
        if name in {"", ".", ".."}:
            raise KeyError(path)
        return name not in self._names[directory]

    def _no_names(self, path: str) -> tuple[str, ...]:
        if not self.is_absent(path):
            raise KeyError(path)
        return ()


def survey_line(top: str = "") -> str:
    """The line that fetches what is in the directories; `top` stands before each path on the host."""
    state, current = quoted(f"{top}{STATE}/"), command("readlink", [f"{top}{CURRENT}"])
    known = " ".join(quoted(f"{top}{path}") for path in DIRECTORIES)
    generation = f'{state}"${{p_current:-none}}"'
    return f"p_current=$({current}); p_survey {known} {generation} {generation}/*/"


def _stats(text: str) -> Iterator[tuple[str, FileStat]]:
    """What `stat` printed, by name; of a name with a newline in it nothing is known."""
    for line in text.splitlines():
        mode, _, rest = line.partition(" ")
        words = rest.split(" ", 3)
        if len(words) == 4 and words[3] != ".":
            size, device, inode, name = words
            yield name, file_stat(int(mode, 16), int(size), (int(device), int(inode)))
