"""The processor: reads text, collects arguments, expands.

It keeps two stacks instead of recursing: the blocks being read (the file at the bottom, expansions above it, as
`INPUT_STRING` blocks in GNU m4) and the calls whose arguments are being collected.  Plain text is passed over in runs,
from one name, quote, comment or delimiter to the next.  Tokens may cross from an expansion into the text after it, as
in GNU m4: a name, a quoted string and a comment can each begin in one block and end in another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from polpkg.diagnostics import Diagnostic, Source
from polpkg.errors import PolicyError
from polpkg.policy.syntax.m4.expansion import Call, Expansion, Message, MessageKind
from polpkg.policy.syntax.m4.invocation import Argument, Invocation, NativeError
from polpkg.policy.syntax.m4.limits import Limits
from polpkg.policy.syntax.m4.pattern import Budget
from polpkg.policy.syntax.m4.provenance import Block, Level, Places, Text, TextBuilder
from polpkg.policy.syntax.m4.substitution import substitute
from polpkg.policy.syntax.m4.sync import SyncedOutput
from polpkg.policy.syntax.m4.table import Macro, MacroTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.policy.syntax.m4.trial import Trial

_OUTSIDE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|[`#]")
_INSIDE = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|[`#,()]")
_DELIMITERS = frozenset("`#,()")
_NAME_REST = re.compile(r"[A-Za-z_0-9]+")
_QUOTE = re.compile(r"[`']")
_BLANKS = re.compile(r"[ \t\n\v\f\r]*")


def expand(
    sources: Sequence[Source],
    table: MacroTable,
    *,
    limits: Limits | None = None,
    sync_lines: bool = False,
    trial: Trial | None = None,
) -> Expansion:
    """Expand `sources`, one after another as GNU m4 reads several files; `table` is not changed.

    `sync_lines` adds `#line` marks as `m4 -s` does; a `trial` goes along, and may raise `NotAlike`.  Raises
    `PolicyError`: `m4-unsupported-builtin`, `m4-end-of-file` in a quotation, comment or argument list, `m4-limit` for
    what goes beyond `limits`, or what a native macro raised.
    """
    processor = Processor(table, limits or Limits(), sync_lines=sync_lines, trial=trial)
    for source in sources:
        processor.read(source)
    return processor.finish()


class _PendingCall:
    """A macro whose arguments are being collected."""

    __slots__ = ("arguments", "builder", "macro", "mark", "parentheses", "passed", "root", "skipping")

    def __init__(self, macro: Macro, mark: tuple[Level, int, str], root: int) -> None:
        self.macro = macro
        self.mark = mark
        self.root = root
        self.arguments: list[Argument] = []
        self.builder = TextBuilder()
        self.passed: Macro | None = None
        self.parentheses = 0
        self.skipping = True


class Processor:
    """The state of one expansion; `builtins` work on it through an `Invocation`."""

    def __init__(self, table: MacroTable, limits: Limits, *, sync_lines: bool, trial: Trial | None = None) -> None:
        self.limits = limits
        self.stacks = dict(table.stacks)
        self.places = Places()
        self.patterns = Budget(limits.pattern_steps)
        self._trial = trial
        self._synced = SyncedOutput() if sync_lines else None
        self._output: TextBuilder = self._synced or TextBuilder()
        self._level = Level(Source("", ""))
        self._blocks: list[Block] = []
        self._calls: list[_PendingCall] = []
        self._messages: list[Message] = []
        self._seen: dict[tuple[str, str, str], tuple[Level, int]] = {}
        self._expansions = 0
        self._steps = 0
        self._steps_allowed = limits.steps_at_least
        self._volume = 0

    # -- what `expand` uses

    def read(self, source: Source) -> None:
        """Expand one file."""
        self._level = level = Level(source)
        self._steps_allowed += self.limits.steps_per_character * len(source.text)
        if self._synced:
            self._synced.begin_source(level)
        self._blocks = [Block(source.text, [(0, level, 0, source.package)], -1)]
        if self._trial:
            self._trial.see(source.text)
        while self._settle():
            self._scan(self._blocks[-1])
        if self._calls:
            call = self._calls[-1]
            self._fail_at_end(f"the argument list of `{call.macro.name}'", *call.mark[:2], hint="is a `)' missing?")

    def finish(self) -> Expansion:
        """The result."""
        self._check("output", self._output.length, self._level, len(self._level.source.text))
        calls = [Call(*key, self.places.place(*where)) for key, where in self._seen.items()]
        end = (self._level, len(self._level.source.text))
        return Expansion(
            self._output.join(),
            MacroTable(self.stacks),
            tuple(self._messages),
            tuple(calls),
            self._output.marks,
            end,
            self.places,
        )

    # -- what builtins use

    @property
    def owner(self) -> str:
        """The package whose fragments are being expanded."""
        return self._level.source.package

    @property
    def file(self) -> str:
        """The name of the file being read."""
        return self._level.source.file

    def macro(self, name: str) -> Macro | None:
        """The definition of `name` that counts."""
        stack = self.stacks.get(name)
        return stack[-1] if stack else None

    def line_at(self, root: int) -> int:
        """The line of the file being read that an offset in it lies on."""
        return self.places.line(self._level.source, root)

    def say(self, text: str, level: Level, offset: int) -> None:
        """Record what a fragment prints."""
        self._messages.append(Message(MessageKind.PRINTED, text, self.places.place(level, offset)))

    def warn(self, text: str, level: Level, offset: int) -> None:
        """Record a warning."""
        self._messages.append(Message(MessageKind.WARNING, text, self.places.place(level, offset)))

    def error(self, code: str, message: str, level: Level, offset: int, hint: str = "") -> PolicyError:
        """An error at `offset` of `level`, to be raised."""
        place = self.places.place(level, offset)
        error = PolicyError(code, message)
        error.diagnostics = (Diagnostic.at(place, code, message, hint=hint),)
        return error

    def skip_line(self, call: Invocation) -> None:
        """Pass over the rest of the line, which may lie in blocks further down."""
        while self._blocks:
            block = self._blocks[-1]
            end = block.text.find("\n", block.position)
            if end >= 0:
                block.position = end + 1
                return
            if len(self._blocks) == 1:
                block.position = len(block.text)
                call.warn("end of file treated as newline")
                return
            self._blocks.pop()

    # -- reading

    def _settle(self) -> bool:
        """Leave blocks that are read to their end; false at the end of the file."""
        blocks = self._blocks
        while blocks[-1].position >= len(blocks[-1].text):
            if len(blocks) == 1:
                return False
            blocks.pop()
        return True

    def _scan(self, block: Block) -> None:
        """Read `block` until another block is to be read first, or the delimiters that count change."""
        calls, stacks = self._calls, self.stacks
        self._steps += 1
        if self._steps > self._steps_allowed or self._steps > self.limits.steps:
            self.fail_limit("steps", *block.where(block.position))
        if calls:
            call = calls[-1]
            if call.skipping and not self._skip_blanks(block, call):
                return
        text, start = block.text, block.position
        token, end = "", start
        for found in (_INSIDE if calls else _OUTSIDE).finditer(text, start):
            token = found.group()
            if token in stacks and token not in _DELIMITERS:
                end = found.end()
                if end == len(text) and self._continues():
                    break
                macro = stacks[token][-1]
                if macro.blind and not self._opens(text, end):
                    continue
                self._plain(block, start, end - len(token))
                self._begin_call(block, macro, end)
                return
            if token in _DELIMITERS:
                position = found.start()
                self._plain(block, start, position)
                block.position = position + 1
                self._delimiter(block, token, position)
                return
            end = found.end()
        self._read_rest(block, start, token, end)

    def _read_rest(self, block: Block, start: int, last: str, end: int) -> None:
        """Read what is left of `block`: no name in it counts, unless the last one goes on in the next block."""
        if end == len(block.text) and last and self._continues():
            self._plain(block, start, end - len(last))
            self._join_name(block, end - len(last))
        else:
            self._plain(block, start, len(block.text))
            block.position = len(block.text)

    def _skip_blanks(self, block: Block, call: _PendingCall) -> bool:
        """Pass over blanks before an argument; false when the block ends with them."""
        found = _BLANKS.match(block.text, block.position)
        block.position = found.end() if found else block.position
        if block.position >= len(block.text):
            return False
        call.skipping = False
        return True

    def _below(self) -> Block | None:
        """The block that is read when the one on top is at its end."""
        blocks = self._blocks
        for index in range(len(blocks) - 2, -1, -1):
            if blocks[index].position < len(blocks[index].text):
                return blocks[index]
        return None

    def _continues(self) -> bool:
        """Whether a name at the end of the block on top goes on below."""
        below = self._below() if len(self._blocks) > 1 else None
        return below is not None and _NAME_REST.match(below.text, below.position) is not None

    def _opens(self, text: str, end: int) -> bool:
        """Whether a parenthesis follows the name that ends at `end`."""
        if end < len(text):
            return text[end] == "("
        below = self._below()
        return below is not None and below.text[below.position] == "("

    def _join_name(self, block: Block, start: int) -> None:
        """Put a name that several blocks make up into a block of its own."""
        joined = TextBuilder()
        joined.add(block, start, len(block.text))
        block.position = len(block.text)
        root = last_root = block.root
        while self._settle():
            below = self._blocks[-1]
            found = _NAME_REST.match(below.text, below.position)
            if not found:
                break
            joined.add(below, below.position, found.end())
            below.position = found.end()
            last_root = below.root if below.root >= 0 else found.end() - 1
        name = Block(joined.join(), joined.marks, root)
        if self._trial:
            self._trial.see(name.text)
        name.last_root = last_root
        self._blocks.append(name)

    def _delimiter(self, block: Block, char: str, position: int) -> None:
        if char == "`":
            self._begin_token(block, position)
            self._read_quoted(block)
        elif char == "#":
            self._begin_token(block, position)
            self._read_comment(block, position)
        else:
            self._punctuation(block, char, position)

    def _punctuation(self, block: Block, char: str, position: int) -> None:
        call = self._calls[-1]
        if char == "(":
            call.parentheses += 1
        elif call.parentheses == 0:
            self._end_argument(call)
            if char == ")":
                self._calls.pop()
                self._perform(call.macro, call.arguments, call.mark, call.root)
            return
        elif char == ")":
            call.parentheses -= 1
        call.builder.add(block, position, position + 1)

    def _read_quoted(self, block: Block) -> None:
        """Read to the quote that ends the one just read."""
        sink = self._calls[-1].builder if self._calls else self._output
        depth, start = 1, block.position
        where = block.where(start - 1)
        while True:
            text = block.text
            for found in _QUOTE.finditer(text, start):
                depth += 1 if text[found.start()] == "`" else -1
                if not depth:
                    sink.add(block, start, found.start())
                    block.position = found.end()
                    return
            sink.add(block, start, len(text))
            block.position = len(text)
            if not self._settle():
                self._fail_at_end("a quotation", *where, hint="is its closing quote missing?")
            block = self._blocks[-1]
            start = block.position

    def _read_comment(self, block: Block, start: int) -> None:
        """Read to the end of the line, which belongs to the comment."""
        sink = self._calls[-1].builder if self._calls else self._output
        where = block.where(start)
        while True:
            end = block.text.find("\n", start) + 1
            sink.add(block, start, end or len(block.text))
            block.position = end or len(block.text)
            if end:
                return
            if not self._settle():
                self._fail_at_end("a comment", *where, hint="end the last line with a newline")
            block = self._blocks[-1]
            start = block.position

    def _plain(self, block: Block, start: int, end: int) -> None:
        """Pass on text that is nothing but itself."""
        if start >= end:
            return
        if self._calls:
            self._calls[-1].builder.add(block, start, end)
        elif self._synced:
            self._synced.add_run(block, start, end, self._line_in)
        else:
            self._output.add(block, start, end)

    def _begin_token(self, block: Block, position: int) -> None:
        if self._synced and not self._calls:
            self._synced.begin_token(self._line_in(block, position))

    def _line_in(self, block: Block, position: int) -> int:
        return self.line_at(position if block.root < 0 else block.root)

    # -- calls

    def _begin_call(self, block: Block, macro: Macro, end: int) -> None:
        start, level, offset, author = block.mark_at(end - len(macro.name))
        mark = (level, offset + end - len(macro.name) - start if offset >= 0 else offset, author)
        root = block.last_root if block.root >= 0 else end - 1
        block.position = end
        if not self._opens(block.text, end):
            self._perform(macro, [], mark, root)
            return
        self._settle()
        self._blocks[-1].position += 1
        self._calls.append(_PendingCall(macro, mark, root))
        self._check("calls", len(self._calls), level, mark[1])

    def _end_argument(self, call: _PendingCall) -> None:
        builder = call.builder
        level, offset, author = call.mark
        self._check("arguments", len(call.arguments) + 1, level, offset)
        self._check("text", builder.length, level, offset)
        self._consume(builder.length, level, offset)
        passed = call.passed
        if passed:
            text = Text("", [(0, level, _fixed(offset), author)])
            takes = call.macro.builtin and call.macro.builtin.takes_builtins
            call.arguments.append(Argument(text, passed if takes else None))
            call.passed = None
        else:
            text = Text(builder.join(), builder.marks or [(0, level, _fixed(offset), author)])
            call.arguments.append(Argument(text))
        call.builder = TextBuilder()
        call.skipping = True

    def _perform(self, macro: Macro, arguments: list[Argument], mark: tuple[Level, int, str], root: int) -> None:
        level, offset, author = mark
        self._expansions += 1
        self._check("expansions", self._expansions, level, offset)
        if macro.builtin or macro.native:
            result = self._carry_out(macro, Invocation(self, macro.name, arguments, level, offset, author, root))
        else:
            self._seen.setdefault((macro.name, macro.owner, author), (level, offset))
            self._check("depth", level.depth, level, offset)
            self.spend((len(macro.pieces) + len(macro.marks)) // 4, level, offset)
            result = substitute(macro, arguments, mark, self)
        if result and result.text:
            self._push(result, root, level, offset)

    def _carry_out(self, macro: Macro, call: Invocation) -> Text | None:
        builtin = macro.builtin
        if builtin is None:
            return self._native_text(macro, call)
        if builtin.function is None:
            raise call.error(
                "m4-unsupported-builtin",
                f"the m4 builtin `{call.name}' is not available to packages",
                "a fragment cannot run commands, read files or change the syntax of m4",
            )
        if builtin.maximum >= 0 and len(call) > builtin.maximum:
            call.warn(f"excess arguments to builtin `{call.name}' ignored")
        if len(call) < builtin.minimum:
            call.warn(f"too few arguments to builtin `{call.name}'")
        if self._trial:
            self._trial.check_builtin(call)
        result = builtin.function(call)
        return self._computed(result, call) if isinstance(result, str) else result

    def _native_text(self, macro: Macro, call: Invocation) -> Text:
        text = self._call_native(macro, call)
        if not macro.shown:
            return self._computed(text, call)
        level = Level(call.level.source, f"{macro.name}({call[0].strip()})", call.level, call.offset)
        return Text(text, [(0, level, _fixed(call.offset), call.author)])

    def _call_native(self, macro: Macro, call: Invocation) -> str:
        self._seen.setdefault((macro.name, macro.owner, call.author), (call.level, call.offset))
        try:
            if macro.native and self._trial:
                return self._trial.ask(macro, macro.native, call.texts())
            return macro.native(call.texts()) if macro.native else ""
        except NativeError as error:
            raise call.error(error.code, error.message, error.hint) from error

    def _computed(self, text: str, call: Invocation) -> Text:
        return Text(text, [(0, call.level, _fixed(call.offset), call.author)])

    def _push(self, result: Text, root: int, level: Level, offset: int) -> None:
        self._check("text", len(result.text), level, offset)
        if self._trial:
            self._trial.see(result.text)
        self._consume(len(result.text), level, offset)
        self._steps += len(result.text) // _READ_AS_ONE
        self._check("output", self._output.length, level, offset)
        blocks = self._blocks
        while len(blocks) > 1 and blocks[-1].position >= len(blocks[-1].text):
            blocks.pop()
        blocks.append(Block(result.text, result.marks, root))

    def pass_macro(self, macro: Macro) -> None:
        """What `defn` gives for a builtin: it is the argument being collected, when nothing stands before it."""
        if self._calls and not self._calls[-1].builder.length:
            self._calls[-1].passed = macro

    # -- bounds

    def _consume(self, size: int, level: Level, offset: int) -> None:
        self._volume += size
        if self._volume > self.limits.volume:
            self._check("volume", self._volume, level, offset)

    def spend(self, steps: int, level: Level, offset: int) -> None:
        """Count work that one call does as that many steps."""
        self._steps += steps
        if self._steps > self._steps_allowed:
            self.fail_limit("steps", level, offset)
        self._check("steps", self._steps, level, offset)

    def check_pushdefs(self, count: int, call: Invocation) -> None:
        """Bound the definitions of one name on top of each other."""
        self._check("pushdefs", count, call.level, call.offset)

    def _check(self, limit: str, value: int, level: Level, offset: int) -> None:
        if value > getattr(self.limits, limit):
            self.fail_limit(limit, level, offset)

    def fail_limit(self, limit: str, level: Level, offset: int) -> NoReturn:
        """Raise the error for going beyond the bound called `limit`."""
        bound = getattr(self.limits, limit)
        if limit == "steps":
            bound = min(bound, self._steps_allowed)
        message = f"macro expansion goes beyond its bound: {_BOUNDS[limit].format(bound)}"
        raise self.error("m4-limit", message, level, offset, "does a macro call itself without end?")

    def _fail_at_end(self, what: str, level: Level, offset: int, hint: str = "") -> NoReturn:
        raise self.error("m4-end-of-file", f"the file ends inside {what} that begins here", level, offset, hint)


def _fixed(offset: int) -> int:
    return offset if offset < 0 else ~offset


_READ_AS_ONE = 32
"""So many characters of names that mean nothing are read in the time of one step."""

_BOUNDS = {
    "calls": "{} calls within each other's arguments",
    "arguments": "{} arguments of one call",
    "depth": "a macro stack of {}",
    "expansions": "{} calls",
    "steps": "{} names, quotations and delimiters",
    "text": "{} characters in one text",
    "volume": "{} characters altogether",
    "output": "{} characters of output",
    "pushdefs": "{} definitions of one name",
    "pattern_steps": "{} steps to match a regular expression",
    "eval_nesting": "{} levels of parentheses in an expression",
}
