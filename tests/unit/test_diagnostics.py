"""Places, origins and the error tree."""

from __future__ import annotations

import re

import pytest

from polpkg import errors
from polpkg.diagnostics import MANIFEST, Diagnostic, Frame, MacroUse, Note, Origin, Place, Severity, Source

APP = Source("policy/app.te", "one\r\ntwo\n\tthree", "app", "1.0")
LIB = Source("policy/lib.if", "a\nb\nc\n", "lib", "2.0")


@pytest.mark.parametrize(("number", "text"), [(1, "one"), (2, "two"), (3, "\tthree"), (0, ""), (4, ""), (-1, "")])
def test_lines(number, text):
    assert APP.line(number) == text


def nested(*sources):
    """A place in the last source, reached by a macro of each of the sources before it."""
    place = Place(Frame(sources[0]), 1, 1)
    for level, source in enumerate(sources[1:], 1):
        place = Place(Frame(source, f"m{level}", place), level + 1, level)
    return place


def test_the_origin_of_a_fragments_own_line():
    assert Place(Frame(APP), 2, 3).origin() == Origin("app", "1.0", "policy/app.te", 2, 3)


def test_the_origin_of_a_macro_of_another_package():
    place = nested(APP, LIB, LIB)
    assert [p.line for p in place.stack()] == [1, 2, 3]
    macros = (MacroUse("m1", "lib:policy/lib.if", 2), MacroUse("m2", "lib:policy/lib.if", 3))
    assert place.origin() == Origin("app", "1.0", "policy/app.te", 1, 1, macros)


def test_what_a_manifest_calls_begins_in_the_macro():
    manifest = Source(MANIFEST, "", "app", "1.0")
    inner = Source("policy/app.if", "", "app", "1.0")
    origin = nested(manifest, inner).origin()
    assert (origin.file, origin.line, origin.column) == ("policy/app.if", 2, 1)
    assert origin.macros == (MacroUse("m1", "policy/app.if", 2),)


def test_what_a_manifest_calls_of_another_package_begins_in_the_manifest():
    origin = nested(Source(MANIFEST, "", "app", "1.0"), LIB).origin()
    assert (origin.package, origin.file, origin.line) == ("app", MANIFEST, 1)


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("app", "1.0", "a.te", 3, 4), "app 1.0: a.te:3:4"),
        (Origin("app", "1.0", "a.te", 3), "app 1.0: a.te:3"),
        (Origin("app", "", "a.te", 0), "app: a.te"),
        (Origin("", "", "a.te", 3, 4), "a.te:3:4"),
    ],
)
def test_origins_as_text(origin, text):
    assert str(origin) == text


def test_a_finding_has_its_source_line():
    found = Diagnostic.at(Place(Frame(APP), 2, 3), "some-code", "message", hint="hint", notes=(Note("note"),))
    assert (found.excerpt, found.caret, found.severity) == ("two", 3, Severity.ERROR)
    assert found.origin == Origin("app", "1.0", "policy/app.te", 2, 3)


# Errors


def error_classes():
    return [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


def test_every_error_has_an_exit_code_of_its_own():
    codes = [kind.exit_code for kind in error_classes() if kind is not errors.HostError]
    assert len(set(codes)) == len(codes)
    assert errors.HostError.exit_code == errors.ExitCode.FAILURE  # CLI.md has no code for a host that is not reached
    assert {int(code) for code in codes} == {1, 2, 3, 4, 5, 6, 7, 8, 10}


def test_the_tree_in_the_docstring_is_the_tree():
    said = dict(re.findall(r"^ +(\w+Error) +(\d+) ", errors.__doc__, re.MULTILINE))
    assert said == {kind.__name__: str(int(kind.exit_code)) for kind in error_classes()}


def test_an_error_with_one_finding():
    origin = Origin("", "", "x", 1)
    error = errors.PolicyError("some-code", "message", origin=origin, hint="hint")
    assert (error.code, error.message, error.origin, error.hint, str(error)) == (
        "some-code", "message", origin, "hint", "message"
    )  # fmt: skip


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_an_error_with_several_findings(kind):
    found = [Diagnostic("one", "first"), Diagnostic("two", "second")]
    error = kind.of(iter(found))
    assert isinstance(error, kind)
    assert error.diagnostics == tuple(found)
    assert (error.code, str(error)) == ("one", "first")


def test_a_resolution_error_has_a_derivation():
    assert errors.ResolutionError("a", "b").derivation == ()
    assert errors.ResolutionError("a", "b", derivation=("c",)).derivation == ("c",)
