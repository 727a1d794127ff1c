"""`polpkg diff`, as a person and as a script use it."""

from __future__ import annotations

import pytest

ALL = (
    "allow audit type_rules types attributes roles users booleans role_rules constraints contexts levels capabilities"
).split()


def test_generations_of_a_target(call, installed):
    done = call("diff", 1, 2, "--root", installed, "--json")
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert not document["same"]
    for section in ALL:
        assert {"added", "removed"} <= set(document[section])
    assert "netdom_t" in document["types"]["added"]
    assert document["types"]["removed"] == []
    lost = {(rule["target"], rule["class"], *rule["permissions"]) for rule in document["allow"]["removed"]}
    assert ("dom0_t", "grant", "copy") in lost
    assert document["abi"]["old"]["fingerprint"] == document["abi"]["new"]["fingerprint"]


def test_the_way_back_is_the_opposite(call, installed):
    there = call("diff", 1, 2, "--root", installed, "--json").document
    back = call("diff", 2, 1, "--root", installed, "--json").document
    for section in ALL:
        assert there[section]["added"] == back[section]["removed"]


def test_a_file_and_a_generation(call, installed):
    file = installed / "boot/xenpolicy-4.17-amd64"
    done = call("diff", file, 2, "--root", installed)
    assert (done.code, done.out) == (0, f"{file} and generation 2, Xen 4.17.7 say the same\n")
    assert call("diff", file, 1, "--root", installed, "--json").document["types"]["removed"]


def test_requirements_and_hypervisors(call):
    done = call("diff", "dom0", "netdom", "--xen", "4.17")
    assert done.code == 0
    assert done.out.startswith("from dom0 to netdom:\n  newly allowed (")
    assert "[netdom 1.0.0]" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    whole = call("diff", "dom0", "netdom", "--xen", "4.17", "--verbose")
    assert whole.out.startswith("from dom0 to netdom:\n  + allow ")
    assert "\n  + type netdom_t\n" in whole.out
    assert max(map(len, whole.out.splitlines())) <= 80
    call("link", "dom0", "domu", "--xen", "4.17", "-o", "one.bin")
    call("link", "dom0", "domu", "--xen", "4.18", "-o", "other.bin")
    document = call("diff", "one.bin", "other.bin", "--json").document
    assert document["abi"]["changes"]["permissions"]["added"]
    assert document["types"] == {"added": [], "removed": [], "changed": []}


CONF = """\
class domain
sid xen
class domain { create pause }
type xen_t;
bool fast true;
bool safe true;
role r;
role r types xen_t;
allow xen_t self:domain create;
if (CONDITION) { allow xen_t self:domain pause; }
user u roles r;
sid xen u:r:xen_t
"""


def test_files_that_say_the_same(call, tmp_path):
    """What compilers may write otherwise is told from what a policy says."""
    for name, condition in (("one", "fast || safe"), ("other", "safe || fast")):
        (tmp_path / "policy.conf").write_text(CONF.replace("CONDITION", condition))
        call("import", "policy.conf", "--name", name, "-o", "out")
        assert call("link", name, "--index", "t=out", "--xen", "4.17", "-o", f"{name}.bin").code == 0
    assert call("diff", "one.bin", "one.bin").out == "one.bin and one.bin say the same\nbyte for byte\n"
    done = call("diff", "one.bin", "other.bin")
    assert done.out == (
        "one.bin and other.bin say the same\n"
        "and in form, as compilers may, with one.bin on the left:\n"
        "  a condition may be spelt in another way that means the same (condition-spelling):\n"
        "    rule: the same conditions are spelt otherwise\n"
    )
    document = call("diff", "one.bin", "other.bin", "--json").document
    assert (document["same"], document["same_bytes"]) == (True, False)
    assert [form["rule"] for form in document["forms"]] == ["condition-spelling"]


def test_lock_files(call):
    for name, packages in (("one", ["dom0"]), ("other", ["dom0", "netdom"])):
        assert call("lock", *packages, "-o", f"{name}.lock").code == 0
    assert call("diff", "one.lock", "other.lock").code == 2
    done = call("diff", "one.lock", "other.lock", "--xen", "4.17", "--json")
    assert done.code == 0
    assert "netdom_t" in done.document["types"]["added"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("dom0", "netdom"), 6),
        (("no-such-package", "dom0", "--xen", "4.17"), 3),
        (("1", "2", "--root", "nowhere"), 6),
        (("x y", "dom0", "--xen", "4.17"), 2),
        (("text", "text"), 5),
    ],
)
def test_what_cannot_be_compared(call, tmp_path, words, code):
    (tmp_path / "text").write_text("no policy")
    assert call("diff", *words).code == code


def test_the_gravest_comes_first_and_only_so_much(call, installed):
    """What a person reads is bounded; `--json` has all of it, with the packages that say so."""
    call("link", "dom0", "domu", "--xen", "4.17", "-o", "small.bin")
    text = call("diff", "small.bin", 2, "--root", installed).out
    assert max(map(len, text.splitlines())) <= 80
    assert "more like these" in text
    document = call("diff", 1, 2, "--root", installed, "--json").document
    rules = document["allow"]["added"]
    assert {"packages", "function"} <= set(rules[0])
    assert any(rule["packages"] == ["netdom 1.0.0"] for rule in rules)
