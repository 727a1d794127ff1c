"""How findings look.  The texts themselves are goldens in tests/golden/cli; `--update-goldens` writes them."""

import json

import pytest

from polpkg.cli.render import (
    COLOURS,
    PLAIN,
    derivation_lines,
    diagnostic_document,
    error_document,
    fold_macros,
    render_changes,
    render_diagnostic,
    render_error,
    render_table,
    visible,
    wrapped,
)
from polpkg.diagnostics import Diagnostic, Frame, MacroUse, Note, Origin, Place, Severity, Source
from polpkg.errors import PolicyError, PolpkgError, ResolutionError, TargetError

VMV = Source("policy/vmv.te", "policy\n\ncreate_domain(vmv_t, vmv_guest_t)\n", "vmv", "1.0.0")
BASE = Source("policy/xen.if", "\n" * 13 + "\tallow $1 $2:domain { create frobnicate };\n", "xen-base", "1.2.0")


def three_deep():
    root = Frame(VMV)
    outer = Frame(BASE, "create_domain", Place(root, 3, 1))
    inner = Frame(BASE, "create_domain_common", Place(outer, 31, 2))
    return Place(inner, 14, 30)


UNKNOWN = Diagnostic.at(
    three_deep(),
    "unknown-permission",
    "class domain has no permission frobnicate in Xen 4.17",
    hint="guard it with ifdef(`xen_perm_domain_frobnicate', ...)",
    notes=(Note("the class is declared by the hypervisor"), Note("first used here", Origin("vmv", "1.0.0", "a.te", 9))),
)

