"""The configuration of `xen.efi`, read and changed as the hypervisor reads it.

`pre_parse` and `get_value` of xen/common/efi/boot.c: a `#` begins a comment anywhere, `;` only a line; a key counts in
the section that `default=` in [global] names, and without one the first in the whole file counts, whatever its section.
What is not changed keeps its bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.targets.boot.path import add_options, why_not_enforced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FALLBACK_SECTION = "polpkg-confirmed"

_COPIED = ("kernel", "ramdisk", "video", "ucode", "dtb")
"""What the fallback has from the section that boots."""

_FALLBACK_COMMENT = "# Written by polpkg: the policy that was confirmed last.\n"
_TRIAL = "# polpkg: until it is confirmed, what boots once is the section"
_SEPARATORS = re.compile(r"[.\-_]")


def config_names(program: str) -> Iterator[str]:
    """The names of configurations that an EFI program called `program` tries, in that order.

    The ending is dropped, then what follows the last `.`, `-` or `_`, and so on (`point_tail` there).
    """
    stem = program
    while places := [found.start() for found in _SEPARATORS.finditer(stem)]:
        stem = stem[: places[-1]]
        yield f"{stem}.cfg"


class XenConfig:
    """The text of a configuration."""

    def __init__(self, content: bytes) -> None:
        """`content` as it lies on disk; every byte is kept."""
        self._lines = content.decode("latin-1").splitlines(keepends=True)

    @property
    def content(self) -> bytes:
        """The same as bytes."""
        return "".join(self._lines).encode("latin-1")

    @property
    def section(self) -> str:
        """The section that boots the current policy; empty when none is named, and headers mean nothing."""
        named = self.value("global", "default")
        if named != FALLBACK_SECTION:
            return named
        told = (line.strip() for line in self._lines)
        return next((line.removeprefix(_TRIAL).strip() for line in told if line.startswith(_TRIAL)), named)

    @property
    def is_trial(self) -> bool:
        """Whether the section with the confirmed policy is the default, and `section` is tried."""
        return self.section != self.value("global", "default")

    def set_trial(self, is_trial: bool) -> None:  # noqa: FBT001 - it is what the method sets
        """Make the section with the confirmed policy the default, or that of the current one again."""
        section = self.section
        place = self._place("global", "default")
        if is_trial == self.is_trial or place is None or section == FALLBACK_SECTION:
            return
        end = self._line_end()
        if is_trial:
            self._lines[place : place + 1] = [f"{_TRIAL} {section}{end}", f"default={FALLBACK_SECTION}{end}"]
            return
        self._lines[place] = f"default={section}{end}"
        self._lines = [line for line in self._lines if not line.startswith(_TRIAL)]

    def value(self, section: str, key: str) -> str:
        """What a key says in a section; empty when it is not there."""
        place = self._place(section, key)
        return "" if place is None else _statement(self._lines[place]).partition("=")[2].strip()

    def change(self, policy: str, options: Sequence[str]) -> None:
        """Have the section that boots name `policy`, and tell Xen `options` where their keys are not said already.

        With an empty `policy`, one is not named: a policy inside the program counts.
        """
        section = self.section
        if policy:
            self._set(section, "xsm", policy)
        said = self.value(section, "options")
        if (told := add_options(said, options)) != said:
            self._set(section, "options", told)

    def set_fallback(self, policy: str | None) -> None:
        """Have a section of polpkg's own with the confirmed `policy`, or none, at the end."""
        copied = {key: self.value(self.section, key) for key in (*_COPIED, "options")}
        self._remove_fallback()
        if policy is None:
            return
        end = self._line_end()
        if self._lines and not self._lines[-1].endswith(("\n", "\r")):
            self._lines[-1] += end
        values: Mapping[str, str] = {**copied, "xsm": policy}
        text = [_FALLBACK_COMMENT, f"[{FALLBACK_SECTION}]\n", *(f"{k}={v}\n" for k, v in values.items() if v)]
        self._lines += [line.replace("\n", end) for line in text]

    def _remove_fallback(self) -> None:
        headers = [number for number, line in enumerate(self._lines) if _statement(line).startswith("[")]
        for number in headers:
            if _statement(self._lines[number]).startswith(f"[{FALLBACK_SECTION}]"):
                following = next((other for other in headers if other > number), len(self._lines))
                first = number - (number > 0 and self._lines[number - 1].strip() == _FALLBACK_COMMENT.strip())
                del self._lines[first:following]
                return

    def _set(self, section: str, key: str, value: str) -> None:
        if self.value(section, key) == value:
            return
        line = f"{key}={value}{self._line_end()}"
        place = self._place(section, key)
        if place is not None:
            self._lines[place] = line
            return
        beside = self._place(section, "kernel")
        if beside is None:
            return  # nothing is booted from here, so there is nothing to say
        if not self._lines[beside].endswith(("\n", "\r")):
            self._lines[beside] += self._line_end()
        self._lines.insert(beside + 1, line)

    def _place(self, section: str, key: str) -> int | None:
        """The number of the line that says `key`."""
        matches = not section
        for number, line in enumerate(self._lines):
            statement = _statement(line)
            if statement.startswith("[") and section:
                if matches:
                    return None
                matches = statement.startswith(f"[{section}]")
            elif matches and statement.startswith(f"{key}="):
                return number
        return None

    def _line_end(self) -> str:
        return "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"


def about_mode(path: str, config: XenConfig, version: str) -> Sequence[str]:
    """What to say when the configuration at `path` has Xen do anything but enforce; nothing otherwise."""
    reason = why_not_enforced(config.value(config.section, "options").split(), version)
    return (f"{path} does not have the policy enforced: {reason}",) if reason else ()


def _statement(line: str) -> str:
    """What a line says, without comments and space around it."""
    text = line.strip()
    return "" if text.startswith(";") else text.partition("#")[0].strip()
