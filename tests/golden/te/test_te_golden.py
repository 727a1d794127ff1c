"""What the parser makes of texts: statements, and errors as a person sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from polpkg.cli.render import PLAIN, render_error
from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.ir.text import render_modules
from polpkg.policy.syntax.te import PlainText, parse_te

HERE = Path(__file__).parent


def parse(name):
    return parse_te(PlainText(Source(f"policy/{name}", (HERE / name).read_text(encoding="utf-8"), "sample", "1.0")))


def test_every_statement(golden):
    statements, problems = parse("statements.te")
    assert not problems
    golden("te/statements.txt", render_modules([PolicyModule("sample", "1.0", statements)]))


@pytest.mark.parametrize("name", ["several", "blocks", "characters"])
def test_errors(golden, name):
    statements, problems = parse(f"{name}.te")
    said = render_error(PolicyError.of(problems), PLAIN, 100)
    read = render_modules([PolicyModule("sample", "1.0", statements)])
    golden(f"te/{name}.txt", f"{said}\n\nWhat was read nevertheless:\n\n{read}")
