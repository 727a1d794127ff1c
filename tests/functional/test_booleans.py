"""`boolean` and `permissive`: settings of a target that outlive upgrades, and what becomes of them."""

from __future__ import annotations

import json

import pytest

from polpkg.policy.policydb import lift, read_policydb

BOOT = "boot/xenpolicy-4.17-amd64"


def policy_of(root):
    return lift(read_policydb((root / BOOT).read_bytes()))


def values(root):
    return {b.name: b.default for b in policy_of(root).booleans}


def test_the_list_names_defaults_values_packages_and_comments(call, installed):
    call("boolean", "set", "guest_writeconsole", "off", "--root", installed)
    found = {b["name"]: b for b in call("boolean", "list", "--root", installed, "--json").document["booleans"]}
    assert {n: b["current"] for n, b in found.items()} == values(installed)
    console = found["guest_writeconsole"]
    assert (console["default"], console["current"], console["is_set"]) == (True, False, True)
    assert (console["package"], console["file"]) == ("xen-base", "policy/every-domain.te")
    assert console["description"] == "Write to the console of the hypervisor, as kernels do while they boot."
    text = call("boolean", "list", "--root", installed).out
    assert "guest_writeconsole: off, on by default, set in policy.toml (xen-base)" in text
    assert "domU_debug: off (domu)\n  A debugger" in text


def test_a_value_is_compiled_in_and_outlives_other_changes(call, installed):
    before = (installed / BOOT).read_bytes()
    done = call("boolean", "set", "domU_debug", "on", "--root", installed, "--json")
    assert (done.code, done.document["generation"]) == (0, 3)
    assert values(installed)["domU_debug"] is True
    assert "[booleans]\ndomU_debug = true" in (installed / "etc/polpkg/policy.toml").read_text()
    assert call("verify", "--root", installed).code == 0
    assert call("boolean", "set", "domU_debug", "on", "--root", installed).out.startswith("nothing to do")
    call("install", "stordom", "--root", installed)
    call("upgrade", "--root", installed)
    assert values(installed)["domU_debug"] is True
    call("remove", "stordom", "--root", installed)
    assert call("boolean", "set", "domU_debug", "default", "--root", installed).code == 0
    assert (installed / BOOT).read_bytes() == before
    assert "booleans" not in (installed / "etc/polpkg/policy.toml").read_text()


def test_a_dry_run_changes_nothing(call, installed):
    before = (installed / BOOT).read_bytes()
    assert call("boolean", "set", "domU_debug", "on", "--root", installed, "--dry-run").code == 10
    assert call("permissive", "add", "vmv_t", "--root", installed, "--dry-run").code == 10
    assert (installed / BOOT).read_bytes() == before


def test_a_value_goes_with_the_package_that_declares_its_boolean(call, installed, tmp_path):
    call("init", "kiosk")
    (tmp_path / "kiosk/policy/kiosk.te").write_text("gen_bool(kiosk_open, false)\n")
    call("install", "./kiosk", "--root", installed)
    assert call("boolean", "set", "kiosk_open", "on", "--root", installed).code == 0
    assert values(installed)["kiosk_open"] is True
    done = call("remove", "kiosk", "--root", installed)
    assert done.code == 0
    assert "warning[setting-dropped]" in done.told
    assert "kiosk_open" not in (installed / "etc/polpkg/policy.toml").read_text()
    assert call("verify", "--root", installed).code == 0


def test_the_declarer_may_lose_it(call, installed, tmp_path):
    call("init", "kiosk")
    (tmp_path / "kiosk/policy/kiosk.te").write_text("gen_bool(kiosk_open, false)\n")
    call("install", "./kiosk", "--root", installed)
    call("boolean", "set", "kiosk_open", "on", "--root", installed)
    (tmp_path / "kiosk/policy/kiosk.te").write_text("gen_bool(kiosk_opened, false)\n")
    before = (installed / BOOT).read_bytes()
    done = call("install", "./kiosk", "--root", installed, "--json")
    error = done.document["error"]
    assert (done.code, error["code"], error["hint"]) == (5, "project-unknown-boolean", "did you mean `kiosk_opened`?")
    assert error["where"]["file"].endswith("policy.toml")
    assert error["where"]["line"] > 0
    assert (installed / BOOT).read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        (("boolean", "set", "domU_debag", "on"), 2, "unknown-boolean", "did you mean `domU_debug`?"),
        (("boolean", "set", "domU_debag", "default"), 2, "unknown-boolean", "did you mean `domU_debug`?"),
        (("boolean", "set", "domU_debug", "maybe"), 2, "usage", ""),
        (("permissive", "add", "vmw_t"), 2, "unknown-type", "did you mean `vmv_t`?"),
        (("permissive", "add", "domain_type"), 2, "unknown-type", ""),
        (("permissive", "remove", "vmv_t"), 2, "not-permissive", "permissive are: none"),
    ],
)
def test_what_is_mistyped(call, installed, words, code, error, hint):
    done = call(*words, "--root", installed, "--json")
    assert (done.code, done.document["error"]["code"]) == (code, error)
    assert hint in (done.document["error"]["hint"] or "")


def test_a_target_without_policy_has_no_booleans(call, empty):
    for words in (("list",), ("set", "domU_debug", "on")):
        done = call("boolean", *words, "--root", empty, "--json")
        assert (done.code, done.document["error"]["code"]) == (6, "no-generation")
    assert call("boolean", "set", "x", "on", "--host", "local", "--json").document["error"]["exit"] == 6