CASES = {
    "message-only": PolpkgError("no-such-file", "there is no file policy.toml"),
    "hint": TargetError("no-hypervisor", "the tree has no hypervisor", hint="say with --xen which Xen it will have"),
    "source-line": PolicyError.of(
        [Diagnostic.at(Place(Frame(VMV), 3, 15), "undeclared-type", "the type vmv_t is not declared")]
    ),
    "macro-stack": PolicyError.of([UNKNOWN]),
    "several": PolicyError.of(
        [UNKNOWN, Diagnostic("bad-manifest", "version is missing", Origin("", "", "polpkg.toml", 2))]
    ),
    "derivation": ResolutionError(
        "no-solution",
        "no set of versions fits",
        derivation=("because vmv 1.0.0 needs score >=1", "and no index has score,", "vmv cannot be installed."),
        hint="add an index that has score",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_as_text(golden, case):
    golden(f"cli/errors/{case}.txt", render_error(CASES[case], PLAIN, 80) + "\n")


@pytest.mark.parametrize("case", CASES)
def test_errors_as_documents(golden, case):
    document = error_document(CASES[case], CASES[case].exit_code)
    golden(f"cli/errors/{case}.json", json.dumps(document, indent=2) + "\n")


def test_colours_add_nothing_but_colours(golden):
    coloured = render_error(CASES["macro-stack"], COLOURS, 80)
    golden("cli/errors/macro-stack.ansi", coloured + "\n")
    for colour in COLOURS:
        coloured = coloured.replace(colour, "")
    assert coloured == render_error(CASES["macro-stack"], PLAIN, 80)


def caret_column(text):
    *_, line, caret = text.splitlines()
    return line[caret.index("^")]


@pytest.mark.parametrize("column", [1, 40, 200, 399])
def test_the_caret_stays_under_its_character_when_a_line_is_cut(column):
    line = "x" * (column - 1) + "!" + "x" * (400 - column)
    text = render_diagnostic(Diagnostic("c", "m", Origin("p", "1", "f", 7), excerpt=line, caret=column), PLAIN, 80)
    assert caret_column(text) == "!"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("before", ["\t", "a\tb\t", "\x1b[31m", "\t\x07"])
def test_the_caret_counts_tabs_and_escapes_as_they_are_shown(before):
    found = Diagnostic("c", "m", Origin("p", "1", "f", 7), excerpt=f"{before}!", caret=len(before) + 1)
    assert caret_column(render_diagnostic(found, PLAIN, 80)) == "!"


def test_a_package_cannot_write_to_the_terminal():
    evil = "\x1b[2J\r\u202e\n"
    found = Diagnostic(
        "c", evil, Origin(evil, evil, evil, 1, 1, (MacroUse(evil, evil, 1),)), evil, evil, 1, (Note(evil),)
    )
    for text in (render_diagnostic(found, PLAIN, 80), render_table(["h"], [[evil]], PLAIN, 80), visible(evil)):
        assert not set("\x1b\r\u202e") & set(text)


def test_a_deep_macro_stack_is_folded():
    lines = fold_macros([MacroUse(f"m{n}", "a.if", n) for n in range(100)])
    assert lines == [
        "in macro m0 (a.if:0)",
        "in macro m1 (a.if:1)",
        "in macro m2 (a.if:2)",
        "... 94 more levels ...",
        "in macro m97 (a.if:97)",
        "in macro m98 (a.if:98)",
        "in macro m99 (a.if:99)",
    ]


def test_one_level_is_never_folded():
    assert len(fold_macros([MacroUse("m", "a.if", n) for n in range(7)])) == 7


def test_a_warning_says_so():
    found = Diagnostic("c", "careful", severity=Severity.WARNING)
    assert render_diagnostic(found, PLAIN, 80) == "warning[c]: careful"


def test_a_document_of_a_finding_without_a_place():
    assert diagnostic_document(Diagnostic("c", "m")) == {"code": "c", "message": "m", "where": None, "hint": None}


def test_a_table_fits_its_columns_and_the_width():
    rows = [("vmv", "1.0.0", "x" * 100), ("xen-base", "1.2.0", "short")]
    lines = render_table(["name", "version", "summary"], rows, PLAIN, 40).splitlines()
    assert lines[0] == "name      version  summary"
    assert lines[1] == "vmv       1.0.0    " + "x" * 18 + "..."
    assert lines[2] == "xen-base  1.2.0    short"


def test_changes_carry_their_marks():
    text = render_changes("Packages", [("+", "vmv 1.0.0"), ("-", "old 1"), ("~", "dom0 1 -> 2")], PLAIN)
    assert text == "Packages\n  + vmv 1.0.0\n  - old 1\n  ~ dom0 1 -> 2"


def test_a_long_proof_is_shown_short_and_whole_on_demand():
    error = ResolutionError("no-solution", "none", derivation=("1. Short.",), derivation_full=("1. a", "2. b", "3. c"))
    assert derivation_lines(error, 80, whole=False) == ["  1. Short.", "  (--verbose shows all 3 steps of the proof)"]
    assert derivation_lines(error, 80, whole=True) == ["  1. a", "  2. b", "  3. c"]
    assert "  3. c" in render_error(error, PLAIN, 80, whole=True)
    assert derivation_lines(ResolutionError("c", "m", derivation=("1. a",)), 80, whole=False) == ["  1. a"]


@pytest.mark.parametrize("caret", [0, 1, 2_000_000, 4_000_000])
def test_a_line_of_megabytes_is_quoted_at_once(caret):
    line = "\0" * 1_999_999 + "^" + "\0" * 2_000_000
    found = Diagnostic("code", "message", Origin("", "", "file", 1, caret), "", line, caret)
    shown, *below = render_diagnostic(found, PLAIN, 70).split("\n")[3:]
    assert len(shown) <= 70
    assert shown.startswith("1 | ...") == (caret > 1)
    assert shown.endswith("...") == (caret < 4_000_000)
    if caret == 2_000_000:
        assert shown[below[0].index("^")] == "^"


def test_sentences_are_wrapped_and_places_and_source_lines_are_not():
    notes = (Note("see " * 15), Note("this is declared with the same name", Origin("vmv", "1.0.0", "policy/vmv.te", 1)))
    found = Diagnostic.at(Place(Frame(VMV), 3, 15), "a-code", "word " * 12, hint="do " * 15, notes=notes)
    assert render_diagnostic(found, PLAIN, 40).splitlines() == [
        "error[a-code]: word word word word word",
        "  word word word word word word word",
        " --> vmv 1.0.0: policy/vmv.te:3:15",
        "  |",
        "3 | create_domain(vmv_t, vmv_guest_t)",
        "  |               ^",
        "note: see see see see see see see see",
        "  see see see see see see see",
        "note: this is declared with the same name: vmv 1.0.0: policy/vmv.te:1",
        "hint: do do do do do do do do do do do",
        "  do do do do",
    ]


def test_a_wrapped_headline_has_its_colours_on_every_line():
    first, second = render_diagnostic(Diagnostic("a-code", "one two three four"), COLOURS, 24).splitlines()
    assert first == f"{COLOURS.error}error[a-code]{COLOURS.end}{COLOURS.strong}: one two{COLOURS.end}"
    assert second == f"{COLOURS.strong}  three four{COLOURS.end}"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("short", 80), ["short"]),
        (("", 80, "  "), ["  "]),
        (("  one two", 7), ["  one", "    two"]),
        (("one two", 7, "* "), ["* one", "  two"]),
        (("one two", 6, "", ""), ["one", "two"]),
        (("wo-rds longer-than-the-line", 10), ["wo-rds", "  longer-than-the-line"]),
        (("bell\a", 80), ["bell\\x07"]),
    ],
)
def test_wrapped(words, lines):
    assert wrapped(*words) == lines
