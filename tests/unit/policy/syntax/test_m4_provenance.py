"""Where expanded text says that it comes from, to the column, macros deep."""

from __future__ import annotations

import pickle

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.syntax.m4 import Limits, MacroTable, MessageKind, NativeError, expand

BASE = Source(
    "policy/base.if",
    "define(`inner', `\n  allow $1 $2:domain create;\n')\n"
    "define(`middle', `inner($1, $2)')\n"
    "define(`outer',\n`type $1;\n   middle($1, $1_guest)\n')\n",
    "base",
    "1.2",
)


def run(text, *before, table=None, **options):
    source = Source("policy/app.te", text, "app", "3.0")
    return expand([*before, source], table or MacroTable.standard(), **options)


def where(done, needle, occurrence=0):
    offset = -1
    for _ in range(occurrence + 1):
        offset = done.text.index(needle, offset + 1)
    return [(p.frame.macro, p.source.file, p.line, p.column) for p in done.place_at(offset).stack()]


def test_plain_text_is_where_it_is():
    done = run("one\n two three\n")
    assert where(done, "three") == [("", "policy/app.te", 2, 6)]


def test_a_rule_three_macros_deep_reads_like_a_traceback():
    done = run("first\n  outer(`vmv_t')\n", BASE)
    assert where(done, "allow") == [
        ("", "policy/app.te", 2, 3),
        ("outer", "policy/base.if", 7, 4),
        ("middle", "policy/base.if", 4, 19),
        ("inner", "policy/base.if", 2, 3),
    ]
    assert where(done, ":domain") == [*where(done, "allow")[:3], ("inner", "policy/base.if", 2, 14)]
    assert where(done, "vmv_t_guest") == [*where(done, "allow")[:3], ("inner", "policy/base.if", 2, 12)]
    origin = done.place_at(done.text.index("allow")).origin()
    assert (origin.package, origin.file, origin.line) == ("app", "policy/app.te", 2)
    assert [(m.name, m.file, m.line) for m in origin.macros] == [
        ("outer", "base:policy/base.if", 7),
        ("middle", "base:policy/base.if", 4),
        ("inner", "base:policy/base.if", 2),
    ]


def test_lines_of_a_body_after_an_argument_of_several_lines_are_right():
    done = run("define(`m',`a $1\nb\nc')m(`1\n2\n3')\n")
    assert where(done, "b\n")[-1] == ("m", "policy/app.te", 2, 1)
    assert where(done, "c\n")[-1] == ("m", "policy/app.te", 3, 1)


def test_an_argument_of_several_lines_keeps_its_own():
    base = Source("base.if", "define(`optional', `\nbegin\n$1\nend')\n", "base")
    done = run("x\noptional(`\n  allow a b;\n  outer(c)\n')\n", BASE, base)
    assert where(done, "allow a") == [("", "policy/app.te", 2, 1), ("optional", "policy/app.te", 3, 3)]
    assert where(done, "type c") == [
        ("", "policy/app.te", 2, 1),
        ("optional", "policy/app.te", 4, 3),
        ("outer", "policy/base.if", 6, 2),
    ]
    assert where(done, "end")[-1] == ("optional", "base.if", 4, 1)


def test_branches_of_ifelse_and_ifdef_keep_their_lines():
    done = run("ifelse(a,b,`no',`\n  one\n  two')\nifdef(`len',`\n\n   three')\n")
    assert where(done, "two") == [("", "policy/app.te", 3, 3)]
    assert where(done, "three") == [("", "policy/app.te", 6, 4)]


def test_a_branch_inside_a_macro_is_placed_in_its_body():
    done = run("define(`m',`ifdef(`x', `,\n  no',\n  `yes $1')')\nm(`it')\n")
    assert where(done, "yes") == [("", "policy/app.te", 4, 1), ("m", "policy/app.te", 3, 4)]
    assert where(done, "it\n") == [("", "policy/app.te", 4, 1), ("m", "policy/app.te", 3, 8)]


def test_a_macro_that_a_macro_defines_is_placed_where_its_text_is():
    base = Source("base.if", "define(`declare', `\n  define(`$1_rules', `\n    allow $1;')')\n", "base")
    done = run("declare(`x')\n x_rules\n", base)
    assert where(done, "allow")[0] == ("", "policy/app.te", 2, 2)
    assert where(done, "allow")[1:] == [("x_rules", "base.if", 3, 5)]
    macro = done.table.get("x_rules")
    assert (macro.source.file, macro.line, macro.owner) == ("base.if", 2, "app")


def test_computed_text_is_placed_at_the_call():
    done = run("a len(`abcd')incr(6) format(`%s',`z')\n")
    assert where(done, "4") == [("", "policy/app.te", 1, 3)]
    assert where(done, "7") == [("", "policy/app.te", 1, 14)]