def test_a_file_with_a_value_of_another_type(call, installed):
    project = installed / "etc/polpkg/policy.toml"
    project.write_text(project.read_text() + '\n[booleans]\ndomU_debug = "on"\n')
    done = call("sync", "--root", installed, "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "project-wrong-type")


def test_a_learning_run_is_told_everywhere_and_ends(call, installed):
    before = (installed / BOOT).read_bytes()
    done = call("permissive", "add", "vmv_t", "netdom_t", "--root", installed)
    assert done.code == 0
    assert "! PERMISSIVE, for a learning run: netdom_t, vmv_t" in done.out
    assert done.err.count("warning[permissive-type]") == 2
    assert {t.name for t in policy_of(installed).types if t.permissive} == {"vmv_t", "netdom_t"}
    assert "! PERMISSIVE, for a learning run: netdom_t, vmv_t" in call("status", "--root", installed).out
    status = call("status", "--root", installed, "--json").document
    assert status["policy"]["permissive"] == ["netdom_t", "vmv_t"]
    receipt = json.loads((installed / "var/lib/polpkg/generations/3/receipt.json").read_text())
    assert receipt["policies"][0]["permissive"] == ["netdom_t", "vmv_t"]
    assert call("verify", "--root", installed).code == 0
    again = call("sync", "--root", installed).out
    assert "! PERMISSIVE, for a learning run: netdom_t, vmv_t" in again
    assert "nothing to do" in again
    call("permissive", "remove", "netdom_t", "--root", installed)
    assert call("permissive", "remove", "vmv_t", "--root", installed).code == 0
    assert (installed / BOOT).read_bytes() == before
    assert "permissive" not in (installed / "etc/polpkg/policy.toml").read_text()


def test_the_package_of_a_permissive_type_goes(call, installed):
    call("permissive", "add", "netdom_t", "--root", installed)
    call("permissive", "add", "vmv_t", "--root", installed)
    done = call("remove", "netdom", "--root", installed, "--json")
    assert done.code == 0
    assert "warning[setting-dropped]: the package of `netdom_t` goes" in done.told
    assert 'permissive = ["vmv_t"]' in (installed / "etc/polpkg/policy.toml").read_text()
    assert done.document["policy"]["permissive"] == ["vmv_t"]


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("policy/kiosk.te", "# permissive\n\npermissive kiosk_t;\n", 3),
        ("policy/kiosk.te", "define(`kiosk_learn', `\n\tpermissive $1;\n')\n", 2),
        ("policy/kiosk.te", "ifdef(`nobody_defines_this', `permissive kiosk_t;')\n", 1),
        ("policy/kiosk.cil", "; permissive\n(typepermissive kiosk_t)\n", 2),
    ],
)
def test_a_release_makes_nothing_permissive(call, tmp_path, file, text, line):
    call("init", "kiosk")
    (tmp_path / "kiosk" / file).write_text(text)
    done = call("build", "kiosk", "-o", "dist", "--json")
    error = done.document["error"]
    assert (done.code, error["code"]) == (5, "permissive-in-release")
    assert (error["where"]["file"], error["where"]["line"]) == (file, line)
    assert not (tmp_path / "dist").exists()


def test_the_word_in_a_comment_is_no_statement(call, tmp_path):
    call("init", "kiosk")
    (tmp_path / "kiosk/policy/kiosk.te").write_text(
        "# permissive kiosk_t;\ndnl permissive kiosk_t;\ngen_bool(kiosk_permissive, false)\n"
    )
    assert call("build", "kiosk", "-o", "dist").code == 0


def test_a_package_with_bad_tests_is_not_built(call, tmp_path):
    call("init", "kiosk")
    (tmp_path / "kiosk/tests/policy.toml").write_text("[[alow]]\n")
    done = call("build", "kiosk", "-o", "dist", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "test-unknown-key")


@pytest.fixture
def kiosk(call, tmp_path):
    """`kiosk(options)` writes a package with a boolean, and these tables of options."""
    call("init", "kiosk")
    folder = tmp_path / "kiosk"
    manifest = (folder / "polpkg.toml").read_text()
    (folder / "policy/kiosk.te").write_text("# Anybody may come in.\ngen_bool(kiosk_open, false)\n")

    def write(options):
        (folder / "polpkg.toml").write_text(f"{manifest}\n{options}")

    return write


def test_an_option_gives_a_boolean_another_default_and_policy_toml_has_the_last_word(call, installed, kiosk):
    kiosk("[options.public]\nbooleans = { kiosk_open = true }\n")
    assert call("check", "kiosk", "--level", "note").code == 0
    call("install", "./kiosk", "--option", "kiosk:public", "--root", installed)
    assert values(installed)["kiosk_open"] is True
    text = call("boolean", "list", "--root", installed).out
    assert "kiosk_open: on, off by default, by option kiosk:public (kiosk)\n  Anybody may come in.\n" in text
    call("boolean", "set", "kiosk_open", "off", "--root", installed)
    assert values(installed)["kiosk_open"] is False
    assert call("verify", "--root", installed).code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("[options.public]\nbooleans = { kiosk_opne = true }\n", "unknown-boolean"),
        ("[options.public]\nbooleans = { domU_debug = true }\n", "foreign-boolean"),
        ("[options.public.booleans]\nkiosk_open = 1\n", "manifest-wrong-type"),
        ('[options.public.booleans]\n"no name" = true\n', "manifest-bad-identifier"),
        (
            "[options.a.booleans]\nkiosk_open = true\n[options.b.booleans]\nkiosk_open = false\n",
            "options-disagree",
        ),
    ],
)
def test_an_option_that_says_something_else_about_booleans(call, kiosk, options, code):
    kiosk(options)
    done = call("check", "kiosk", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, code)
    assert done.document["error"]["where"]["line"] > 0
