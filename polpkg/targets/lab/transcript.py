"""Reads what Xen wrote on its console: how it took the policy, and what was denied."""

from __future__ import annotations

import re
from typing import NamedTuple

FOREIGN = re.compile(r"(?<=.)(?=\(XEN\) |\(d\d+\) )")
"""Where Xen begins in the middle of a line of dom0, because dom0 writes a line and its newline apart."""

_DENIAL = re.compile(r"avc:\s+denied\s+\{ ([^}]*) \}.*?scontext=(\S+) tcontext=(\S+) tclass=(\w+)")
_MODE = re.compile(r"Flask:\s+Starting in (\w+) mode")
_PANIC = re.compile(r"Panic on CPU \d+:|Kernel panic - not syncing:|FATAL TRAP|FATAL PAGE FAULT")
_COMPLAINT = re.compile(r"Flask: (?!\d|Starting)")  # the other lines of FLASK count what is in the policy
_PREFIX = re.compile(r"^\(XEN\) (\[[^]]*\] )?")


class Denial(NamedTuple):
    """One permission that FLASK refused, by type."""

    source: str
    target: str
    security_class: str
    permission: str

    def __str__(self) -> str:
        """The denial as a rule would spell it."""
        return f"{self.source} {self.target}:{self.security_class} {self.permission}"


class Transcript(NamedTuple):
    """All that Xen and dom0 wrote on the console so far, a line each."""

    lines: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Transcript:
        """The transcript of a raw console."""
        raw = (line.rstrip("\r") for line in text.replace("\0", "").split("\n"))
        return cls(tuple(part for line in raw for part in FOREIGN.split(line)))

    @property
    def mode(self) -> str:
        """The mode that FLASK started in, such as `enforcing`; empty when it did not start."""
        found = (_MODE.search(line) for line in self.lines)
        return next((match[1] for match in found if match), "")

    @property
    def panic(self) -> tuple[str, ...]:
        """The last words of Xen or of dom0's kernel, and FLASK's complaints before; empty when nothing panicked."""
        at = next((n for n, line in enumerate(self.lines) if _PANIC.search(line)), None)
        if at is None:
            return ()
        said = [_words(line) for line in self.lines]
        complaints = [line for line in said[:at] if _COMPLAINT.match(line)]
        after = [line for line in said[at + 1 : at + 4] if line.strip("* ")]
        first = after[:1] if "Panic on CPU" in said[at] else [said[at]]
        return tuple(complaints[-3:] + first)

    @property
    def denials(self) -> tuple[Denial, ...]:
        """What was refused, in the order in which it was first refused."""
        found = (match for line in self.lines if (match := _DENIAL.search(line)))
        every = (
            Denial(_type_of(match[2]), _type_of(match[3]), match[4], permission)
            for match in found
            for permission in match[1].split()
        )
        return tuple(dict.fromkeys(every))

    def since(self, line: int) -> Transcript:
        """What was written from a line on."""
        return Transcript(self.lines[line:])


def _words(line: str) -> str:
    return " ".join(_PREFIX.sub("", line).split())


def _type_of(context: str) -> str:
    """The type in a context; a context that Xen cannot print is a number."""
    fields = context.split(":")
    return fields[2] if len(fields) > 2 else context
