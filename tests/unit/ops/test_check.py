"""`check`: how a package links for every ABI, and what lint says to it."""

from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.ops.check import check_package
from polpkg.ops.context import Context

MANIFEST = """[package]
name = "app"
version = "1.0"
summary = "An application"
license = "MIT"
owns = ["app_*"]

[requires]
xen-base = "*"

[options.extra]
fragments = ["policy/extra.te"]
"""
APP = {
    "polpkg.toml": MANIFEST,
    "policy/app.te": "declare_domain(app_t)\n",
    "policy/extra.te": "allow app_t xen_t:version xen_commandline;\n",
}
NEW = "allow app_t app_t_self:domain2 vuart_op;\n"


@pytest.fixture
def app(tmp_path):
    """The package directory; `app(file=text)` changes files of it."""

    def write(**changes):
        for path, text in {**APP, **changes}.items():
            (tmp_path / "app" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "app" / path).write_text(text)
        return Context(working_directory=tmp_path)

    return write


def claiming(versions):
    return f'{MANIFEST}\n[xen]\nversions = "{versions}"\n'


def test_a_package_that_is_in_order(app):
    answer = check_package(app(), "./app", xen="4.17")
    assert (answer.errors, answer.findings) == ((), ())
    assert [abi.versions for abi in answer.abis] == [("4.17.7",)]


def test_options_are_looked_at_too(app):
    answer = check_package(app(**{"policy/extra.te": "allow app_t nobody_t:domain pause;\n"}), "./app", xen="4.17")
    assert [d.code for d in answer.errors] == ["unknown-type"]


def test_every_hypervisor(app):
    changes = {"policy/app.te": APP["policy/app.te"] + NEW, "polpkg.toml": claiming(">=4.17,<4.19")}
    answer = check_package(app(**changes), "./app", all_xen=True)
    failing = [abi.versions for abi in answer.abis if abi.errors]
    passing = [abi.versions for abi in answer.abis if not abi.errors]
    assert failing
    assert passing
    assert {d.code for d in answer.errors} == {"unknown-permission"}


def test_one_hypervisor_tells_of_the_others(app):
    changes = {"policy/app.te": APP["policy/app.te"] + NEW, "polpkg.toml": claiming(">=4.17,<4.19")}
    answer = check_package(app(**changes), "./app")
    (only,) = answer.errors
    assert (only.code, only.origin.line) == ("unguarded-permission", 2)
    assert "permission `vuart_op` of class `domain2` does not exist in Xen 4.17" in only.message
    changes["policy/app.te"] = APP["policy/app.te"] + f"ifdef(`xen_perm_domain2_vuart_op', `{NEW.strip()}')\n"
    assert check_package(app(**changes), "./app").errors == ()


def test_what_cannot_be_expanded_on_another_release(app):
    text = APP["policy/app.te"] + "ifdef(`xen_perm_domain2_vuart_op', `', `allow app_t app_t_self')\n"
    answer = check_package(app(**{"policy/app.te": text, "polpkg.toml": claiming(">=4.17,<4.19")}), "./app")
    assert {d.code for d in answer.errors} == {"syntax-error"}


def test_advice(app):
    manifest = '[package]\nname = "app"\nversion = "1.0"\n[requires]\nxen-base = "*"\ndom0 = "*"\n'
    answer = check_package(app(**{"polpkg.toml": manifest}), "./app", xen="4.17")
    assert [d.code for d in answer.findings] == ["no-license", "no-summary", "owns-nothing", "unused-requirement"]
    assert (answer.findings[-1].origin.line, answer.findings[-1].excerpt) == (6, 'dom0 = "*"')


def test_findings_are_suppressed_where_they_are(app):
    manifest = MANIFEST.replace(
        "[requires]", "[requires]\n# polpkg: allow(unused-requirement) has to be there\ndom0 = '*'"
    )
    text = APP["policy/app.te"] + "permissive app_t; # polpkg: allow(permissive-type) until 2.0\n"
    answer = check_package(app(**{"polpkg.toml": manifest, "policy/app.te": text}), "./app", xen="4.17")
    assert (answer.findings, answer.abis[0].warnings) == ((), ())


def test_warnings_of_the_link_are_findings(app):
    answer = check_package(app(**{"policy/app.te": APP["policy/app.te"] + "permissive app_t;\n"}), "./app", xen="4.17")
    assert [d.code for d in answer.findings] == ["permissive-type"]


def test_no_known_release(app):
    with pytest.raises(PolicyError) as caught:
        check_package(app(**{"polpkg.toml": claiming("<3")}), "./app")
    assert caught.value.code == "no-xen-release"
