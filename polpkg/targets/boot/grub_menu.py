"""What GRUB would do with a grub.cfg: the entries of its menu, and which of them boots by itself.

The script is run as GRUB runs it at boot, as far as a generated one goes: variables, `if` with `[ ... ]`, environment
blocks, `menuentry` and `submenu`.  Commands that find devices or draw succeed and do nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, assert_never

from polpkg.targets.boot.grub_syntax import Command, Conditional, Loop, parse_script
from polpkg.targets.layout import BOOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polpkg.targets.boot.grub_syntax import Node, Word
    from polpkg.targets.target import Target

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_LOADERS = ("multiboot", "multiboot2", "xen_hypervisor")
_MODULES = ("module", "module2", "xen_module")


class Entry(NamedTuple):
    """An entry: its name from the top of the menu on, its id, and the commands that it runs, with their arguments."""

    titles: tuple[str, ...]
    ids: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]

    @property
    def hypervisor(self) -> str:
        """The path that is booted as a hypervisor, as GRUB has it; empty when none is."""
        return next((each[1] for each in self.commands if each[0] in _LOADERS and len(each) > 1), "")

    @property
    def options(self) -> tuple[str, ...]:
        """What the hypervisor is told."""
        return next((each[2:] for each in self.commands if each[0] in _LOADERS), ())

    @property
    def modules(self) -> tuple[str, ...]:
        """The paths of the modules, in their order."""
        files = (next((word for word in each[1:] if not word.startswith("--")), "") for each in self._of(_MODULES))
        return tuple(files)

    def _of(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        return [each for each in self.commands if each[0] in names]


@dataclass(slots=True)
class Menu:
    """What a run of a script leaves: entries, titles and ids of what is at the top (submenus too), and variables."""

    entries: list[Entry] = field(default_factory=list[Entry])
    tops: list[tuple[tuple[str], tuple[str]]] = field(default_factory=list[tuple[tuple[str], tuple[str]]])
    variables: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def default(self) -> Entry | None:
        """The entry that boots when nobody chooses; None when `default` names none that there is."""
        wanted = self.variables.get("default") or "0"
        if wanted.isdecimal() and len(wanted) > 9:
            return None
        if wanted.isdecimal():
            top = self.tops[int(wanted)] if int(wanted) < len(self.tops) else None
            return next((each for each in self.entries if (each.titles, each.ids) == top), None)
        names = wanted.split(">")
        return next((e for e in self.entries if _is_named(e, names)), None)


def _is_named(entry: Entry, names: Sequence[str]) -> bool:
    pairs = zip(entry.titles, entry.ids, names, strict=False)
    return len(names) == len(entry.titles) and all(name in (title, identity) for title, identity, name in pairs)


def read_menu(target: Target, path: str, platform: str = "pc") -> Menu:
    """The menu that GRUB makes of the script at `path` the next time that it runs there.

    Raises TargetError when it, or an environment block, cannot be read.
    """
    folder = path.rpartition("/")[0]
    variables = {"prefix": folder, "grub_platform": platform, "feature_menuentry_id": "y", "root": ""}
    menu = Menu(variables=variables)
    _Run(target, menu).block(parse_script(target.read(path).decode("utf-8", "replace")))
    return menu


def find_file(target: Target, path: str) -> str | None:
    """The path, as the target has it, of what GRUB calls `path`: /boot may be a file system of its own."""
    plain = re.sub(r"^\([^)]*\)", "", path)
    if not plain.startswith("/"):
        return None
    return next((place for place in (plain, BOOT + plain) if target.stat(place)), None)


class _Run:
    """One run of a script; within an entry, of its commands."""

    def __init__(self, target: Target, menu: Menu, titles: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> None:
        self._target = target
        self._menu = menu
        self._titles = titles
        self._ids = ids
        self._variables = menu.variables
        self._recorded: list[tuple[str, ...]] = []

    def block(self, nodes: Sequence[Node]) -> bool:
        """Whether the last of the statements succeeds."""
        succeeded = True
        for node in nodes:
            match node:
                case Conditional(branches):
                    taken = (body for condition, body in branches if self.block(condition))
                    succeeded = self.block(next(taken, ()))
                case Command(words, body):
                    succeeded = self._command([part for word in words for part in self._expand(word)], body)
                case Loop():
                    succeeded = True
                case _:
                    assert_never(node)
        return succeeded

    def _expand(self, word: Word) -> list[str]:
        text = "".join(self._replace(piece) if expands else piece for piece, expands in word.pieces)
        return text.split() if "$" in word.bare else [text]

    def _replace(self, text: str) -> str:
        return _VARIABLE.sub(lambda found: self._variables.get(found[1] or found[2], ""), text)

    def _command(self, words: list[str], body: Sequence[Node] | None) -> bool:
        name, arguments = (words[0], words[1:]) if words else ("", [])
        if name == "!":
            return not self._command(arguments, body)
        if name in ("menuentry", "submenu"):
            self._entry(name, arguments, body or ())
        elif name == "set" or _ASSIGNMENT.match(name):
            self._set(arguments if name == "set" else words)
        elif name in ("[", "test"):
            return self._test(arguments[:-1] if name == "[" else arguments)
        elif name == "load_env":
            return self._load(arguments)
        elif name in ("false", "cmostest"):
            return False
        elif name:
            self._recorded.append(tuple(words))
        return True

    def _set(self, assignments: Sequence[str]) -> None:
        for each in assignments[:1]:
            name, _, value = each.partition("=")
            self._variables[name] = value

    def _entry(self, kind: str, arguments: Sequence[str], body: Sequence[Node]) -> None:
        title, identity = arguments[0] if arguments else "", ""
        if "--id" in arguments[:-1]:
            identity = arguments[arguments.index("--id") + 1]
        titles, ids = (*self._titles, title), (*self._ids, identity)
        if not self._titles:
            self._menu.tops.append(((title,), (identity,)))
        inner = _Run(self._target, self._menu, titles, ids)
        inner._variables = dict(self._variables)  # what an entry sets is not known before it is chosen
        inner.block(body)
        if kind == "menuentry":
            self._menu.entries.append(Entry(titles, ids, tuple(inner._recorded)))

    def _load(self, arguments: list[str]) -> bool:
        path = f"{self._variables['prefix']}/grubenv"
        if arguments[:1] in (["--file"], ["-f"]):
            path, arguments = "".join(arguments[1:2]), arguments[2:]
        place = find_file(self._target, path)
        if place is None:
            return False
        for name, value in _environment(self._target.read(place)).items():
            if not arguments or name in arguments:
                self._variables[name] = value
        return True

    def _test(self, words: Sequence[str]) -> bool:
        """`[ ... ]`: `-o` binds least, then `-a`, then `!`."""
        for operator, judge in (("-o", any), ("-a", all)):
            if operator in words:
                place = list(words).index(operator)
                return judge((self._test(words[:place]), self._test(words[place + 1 :])))
        match list(words):
            case ["!", *rest]:
                return not self._test(rest)
            case [left, "=" | "==", right]:
                return left == right
            case [left, "!=", right]:
                return left != right
            case ["-z", text]:
                return not text
            case ["-n", text] | [text]:
                return bool(text)
            case ["-e" | "-f" | "-s" | "-d", path]:
                return find_file(self._target, path) is not None
            case _:
                return False


def _environment(block: bytes) -> Mapping[str, str]:
    """The variables of a GRUB environment block."""
    lines = (line for line in block.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines if "=" in line)
