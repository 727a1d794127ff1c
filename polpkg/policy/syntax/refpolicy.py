"""The refpolicy dialect: how a tree such as OpenXT's xsm-policy becomes one text.

The steps are those of its `Rules.monolithic`.  The interfaces go through m4 by themselves first, without
`self_contained_policy`, and what is called `dollarsstar` in them becomes `$*`.  A macro named as each `.te` file is
defined.  Of the `.te` files, lines that begin with `attribute` and then those that begin with `type ` come first, those
that label initial SIDs last.  Of the expanded text, lines about networks are dropped.
"""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

from polpkg.diagnostics import Frame, Place, Source
from polpkg.policy.syntax.m4 import MacroTable, expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.policy.syntax.m4.expansion import Expansion

_HOISTED = (re.compile("attribute"), re.compile("type "))
_LAST = re.compile("sid |fs_use_(xattr|task|trans)|genfscon")
_DROPPED = re.compile("^(?:portcon|nodecon|netifcon)[^\n]*", re.MULTILINE)
_ARGUMENTS = "dollarsstar"
"""What refpolicy's macros leave where `$*` is to be: m4 would replace that at once."""


class RefpolicyText:
    """An expanded tree.  `expansion` is the last step; places in interfaces are those in their `.if` files."""

    def __init__(self, fragments: Sequence[Source], table: MacroTable) -> None:
        """Expands `fragments`, which are read in the order of the tree's Makefile.

        Raises PolicyError as `expand` does.
        """
        self._first = _expand_interfaces(fragments)
        self._interfaces = _put_arguments_back(self._first.text, fragments)
        self._line_starts = (0, *accumulate(len(line) + 1 for line in self._first.text.split("\n")))
        self._frames: dict[tuple[int, int], Frame] = {}
        self.expansion = expand(tuple(_in_order(fragments, self._interfaces)), table)
        self.text = _DROPPED.sub(lambda found: " " * len(found[0]), self.expansion.text)

    def place_at(self, offset: int) -> Place:
        """Where the character at `offset` comes from."""
        return self._restore(self.expansion.place_at(offset))

    def _restore(self, place: Place) -> Place:
        """The place in the fragment for one in the text of all interfaces, callers included."""
        frame, called_at = place.frame, place.frame.called_at
        origin = self._in_fragment(place) if frame.source is self._interfaces else place
        if origin is place and called_at is None:
            return place
        key = (id(frame), id(origin.source))
        restored = self._frames.get(key)
        if restored is None:
            caller = self._restore(called_at) if called_at else None
            restored = self._frames[key] = Frame(origin.source, frame.macro, caller, frame.missing)
        return Place(restored, origin.line, origin.column)

    def _in_fragment(self, place: Place) -> Place:
        """Lines of the two texts are the same; columns need not be, so the start of the line has to do."""
        return self._first.place_at(self._line_starts[place.line - 1]).stack()[0]


def _expand_interfaces(fragments: Sequence[Source]) -> Expansion:
    chosen = [f for f in fragments if f.file.endswith(".spt")] + [f for f in fragments if f.file.endswith(".if")]
    return expand(tuple(chosen), MacroTable.standard())


def _put_arguments_back(text: str, fragments: Sequence[Source]) -> Source:
    package, version = fragments[0].package, fragments[0].version
    return Source("policy/interfaces", text.replace(_ARGUMENTS, "$*"), package, version)


def _in_order(fragments: Sequence[Source], interfaces: Source) -> Iterator[Source]:
    """What the last m4 reads; where a fragment stands among the `.if` and `.te` files says what section it is in."""
    first_interface = next((n for n, f in enumerate(fragments) if f.file.endswith(".if")), 0)
    rules = [n for n, f in enumerate(fragments) if f.file.endswith(".te")]
    first_rules, after_rules = (rules[0], rules[-1] + 1) if rules else (len(fragments), len(fragments))
    modules = [fragments[n] for n in rules]
    yield from fragments[:first_interface]
    yield _definitions(modules, interfaces)
    yield interfaces
    for pattern in _HOISTED:
        yield from (_keep_lines(module, pattern) for module in modules)
    yield from (f for f in fragments[first_interface:first_rules] if not f.file.endswith(".if"))
    for module in modules:
        rest = module
        for pattern in (*_HOISTED, _LAST):
            rest = _keep_lines(rest, pattern, matching=False)
        yield rest
    yield from fragments[after_rules:]
    yield from (_keep_lines(module, _LAST) for module in modules)


def _definitions(modules: Sequence[Source], interfaces: Source) -> Source:
    """`tmp/generated_definitions.conf` of the Makefile."""
    files = [module.file.rpartition("/")[2] for module in modules]
    templates = [f"{file.removesuffix('.te')}_per_userdomain_template" for file in files]
    lines = [
        "define(`per_userdomain_templates',`",
        *(f"ifdef(`{name}',`{name}($*)')" for name in templates),
        "')",
        *(f"define(`{file}')" for file in files),
    ]
    text = "".join(f"{line}\n" for line in lines)
    return Source("policy/generated_definitions", text, interfaces.package, interfaces.version)


def _keep_lines(source: Source, pattern: re.Pattern[str], *, matching: bool = True) -> Source:
    """`source` with all lines emptied but those that begin with `pattern`, or but the others."""
    lines = source.text.split("\n")
    kept = (line if (pattern.match(line) is not None) is matching else "" for line in lines)
    return Source(source.file, "\n".join(kept), source.package, source.version)
