"""How findings look: errors in the manner of a good compiler, and the same facts as JSON values.

Everything is a pure function from values to text or to a document; `console` prints.  Text of packages is not to be
trusted: whatever could move the cursor, colour the terminal or turn the direction of writing is shown as an escape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.diagnostics import Diagnostic, Severity
from polpkg.errors import ResolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polpkg.diagnostics import MacroUse, Note, Origin
    from polpkg.errors import PolpkgError

_SHOWN_AT_EACH_END = 3
"""Levels of a macro stack that are shown at its outer and its inner end; more is folded away."""


class Palette(NamedTuple):
    """What to write around words to colour them; all empty when colours are off."""

    error: str = ""
    warning: str = ""
    good: str = ""
    strong: str = ""
    faint: str = ""
    place: str = ""
    end: str = ""

    def paint(self, colour: str, text: str) -> str:
        """`text` in one of the colours of this palette."""
        return f"{colour}{text}{self.end}" if colour and text else text


PLAIN = Palette()
COLOURS = Palette("\x1b[1;31m", "\x1b[1;33m", "\x1b[32m", "\x1b[1m", "\x1b[2m", "\x1b[1;34m", "\x1b[0m")

_NEAR = 1000
"""How many characters of a line count on each side of the caret: a damaged file may be one line of megabytes."""


def visible(text: str) -> str:
    r"""`text` on one line, with what does not print (escapes, controls, direction marks) spelled out as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def size_text(size: int) -> str:
    """A number of bytes for people.

    >>> size_text(999), size_text(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def wrapped(text: str, width: int, first: str = "", others: str | None = None) -> list[str]:
    """`text`, made `visible`, in lines of at most `width` columns; at least one line.

    `first` comes before the first of them and `others` before the rest; without `others` they are indented two columns
    further than the first.  Words are not broken, nor names at their hyphens.
    """
    line = first + visible(text)
    if len(line) <= width:
        return [line]
    from textwrap import wrap

    rest = " " * (len(line) - len(line.lstrip()) + 2) if others is None else others
    return wrap(line, width, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False)


def override_lines(overrides: Mapping[str, str]) -> list[str]:
    """What a person reads about overrides: they are never in force without being shown."""
    return [
        f"override: {name} {text}, whatever packages ask for (policy.toml)" for name, text in sorted(overrides.items())
    ]


def derivation_lines(error: ResolutionError, width: int, *, whole: bool) -> list[str]:
    """The proof that no set of versions fits, indented; `whole`: not the short form of a long one."""
    lines = error.derivation_full if whole else error.derivation
    shown = [text.rstrip() for line in lines for text in wrapped(f"  {line}", width, others="     ")]
    if len(lines) < len(error.derivation_full):
        shown.append(f"  (--verbose shows all {len(error.derivation_full)} steps of the proof)")
    return shown


def render_error(error: PolpkgError, palette: Palette, width: int, *, whole: bool = False) -> str:
    """All findings of an error, and the proof when versions could not be resolved: see `derivation_lines`."""
    blocks = [render_diagnostic(found, palette, width) for found in error.diagnostics]
    if isinstance(error, ResolutionError) and error.derivation:
        proof = derivation_lines(error, width, whole=whole)
        blocks[0] = render_diagnostic(error.diagnostics[0], palette, width, proof)
    if len(blocks) > 1:
        blocks.append(palette.paint(palette.strong, f"{len(blocks)} errors"))
    return "\n\n".join(blocks)


def render_diagnostic(found: Diagnostic, palette: Palette, width: int, proof: Sequence[str] = ()) -> str:
    """One finding: what, where, the source line with a caret, how macros led there, notes, and what to do.

    `proof`: lines that come right after what.  Sentences are wrapped; places, notes with a place, source lines and
    macros are not.
    """
    colour = palette.error if found.severity is Severity.ERROR else palette.warning
    label = f"{found.severity.value}[{found.code}]"
    lines = [*_sentence(label, colour, found.message, palette.strong, palette, width), *proof]
    if found.origin is not None:
        lines += _place_lines(found, found.origin, palette, width)
    lines += [line for note in found.notes for line in _note_lines(note, palette, width)]
    if found.hint:
        lines += _sentence("hint", palette.good, found.hint, "", palette, width)
    return "\n".join(lines)


def _sentence(label: str, colour: str, text: str, tint: str, palette: Palette, width: int) -> list[str]:
    """`LABEL: text`, the label in one colour and the text in another, wrapped."""
    first, *rest = wrapped(f"{label}: {text}", width)
    begin = f"{palette.paint(colour, label)}{palette.paint(tint, first[len(label) :])}"
    return [begin, *(palette.paint(tint, line) for line in rest)]


def _place_lines(found: Diagnostic, origin: Origin, palette: Palette, width: int) -> list[str]:
    number = str((origin.macros[-1].line if origin.macros else origin.line) or "")
    indent = " " * len(number)
    bar = palette.paint(palette.place, "|")
    lines = [f"{indent}{palette.paint(palette.place, '-->')} {visible(str(origin))}"]
    lines += [f"{indent} {palette.paint(palette.place, '=')} {text}" for text in fold_macros(origin.macros)]
    if found.excerpt.strip():
        text, pad = _excerpt(found.excerpt, found.caret, width - len(number) - 3)
        lines += [f"{indent} {bar}", f"{palette.paint(palette.place, number)} {bar} {text}"]
        if found.caret:
            colour = palette.error if found.severity is Severity.ERROR else palette.warning
            lines.append(f"{indent} {bar} {pad}{palette.paint(colour, '^')}")
    return lines


def fold_macros(macros: Sequence[MacroUse]) -> list[str]:
    """The macro stack, outermost first, a line per level; the middle of a deep stack becomes one line."""
    lines = [f"in macro {visible(use.name)} ({visible(use.file)}:{use.line})" for use in macros]
    hidden = len(lines) - 2 * _SHOWN_AT_EACH_END
    if hidden > 1:
        lines[_SHOWN_AT_EACH_END:-_SHOWN_AT_EACH_END] = [f"... {hidden} more levels ..."]
    return lines


def _excerpt(line: str, caret: int, room: int) -> tuple[str, str]:
    """What of a source line fits into `room`, and the blanks that put a caret under its column."""
    far = max(caret - _NEAR, 0)
    line, caret = line[far : max(caret, 1) + _NEAR], caret - far
    before = visible(line[: max(caret - 1, 0)].expandtabs(4))
    text = before + visible(line[max(caret - 1, 0) :].replace("\t", "    ")).rstrip()
    room = max(room, 20)
    if len(text) <= room:
        return text, " " * len(before)
    start = max(0, min(len(before) - room // 2, len(text) - room))
    shown = text[start : start + room]
    if start:
        shown = f"...{shown[3:]}"
    if start + room < len(text):
        shown = f"{shown[:-3]}..."
    return shown, " " * (len(before) - start)


def _note_lines(note: Note, palette: Palette, width: int) -> list[str]:
    if note.origin is None:
        return _sentence("note", palette.strong, note.text, "", palette, width)
    macros = fold_macros(note.origin.macros)
    return [
        f"{palette.paint(palette.strong, 'note')}: {visible(note.text)}: {visible(str(note.origin))}",
        *(f"  {palette.paint(palette.place, '=')} {text}" for text in macros),
    ]


def render_table(headers: Sequence[str], rows: Iterable[Sequence[str]], palette: Palette, width: int) -> str:
    """Rows in aligned columns under their headers; the last column is cut where the line ends."""
    cells = [[visible(cell) for cell in row] for row in rows]
    sizes = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    lines = [_table_line(row, sizes, width) for row in [headers, *cells]]
    return "\n".join([palette.paint(palette.strong, lines[0]), *lines[1:]])


def _table_line(row: Sequence[str], sizes: Sequence[int], width: int) -> str:
    line = "  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip()
    return line if len(line) <= width else f"{line[: width - 3]}..."


def render_changes(title: str, changes: Iterable[tuple[str, str]], palette: Palette) -> str:
    """A section of a plan: each change with its mark, `+` comes, `-` goes, `~` becomes another, `!` needs care."""
    colours = {"+": palette.good, "-": palette.error, "~": palette.warning, "!": palette.warning}
    lines = [f"  {palette.paint(colours.get(mark, ''), mark)} {visible(text)}" for mark, text in changes]
    return "\n".join([palette.paint(palette.strong, title), *lines])


def error_document(error: PolpkgError, exit_code: int) -> dict[str, Any]:
    """The `error` of a JSON document, and `errors` when there are several findings."""
    first = diagnostic_document(error.diagnostics[0]) | {"exit": int(exit_code)}
    if isinstance(error, ResolutionError):
        first["derivation"] = list(error.derivation)
    document: dict[str, Any] = {"error": first}
    if len(error.diagnostics) > 1:
        document["errors"] = [diagnostic_document(found) for found in error.diagnostics]
    return document


def diagnostic_document(found: Diagnostic) -> dict[str, Any]:
    """One finding as a JSON value: code, message, where and hint, and notes when it has some."""
    document: dict[str, Any] = {
        "code": found.code,
        "message": found.message,
        "where": origin_document(found.origin),
        "hint": found.hint or None,
    }
    if found.notes:
        document["notes"] = [{"text": note.text, "where": origin_document(note.origin)} for note in found.notes]
    return document


def origin_document(origin: Origin | None) -> dict[str, Any] | None:
    """A place as a JSON value; None when there is none."""
    if origin is None:
        return None
    return {
        "package": origin.package or None,
        "version": origin.version or None,
        "file": origin.file,
        "line": origin.line,
        "column": origin.column,
        "macros": [use._asdict() for use in origin.macros],
    }
