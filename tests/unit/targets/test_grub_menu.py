"""grub.cfg read as GRUB runs it, and judged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.targets.boot.grub_check import check_grub
from polpkg.targets.boot.grub_menu import find_file, read_menu
from polpkg.targets.boot.grub_syntax import parse_script
from polpkg.targets.boot.path import Served

CONFIG = "/boot/grub/grub.cfg"
SERVED = Served("/boot/xen-4.17.gz", "0" * 64, "4.17.7", "/boot/xenpolicy-4.17", "1" * 64)
ENTRIES = {"4.17": SERVED}


def entry(title="Xen", identity="a", options="xsm=flask flask=enforcing", policy="/xenpolicy-4.17", last=""):
    return f"""menuentry '{title}' --class xen $menuentry_id_option '{identity}' {{
  insmod gzio
  multiboot2 /xen-4.17.gz placeholder {options} ${{xen_rm_opts}}
  module2 /vmlinuz placeholder root=/dev/sda ro
  module2 --nounzip /initrd
  {f"module2 {policy}" if policy else ""}
  {last}
}}
"""


@pytest.fixture
def menu(tree):
    """`menu(text)`: what grub.cfg with this text gives."""
    tree.write("/boot/xen-4.17.gz", b"xen")
    tree.write("/boot/xenpolicy-4.17", b"policy")

    def read(text):
        tree.write(CONFIG, f'menuentry_id_option="--id"\n{text}'.encode())
        return read_menu(tree, CONFIG)

    return read


def codes(tree):
    return {each.code for each in check_grub(tree, ENTRIES)}


def test_words(menu):
    found = menu("set a=x\nset b='$a'\nset c=\"$a\\$a ${a}y\"\nset d=$a\\ z  # comment\nif true; then set e=1; fi\n")
    values = found.variables
    assert [values[name] for name in "abcde"] == ["x", "$a", "x$a xy", "x z", "1"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('[ "$a" = x ]', True),
        ('[ "$none" = x ]', False),
        ('[ -z "$none" ]', True),
        ("[ x$a = xx -a -n y ]", True),
        ("[ $a = y -o $a = x ]", True),
        ("[ ! $a = x ]", False),
        ("! [ $a = x ]", False),
        ("test -e /xen-4.17.gz", True),
        ("[ -s (hd0,gpt2)/boot/xen-4.17.gz ]", True),
        ("[ -s /other ]", False),
        ("[ ${none} ]", False),
        ("loadfont unicode", True),
        ("cmostest 1:2", False),
        ("load_env --file /none", False),
    ],
)
def test_conditions(menu, condition, holds):
    text = f"set a=x\nif {condition} ; then\n set r=yes\nelif false; then\n set r=what\nelse\n set r=no\nfi\n"
    assert menu(text).variables["r"] == ("yes" if holds else "no")


def test_the_default_by_number_title_and_id(menu):
    text = entry("One", "a") + "submenu 'More' --id more {\n" + entry("Two", "b") + entry("Three", "c") + "}\n"
    defaults = {"0": "a", "One": "a", "a": "a", "more>b": "b", "More>Three": "c", "": "a"}
    for default, identity in defaults.items():
        assert menu(f"set default='{default}'\n{text}").default.ids[-1] == identity
    for default in ("1", "7", "b", "none", "9" * 5000):
        assert menu(f"set default='{default}'\n{text}").default is None


def test_what_an_entry_sets_is_its_own(menu):
    assert "inside" not in menu(entry(last="set inside=1")).variables


def test_a_good_configuration(menu, tree):
    menu(entry())
    assert codes(tree) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"options": "flask=enforcing"},
        {"options": "xsm=flask"},
        {"options": "xsm=flask flask=enforcing flask=permissive"},
        {"options": "xsm=silo xsm=flask flask=late"},
        {"options": "xsm=flask flask=enforce"},
        {"policy": ""},
        {"policy": "/xenpolicy-4.18"},
        {"last": "module2 /ucode"},
    ],
)
def test_an_entry_that_does_not_enforce_the_policy(menu, tree, change):
    menu(entry(**change))
    assert codes(tree) >= {"boot-entry-missing", "boot-default-other"}


def test_a_word_that_panics_is_named(menu, tree):
    """Xen 4.22 panics on a word that `flask=` does not have, whatever the policy is."""
    menu(entry(options="xsm=flask flask=enforce"))
    (told,) = [each.message for each in check_grub(tree, ENTRIES) if each.code == "boot-default-other"]
    assert "Xen panics on flask=enforce" in told


def test_a_policy_that_an_older_script_lists_as_a_hypervisor(menu, tree):
    menu(entry("Xen policy", "p").replace("multiboot2 /xen-4.17.gz", "multiboot2 /xenpolicy-4.17") + entry())
    assert codes(tree) == {"boot-default-other"}


def test_a_later_option_counts(menu, tree):
    menu(entry(options="flask=permissive xsm=flask flask=enforcing"))
    assert codes(tree) == set()


def test_another_entry_is_the_default(menu, tree):
    menu(entry("Plain", "plain", options="", policy="") + entry())
    assert codes(tree) == {"boot-default-other"}
    menu("set default=none\n" + entry())
    assert codes(tree) == {"boot-default-unknown"}


def test_an_entry_in_a_submenu_counts(menu, tree):
    menu("set default='m>a'\nsubmenu M --id m {\n" + entry() + "}\n")
    assert codes(tree) == set()


def test_the_mistake_of_grub_206(menu, tree):
    menu(entry() + entry("Debian, with Xen 4.17 (XSM enabled)", "b", options="", policy=""))
    assert codes(tree) == {"grub-xsm-entry-empty"}
    menu(entry() + entry("Debian, with Xen 4.17 (XSM enabled)", "b", options="flask=enforcing"))
    assert codes(tree) == set()


def test_no_configuration_yet(tree):
    assert codes(tree) == {"no-grub-cfg"}


def test_files_as_grub_calls_them(tree):
    tree.write("/boot/xen", b"")
    assert find_file(tree, "/xen") == find_file(tree, "(hd0)/boot/xen") == "/boot/xen"
    assert find_file(tree, "") is None


WORDS = st.lists(
    st.sampled_from(
        [
            "if",
            "then",
            "else",
            "elif",
            "fi",
            "{",
            "}",
            ";",
            "\n",
            "[",
            "]",
            "menuentry",
            "'",
            '"',
            "\\",
            "$a",
            "${",
            "x=1",
            "for",
            "done",
        ]
    ),
    max_size=25,
)


@settings(max_examples=300)
@given(WORDS)
def test_no_text_breaks_the_reader(words):
    parse_script(" ".join(words))
