"""The command `polpkg`, called with `--json`: words in, its document out, its errors as values.

Nothing here knows Ansible: who runs the program is passed in, so that tests need neither.
"""

from __future__ import annotations

import json
import re

_ENOUGH = 2000
"""Characters of an answer that could not be understood that are worth showing."""


class PolpkgError(Exception):
    """Why nothing came of a call: a message for people, and the facts of polpkg's own error for those who look.

    `facts`: `code`, `hint`, `exit`, `where`, and `derivation` when no set of versions fits (all may be None).
    """

    def __init__(self, message, facts=None):
        """Take the message and the facts."""
        super().__init__(message)
        self.message = message
        self.facts = {"code": None, "hint": None, "exit": None, "where": None, **(facts or {})}
        self.facts.pop("message", None)


class Polpkg:
    """polpkg, for one target.

    `run`: takes a list of words and returns exit status, output and errors of the program, as `run_command` of Ansible
    does.  `program`: the words that call it.  `target`: the words that name the target.  After each call `words` holds
    the command line, and `warnings` what polpkg warned of, in all calls.
    """

    def __init__(self, run, program, target):
        """Take who runs it, what, and where."""
        self._run = run
        self._program = list(program)
        self._target = list(target)
        self.words = []
        self.warnings = []

    def ask(self, *words):
        """The document that `polpkg WORDS --json` prints.  Raises `PolpkgError` for an error, whoever made it."""
        self.words = [*self._program, *words, *self._target, "--json", "--quiet"]
        status, output, errors = self._run(self.words)
        self.warnings += find_warnings(errors)
        try:
            document = json.loads(output)
        except ValueError:
            document = None
        if not isinstance(document, dict) or "schema" not in document:
            raise _not_understood(words[0], status, output, errors)
        if "error" in document:
            raise from_error(document)
        return document


def from_error(document):
    """The failure that a document of polpkg tells of; further findings are part of the message."""
    first = document["error"]
    found = document.get("errors") or [first]
    lines = [f"{each['message']} [{each['code']}]" for each in found]
    lines += first.get("derivation") or []
    if first.get("hint"):
        lines.append(f"hint: {first['hint']}")
    return PolpkgError("\n".join(lines), first)


def _not_understood(verb, status, output, errors):
    said = (errors.strip() or output.strip())[-_ENOUGH:]
    facts = {"code": "no-answer", "exit": status, "hint": "is that program polpkg, and of this collection's version?"}
    return PolpkgError(f"polpkg {verb} ended with status {status} and without an answer: {said}", facts)


def find_warnings(errors):
    """The warnings in what polpkg wrote to its standard error output, each in one line."""
    blocks = re.findall(r"^warning\[.*(?:\n(?!warning\[|error\[).+)*", errors, re.MULTILINE)
    return [" ".join(block[len("warning") :].split()) for block in blocks]
