from __future__ import annotations

import pytest

from polpkg.errors import ExitCode, PolicyError
from polpkg.packages.manifest import ParameterType
from polpkg.packages.manifest_reader import missing_fragments, read_manifest

FULL = """\
[package]
name = "vmv"
version = "1.0.0"
summary = "Virtual Machine Verifier"
license = "MIT"
role = "vmv"
owns = ["vmv_*"]

[requires]
xen-base = ">=1,<2"
score = ">=1"

[xen]
versions = ">=4.14"

[functions]
provides = ["domain-builder", "domain-manager"]
guests = ["extra_t"]

[conflicts]
legacy-dom0 = "*"

[options.audit]
fragments = ["policy/audit.te"]
requires = { logger = "" }

[instance]
template = "vmv_instance"
[instance.parameters.guests]
type = "table"
default = ["guest"]
each = "vmv_guest"
[instance.parameters.memory]
type = "integer"
default = 64

[assertions]
"only the VMV creates its guests" = "assert_only_creator($prefix_t, $prefix_guest_t)"

[macros]
self_contained_policy = ""
"""


def findings(text):
    with pytest.raises(PolicyError) as caught:
        read_manifest(text)
    assert caught.value.exit_code is ExitCode.POLICY
    return [(found.code, found.origin.line if found.origin else 0) for found in caught.value.diagnostics]


def test_reads_all_of_it():
    manifest = read_manifest(FULL)
    assert (manifest.name, manifest.version, manifest.role, manifest.xen) == ("vmv", "1.0.0", "vmv", ">=4.14")
    assert [str(r) for r in manifest.requirements] == ["score>=1", "xen-base>=1,<2"]
    assert manifest.functions.provides == ("domain-builder", "domain-manager")
    assert manifest.functions.guests == ("extra_t",)
    assert manifest.options["audit"].requires == {"logger": ""}
    assert manifest.instance is not None
    assert manifest.instance.parameters["guests"].type is ParameterType.TABLE
    assert manifest.instance.parameters["guests"].default == ("guest",)
    assert manifest.instance.parameters["memory"].default == 64
    assert manifest.macros == {"self_contained_policy": ""}
    assert not manifest.own_abi


def test_the_smallest_manifest():
    manifest = read_manifest('package = { name = "a", version = "1" }')
    assert manifest.instance is None
    assert manifest.functions.clients == ""


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ('name = "vmv"', 'name = "Vmv"', "manifest-bad-name", 2),
        ('name = "vmv"', 'name = "role-transition"', "manifest-reserved-name", 2),
        ('name = "vmv"\n', "", "manifest-missing-key", 1),
        ('version = "1.0.0"', 'version = "one"', "manifest-bad-version", 3),
        ('version = "1.0.0"', "version = 1.0", "manifest-wrong-type", 3),
        ('license = "MIT"', "license = true", "manifest-wrong-type", 5),
        ('license = "MIT"', 'licence = "MIT"', "manifest-unknown-key", 5),
        ('owns = ["vmv_*"]', 'owns = ["vmv-*"]', "manifest-bad-prefix", 7),
        ('owns = ["vmv_*"]', "owns = [1]", "manifest-wrong-type", 7),
        ('score = ">=1"', 'score = "1"', "manifest-bad-specifier", 11),
        ('score = ">=1"', 'vmv = ">=1"', "manifest-requires-itself", 11),
        ('versions = ">=4.14"', 'versions = "4.14"', "manifest-bad-specifier", 14),
        ('"domain-builder"', '"domain-bilder"', "manifest-unknown-function", 17),
        ('guests = ["extra_t"]', 'clients = "all"', "manifest-wrong-value", 18),
        ('guests = ["extra_t"]', 'owner = "dom0"', "manifest-wrong-value", 18),
        ('["policy/audit.te"]', '["audit.te"]', "manifest-bad-path", 24),
        ('["policy/audit.te"]', '["policy/../x.te"]', "manifest-bad-path", 24),
        ('type = "table"', 'type = "tabel"', "manifest-wrong-value", 30),
        ('default = ["guest"]', "default = 3", "manifest-wrong-type", 31),
        ('default = ["guest"]', 'default = ["a", "a"]', "manifest-duplicate", 31),
        ('each = "vmv_guest"', 'each = "vmv guest"', "manifest-bad-identifier", 32),
        ("default = 64", 'default = 64\neach = "x"', "manifest-wrong-value", 36),
        ("[conflicts]", "[conflict]", "manifest-unknown-key", 20),
    ],
)
def test_names_the_line_of_a_problem(old, new, code, line):
    assert findings(FULL.replace(old, new, 1)) == [(code, line)]


def test_collects_all_problems_in_the_order_of_their_lines():
    text = FULL.replace('"MIT"', "3").replace('">=4.14"', '"x"').replace("[macros]", "[makros]")
    assert [code for code, _ in findings(text)] == [
        "manifest-wrong-type",
        "manifest-bad-specifier",
        "manifest-unknown-key",
    ]


def test_offers_the_nearest_key():
    with pytest.raises(PolicyError) as caught:
        read_manifest(FULL.replace("[conflicts]", "[confilcts]"))
    assert caught.value.hint == "did you mean `conflicts`?"


@pytest.mark.parametrize(("text", "line"), [("[package\n", 1), ("\nname = \n", 2), ("a = 1\na = 2\n", 2), ("[[[", 1)])
def test_says_where_it_is_not_toml(text, line):
    found = findings(text)
    assert found[0][0] == "manifest-syntax"
    assert found[0][1] in (line, line + 1)


@pytest.mark.parametrize("character", ["[", "9"])
def test_deep_nesting_and_long_numbers_are_errors_and_no_crash(character):
    assert findings("a = " + character * 100_000)[0][0] == "manifest-syntax"


def test_fragments_are_read_by_name_without_those_of_options():
    manifest = read_manifest(FULL)
    files = dict.fromkeys(
        ["policy/b.te", "policy/a.if", "policy/audit.te", "policy/sub/x.te", "README", "policy/c.txt"]
    )
    assert manifest.fragments(files) == ("policy/a.if", "policy/b.te")
    assert manifest.fragments(files, frozenset(["audit"])) == ("policy/a.if", "policy/audit.te", "policy/b.te")


def test_an_imported_tree_keeps_its_order():
    manifest = read_manifest(
        'package = { name = "a", version = "1" }\nxen.abi = "own"\nfragments.order = ["policy/z.te", "policy/m/a"]'
    )
    assert manifest.own_abi
    assert manifest.fragments({}) == ("policy/z.te", "policy/m/a")
    assert missing_fragments(manifest, {"policy/z.te": b""}) == ("policy/m/a",)