def test_the_end_of_the_text_is_the_end_of_the_last_source():
    done = run("a\nb\n")
    assert (done.place_at(len(done.text)).line, done.place_at(len(done.text)).column) == (3, 1)
    assert expand([], MacroTable.standard()).place_at(0).line == 1


def test_frames_are_shared_within_one_expansion_of_a_macro():
    done = run("outer(`a')outer(`b')\n", BASE)
    first, second = (done.place_at(done.text.index(f"type {n}")).frame for n in "ab")
    assert first is not second
    assert done.place_at(done.text.index("type a") + 3).frame is first


def test_errors_carry_the_macro_stack():
    with pytest.raises(PolicyError) as caught:
        run("\nbad(`x')\n", Source("base.if", "define(`worse',`\n syscmd($1)')define(`bad',`worse($1)')\n", "base"))
    assert [m.name for m in caught.value.origin.macros] == ["bad", "worse"]
    assert caught.value.origin.line == 2


def test_calls_name_who_wrote_the_call_and_who_defined_the_macro():
    base = Source("base.if", "define(`apply', `$1($2)\n')define(`own',`helper')define(`helper',`h')\n", "base")
    other = Source("other.if", "define(`named',`n$1')\n", "other")
    done = run("apply(`named', x)\nown own\nnamed\n", base, other)
    calls = {(c.name, c.owner, c.caller): (c.place.source.file, c.place.line) for c in done.calls}
    assert calls == {
        ("apply", "base", "app"): ("policy/app.te", 1),
        ("named", "other", "app"): ("base.if", 1),
        ("own", "base", "app"): ("policy/app.te", 2),
        ("helper", "base", "base"): ("base.if", 2),
    }


def test_the_author_of_an_argument_is_the_caller():
    done = run("outer(`vmv_t')\n", BASE)
    assert done.author_at(done.text.index("type")) == "base"
    assert done.author_at(done.text.index("vmv_t")) == "app"
    assert done.author_at(done.text.index("vmv_t_guest")) == "app"


def test_messages_have_a_kind_and_a_place():
    done = run("errprint(`careful', `now')\nincr(`x')define(`w',`incr(`y')')\nw\n")
    assert [(m.kind, m.place.line) for m in done.messages] == [
        (MessageKind.PRINTED, 1),
        (MessageKind.WARNING, 2),
        (MessageKind.WARNING, 2),
    ]
    assert done.messages[0].text == "careful now"
    assert [p.line for p in done.messages[2].place.stack()] == [3, 2]


def test_exports_are_what_a_package_defined():
    done = run("define(`mine',1)outer(`x')define(`inner',`changed')\n", BASE)
    assert set(done.table.owned_by({"app"})) == {"mine", "inner"}
    assert set(done.table.owned_by({"base"})) == {"middle", "outer"}
    seen = MacroTable.standard().with_table(done.table.owned_by({"base", "app"}))
    assert run("outer(`q')\n", table=seen).text == "type q;\n   changed\n\n"


def test_a_table_is_a_value():
    table = MacroTable.standard()
    names = set(table)
    run("define(`x',1)undefine(`len')\n", table=table)
    assert set(table) == names
    done = run("define(`x',`$1!')outer(`a')\n", BASE, table=table)
    assert run("x(`1')\n", table=pickle.loads(pickle.dumps(done.table))).text == "1!\n"


def test_given_definitions_have_a_place():
    table = MacroTable.standard().with_definitions({"xen": "4", "rule": "a\nb $1"}, Source("<target>", "", "target"))
    done = run("xen rule(`c')\n", table=table)
    assert done.text == "4 a\nb c\n"
    assert where(done, "b c")[-1] == ("rule", "<target>", 2, 1)
    assert table.get("xen").owner == "target"


def test_natives_are_called_with_their_arguments_and_their_text_is_read_again():
    table = MacroTable.standard().with_natives({"each": lambda given: "".join(f"{given[0]}({n})" for n in given[1:])})
    done = run("define(`f',`<$1>')each(`f', 1, 2) each\n", table=table)
    assert done.text == "<1><2> each\n"
    assert where(done, "<2>")[0] == ("", "policy/app.te", 1, 19)
    assert ("f", "app", "app") in {c[:3] for c in done.calls}


def test_what_a_native_refuses_is_an_error_at_the_call():
    def refuse(given):
        raise NativeError("unknown-function", f"no function {given[0]}", hint="see the list")

    table = MacroTable.standard().with_natives({"owner": refuse}, blind=False)
    with pytest.raises(PolicyError) as caught:
        run("a\n  owner(`x')\n", table=table)
    assert (caught.value.code, caught.value.origin.line, caught.value.origin.column) == ("unknown-function", 2, 3)
    assert caught.value.hint == "see the list"


def test_limits_of_depth_name_the_macro_stack():
    with pytest.raises(PolicyError) as caught:
        run("define(`x',`x')x\n", limits=Limits(depth=5))
    assert len(caught.value.origin.macros) == 6
