"""The files of policy tests: what is read, and what is wrong with one, where."""

from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.packages.expectations import Access, NoFlow, Ownership, for_instances, read_tests
from polpkg.packages.instances import Instance
from polpkg.packages.manifest import Manifest
from polpkg.packages.requirement import Requirement

MANIFEST = Manifest("app", "1.0")
WHOLE = """\
with = ["netdom>=1"]
xen = ">=4.17"
[options]
app = ["audit"]
[instances.app.one]
guests = ["web"]
[booleans]
off = false
[[deny]]
source = ["*", "-$prefix_t"]
target = "x_t"
class = ["mmu", "grant"]
[[allow]]
name = "it may"
source = "$prefix_t"
target = "$prefix_$item_t"
class = "domain"
permissions = "create"
booleans = { on = true }
xen = "<5"
[[no-flow]]
from = "a_t"
to = "b_t"
through = "c_t"
[[owner]]
function = "domain-builder"
client = "x_t"
owners = ["a_t"]
"""


def read(text):
    return read_tests(text, "tests/x.toml", MANIFEST)


def test_reads_all_of_it_in_the_order_of_the_file():
    tests = read(WHOLE)
    assert tests.others == (Requirement("netdom", ">=1"),)
    assert (tests.xen, dict(tests.project.options)) == (">=4.17", {"app": ("audit",)})
    assert tests.project.instances == {"app": {"one": {"guests": ("web",)}}}
    deny, allow, flow, owner = tests.expectations
    assert isinstance(deny, Access)
    assert not deny.is_allowed
    assert (deny.source, deny.target, deny.classes, deny.permissions) == (
        ("*", "-$prefix_t"),
        ("x_t",),
        ("mmu", "grant"),
        (),
    )
    assert isinstance(allow, Access)
    assert (allow.common.name, allow.common.xen, allow.permissions) == ("it may", "<5", ("create",))
    assert allow.common.booleans == {"off": False, "on": True}
    assert isinstance(flow, NoFlow)
    assert (flow.source, flow.target, flow.through) == (("a_t",), ("b_t",), ("c_t",))
    assert isinstance(owner, Ownership)
    assert (owner.function, owner.client, owner.owners) == ("domain-builder", "x_t", ("a_t",))


def test_instances_and_items_stand_for_each():
    _, allow, flow, _ = read(WHOLE).expectations
    instances = (
        Instance("app", "app", "app", items=("web", "my-db")),
        Instance("app", "one", "app_one", items=("web",)),
    )
    found = [(each.source, each.target) for each in for_instances(allow, instances)]
    assert found == [
        (("app_t",), ("app_web_t",)),
        (("app_t",), ("app_my_db_t",)),
        (("app_one_t",), ("app_one_web_t",)),
    ]
    assert for_instances(flow, instances) == (flow,)
    assert for_instances(allow, ()) == ()


RULE = '[[allow]]\nsource = "a_t"\ntarget = "b_t"\nclass = "domain"\npermissions = "create"\n'


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("", "empty", 0, "no expectation"),
        ("[[alow]]\nsource = 'a'\n", "unknown-key", 1, "alow"),
        (RULE + "persmissions = 'x'\n", "unknown-key", 6, "persmissions"),
        (RULE + RULE.replace("source", "sorce"), "unknown-key", 7, "sorce"),
        (RULE + "[[allow]]\ntarget = 'b'\nclass = 'mmu'\npermissions = 'x'\n", "missing-key", 6, "`source`"),
        (RULE.replace('"a_t"', "3"), "wrong-type", 2, "source"),
        (RULE.replace('"a_t"', "[]"), "wrong-value", 2, "names nothing"),
        (RULE.replace('"a_t"', '""'), "wrong-value", 2, "empty name"),
        (RULE.replace('"a_t"', '["-a_t"]'), "wrong-value", 2, "out of nothing"),
        (RULE.replace('"domain"', '"*"'), "wrong-value", 4, "every class"),
        (RULE.replace('"create"', '"*"'), "wrong-value", 5, "every permission"),
        (RULE.replace('"domain"', '["mmu", "domain"]'), "wrong-value", 5, "single class"),
        (RULE.replace('permissions = "create"\n', ""), "missing-key", 1, "permissions"),
        (RULE + "booleans = { x = 1 }\n", "wrong-type", 6, "booleans"),
        (RULE + "xen = 'four'\n", "bad-specifier", 6, "four"),
        ("with = ['./x']\n" + RULE, "bad-requirement", 1, "path"),
        ("with = ['V mv']\n" + RULE, "bad-requirement", 1, "V"),
        ("[[owner]]\nfunction = 'net-backed'\nowners = 'a_t'\n", "unknown-function", 2, "net-backed"),
        ("[[owner]]\nfunction = 'platform'\n", "missing-key", 1, "owners"),
        ("[[no-flow]]\nfrom = 'a'\n", "missing-key", 1, "`to`"),
        ("[allow]\nsource = 'a'\n", "wrong-type", 1, "list"),
        ("allow = [1]\n", "wrong-type", 1, "list of tables"),
        ("[instances.app.Bad]\n" + RULE, "bad-name", 1, "Bad"),
        ("[[allow]\n", "syntax", 1, "TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, code, line, words):
    with pytest.raises(PolicyError) as caught:
        read(text)
    found = {d.code: d for d in caught.value.diagnostics}
    assert f"test-{code}" in found
    finding = found[f"test-{code}"]
    assert words in finding.message
    assert finding.origin is not None
    assert (finding.origin.file, finding.origin.line) == ("tests/x.toml", line)


def test_all_problems_are_told_at_once():
    with pytest.raises(PolicyError) as caught:
        read(RULE.replace("target", "taget") + RULE.replace("class", "clas"))
    assert [(d.code, d.origin.line) for d in caught.value.diagnostics if d.origin] == [
        ("test-missing-key", 1),
        ("test-unknown-key", 3),
        ("test-missing-key", 6),
        ("test-unknown-key", 9),
    ]
