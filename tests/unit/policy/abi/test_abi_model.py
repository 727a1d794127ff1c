from hashlib import sha256

import pytest

from polpkg.policy.abi import Abi, SecurityClass, load_abi, parse_table, version_numbers

FILE = SecurityClass("file", ("read", "write"))
DOMAIN = SecurityClass("domain", ("create", "read"))
ABI = Abi((FILE, DOMAIN), ("kernel", "security"), "4.99.1")


def test_numbers_follow_the_order():
    assert [ABI.class_id(c.name) for c in ABI.classes] == [1, 2]
    assert ABI.permission_bit("file", "write") == 1
    assert ABI.permission_bit("domain", "read") == 1
    assert ABI.sid_number("security") == 2
    assert ABI.permissions("domain") == ("create", "read")


def test_membership():
    assert ABI.has_class("file")
    assert not ABI.has_class("socket")
    assert ABI.has_permission("file", "read")
    assert not ABI.has_permission("file", "create")
    assert not ABI.has_permission("socket", "read")


@pytest.mark.parametrize(
    "lookup",
    [
        lambda: ABI.class_id("socket"),
        lambda: ABI.permission_bit("socket", "read"),
        lambda: ABI.permission_bit("file", "create"),
        lambda: ABI.permissions("socket"),
        lambda: ABI.sid_number("nobody"),
    ],
)
def test_unknown_names_are_key_errors(lookup):
    with pytest.raises(KeyError):
        lookup()


def test_the_fingerprint_is_the_digest_of_the_table_without_the_version():
    text = "class file read write\nclass domain create read\nsid kernel\nsid security\n"
    assert ABI.text == text
    assert ABI.fingerprint == sha256(text.encode()).hexdigest()
    assert Abi(ABI.classes, ABI.initial_sids).fingerprint == ABI.fingerprint
    assert Abi((DOMAIN, FILE), ABI.initial_sids).fingerprint != ABI.fingerprint
    assert Abi(ABI.classes, ABI.initial_sids[::-1]).fingerprint != ABI.fingerprint


def test_a_table_survives_being_written_and_read():
    assert parse_table(ABI.text, "4.99.1") == ABI
    bare = Abi((SecurityClass("empty", ()),), ("kernel",))
    assert parse_table(bare.text) == bare


@pytest.mark.parametrize("line", ["klass file read", "sid two names", "class", "sid"])
def test_other_lines_are_refused(line):
    with pytest.raises(ValueError, match="not a line"):
        parse_table(f"class file read\n{line}\n")


@pytest.mark.parametrize(
    ("classes", "sids"),
    [
        ((FILE, FILE), ()),
        ((FILE,), ("kernel", "kernel")),
        ((SecurityClass("file", ("read", "read")),), ()),
        ((SecurityClass("file", tuple(f"p{n}" for n in range(33))),), ()),
    ],
)
def test_ambiguous_tables_are_refused(classes, sids):
    with pytest.raises(ValueError, match=r"two numbers|twice"):
        Abi(classes, sids)


def test_user_space_classes_come_last_and_leave_the_fingerprint_alone():
    store = SecurityClass("xenstore", ("read", "write"))
    extended = load_abi("4.17").with_user_space([store])
    assert extended.class_id("xenstore") == 14
    assert extended.permission_bit("xenstore", "write") == 1
    assert extended.all_classes[-1] == store
    assert extended.fingerprint == load_abi("4.17").fingerprint
    assert not load_abi("4.17").has_class("xenstore")
    with pytest.raises(ValueError, match="two numbers"):
        extended.with_user_space([store])


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("4.18.3", (4, 18, 3)),
        ("4.18", (4, 18)),
        ("4.17.7-pre", (4, 17, 7)),
        ("4.21-unstable", (4, 21)),
        ("4.x.1", (4,)),
        ("4.²", (4,)),
        ("4." + "9" * 5000, (4,)),
        ("unstable", ()),
        ("", ()),
    ],
)
def test_version_numbers(version, numbers):
    assert version_numbers(version) == numbers
    assert Abi((), (), version).version_numbers == numbers
