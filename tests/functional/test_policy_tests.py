"""`polpkg test`: the tests of the packages that come along, and tests that fail, cannot be judged, or are wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_MAIN = Path(__file__).parents[2]
PACKAGES = sorted(
    manifest.parent
    for folder in ("polpkg/bundled", "plugins")
    for manifest in (_MAIN / folder).rglob("polpkg.toml")
    if "build" not in manifest.relative_to(_MAIN).parts and ".venv" not in manifest.parts
)
LEAST_COVERAGE = 80
"""Of the lines of every package of ours that grant something, in per cent."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_the_packages_that_come_along_keep_their_expectations(call, package):
    done = call("test", package, "--json")
    assert (done.code, done.document["failures"]) == (0, [])
    coverage = done.document["coverage"]
    assert coverage["percent"] >= LEAST_COVERAGE, coverage["untouched"]
    assert coverage["untested_options"] == []


@pytest.fixture
def app(call, tmp_path):
    """`app(text)` writes a package with one kind of domain and guests, whose tests are `text`."""
    call("init", "app", "--role", "vmv")

    def write(text):
        (tmp_path / "app/tests/policy.toml").write_text(text)
        return call

    return write


def rule(kind, source, target, security_class, permissions="", **more):
    lines = [f"[[{kind}]]", f'source = "{source}"', f'target = "{target}"', f'class = "{security_class}"']
    if permissions:
        lines.append(f"permissions = {permissions.split()!r}")
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in more.items())]) + "\n"


def test_a_new_package_has_tests_that_hold(call, tmp_path):
    for name, words in (("plain", ()), ("mine", ("--role", "vmv"))):
        call("init", name, *words)
        done = call("test", name)
        assert (done.code, done.err) == (0, "")
        assert re.search(rf"^{name} 0.1.0: \d+ expectations held on \d+ ABIs of Xen$", done.out, re.MULTILINE)
    call("build", "mine", "-o", "dist")
    assert call("test", "dist/mine-0.1.0.polpkg").code == 0


def test_a_denied_access_that_a_rule_grants_names_the_rule_and_its_package(app):
    call = app(rule("deny", "dom0_t", "app_t", "domain", "create pause"))
    done = call("test", "app")
    assert done.code == 5
    assert "error[test-failed]: expected to be denied: dom0_t may create app_t (domain)" in done.told
    assert "--> app 0.1.0: tests/policy.toml:1:3" in done.told
    assert re.search(r"note: allow dom0_t app_t:domain \{[^}]*create[^}]*\}: app 0.1.0: policy/app.if:9:2", done.told)
    assert "in macro create_domain_common (xen-base:policy/domains.if:" in done.told
    assert "1 of 1 expectation failed" in done.out


def test_a_failure_as_json(app):
    call = app(rule("allow", "app_t", "app_guest_t", "domain", "create setdebugging"))
    done = call("test", "app", "--xen", "4.17", "--json")
    assert done.code == 5
    document = done.document
    assert (document["error"]["code"], document["error"]["exit"]) == ("test-failed", 5)
    (failure,) = document["failures"]
    assert (failure["kind"], failure["xen"], failure["where"]["line"]) == ("allow", ["4.17.7"], 1)
    assert failure["message"] == "expected to be allowed: app_t may not setdebugging app_guest_t (domain)"
    assert (document["expectations"], document["failed"]) == (1, 1)


def test_a_rule_under_a_boolean_counts_for_deny_unless_the_test_fixes_it(app):
    denied = ("deny", "dom0_t", "domU_t", "domain", "setdebugging")
    call = app(rule(*denied))
    assert "if domU_debug: allow dom0_t domU_t:domain setdebugging" in call("test", "app").told
    app(rule(*denied, booleans="{ domU_debug = false }"))
    assert call("test", "app").code == 0
    app(rule("allow", *denied[1:]))
    failed = call("test", "app")
    assert failed.code == 5
    assert "only if domU_debug: allow dom0_t domU_t:domain setdebugging" in failed.told
    app("[booleans]\ndomU_debug = true\n" + rule("allow", *denied[1:]))
    assert call("test", "app").code == 0


def test_a_flow_is_shown_step_by_step(app):
    call = app('[[no-flow]]\nfrom = "domU_t"\nto = "app_guest_t"\nbooleans = { show_event_channels = false }\n')
    done = call("test", "app")
    assert done.code == 5
    assert re.search(r"expected no flow: domU_t -> dom0_t -> app_t -> app_guest_t", done.told)
    assert re.search(r"note: app_t -> app_guest_t: allow app_t app_guest_t:", done.told)
    app('[[no-flow]]\nfrom = "domU_t"\nto = "app_guest_t"\nthrough = ["dom0_t", "app_t"]\n')
    assert "show_event_channels" in call("test", "app").told


def test_an_owner_that_is_another(app):
    call = app('[[owner]]\nfunction = "net-backend"\nclient = "domU_t"\nowners = "app_t"\n')
    done = call("test", "app")
    assert done.code == 5
    assert "expected app_t to own net-backend for domU_t: it is dom0_t" in done.told
    app('with = ["netdom"]\n[[owner]]\nfunction = "net-backend"\nclient = "domU_t"\nowners = "netdom_t"\n')
    assert call("test", "app").code == 0
    nobody = '[[owner]]\nfunction = "policy-admin"\nowners = "nobody"\n'
    app(nobody)
    assert "expected nobody to own policy-admin for the host: it is dom0_t" in call("test", "app").told
    app(f'with = ["sealed-policy"]\n{nobody}')
    assert call("test", "app").code == 0


def test_what_a_hypervisor_lacks_is_skipped_and_told(app):
    call = app(rule("allow", "dom0_t", "domU_t", "domain2", "get_domain_state"))
    done = call("test", "app")
    assert done.code == 0
    assert "domain2:get_domain_state is there since Xen 4.21.0" in done.out
    old = call("test", "app", "--xen", "4.17", "--json").document
    assert (old["judged"], old["skipped"]) == (0, 1)
    app(rule("allow", "dom0_t", "domU_t", "domain", "getextvcpucontext"))
    assert call("test", "app", "--json").document["error"]["code"] == "test-never-judged"
    app(rule("deny", "dom0_t", "domU_t", "domain", "destroy", xen='">=9"'))
    assert call("test", "app", "--json").document["error"]["code"] == "test-never-judged"


def test_a_failure_on_some_hypervisors_names_them(app):
    call = app(rule("deny", "xenboot_t", "domU_t", "domain", "create", xen='">=4.17,<4.19"'))
    done = call("test", "app")
    assert done.code == 5
    assert "(Xen 4.17.0 to 4.1" in done.told


@pytest.mark.parametrize(
    ("text", "code", "line", "hint"),
    [
        (rule("allow", "ap_t", "app_t", "mmu", "adjust"), "test-unknown-type", 2, "did you mean `app_t`?"),
        (rule("deny", "app_t", "domu_t", "mmu"), "test-unknown-type", 3, "domU_t"),
        (rule("deny", "app_t", "app_t", "mmmu"), "test-unknown-class", 4, "did you mean `mmu`?"),
        (rule("deny", "app_t", "app_t", "mmu", "map_reed"), "test-unknown-permission", 5, "did you mean `map_read`?"),
        (
            rule("deny", "app_t", "app_t", "mmu", booleans="{ domU_debag = true }"),
            "test-unknown-boolean",
            5,
            "domU_debug",
        ),
        (rule("deny", "app_t", "-app_t", "mmu"), "test-wrong-value", 3, "begin with"),
        (rule("deny", "$prefix_$itm_t", "app_t", "mmu"), "test-unknown-type", 2, ""),
        ('[[owner]]\nfunction = "console"\nclient = "domX_t"\nowners = "app_t"\n', "test-unknown-type", 3, "domU_t"),
        ("[options]\napp = ['x']\n" + rule("deny", "app_t", "app_t", "hvm"), "no-solution", None, ""),
        ("[instances.ap.x]\n" + rule("deny", "app_t", "app_t", "hvm"), "project-absent-package", 1, "app"),
        (
            "[instances.app.x]\nguest = ['y']\n" + rule("deny", "app_t", "app_t", "hvm"),
            "project-unknown-parameter",
            2,
            "did you mean `guests`?",
        ),
        ("with = ['netdon']\n" + rule("deny", "app_t", "app_t", "hvm"), None, None, ""),
    ],
)
def test_names_that_nothing_has(app, text, code, line, hint):
    done = app(text)("test", "app", "--json")
    assert done.code in (3, 5)
    error = done.document["error"]
    assert code is None or error["code"] == code
    assert hint in (error["hint"] or "")
    if line is not None:
        assert (error["where"]["file"], error["where"]["line"]) == ("tests/policy.toml", line)


def test_check_reads_the_tests_too(app):
    done = app("[[alow]]\n")("check", "app", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "test-unknown-key")


def test_without_tests(call, tmp_path):
    call("init", "app")
    (tmp_path / "app/tests/policy.toml").unlink()
    assert call("test", "app", "--json").document["error"]["code"] == "no-tests"
    assert call("check", "app").code == 0
    assert call("test", "nowhere", "--json").document["error"]["code"] == "not-a-package"


def test_coverage_lists_lines_and_options(call, app):
    call("init", "more")
    app(rule("allow", "app_t", "app_guest_t", "domain", "create"))
    done = call("test", "app", "--coverage")
    assert re.search(r"^policy/app.if:7: \d rules$", done.out, re.MULTILINE)
    assert re.search(r"^coverage: 1 of 7 lines that grant something \(14%\)$", done.out, re.MULTILINE)
    assert "policy/app.if:17:" not in done.out


def labels(kind, source, target, security_class, permissions=""):
    text = '[instances.domu-isolated.domu-isolated]\nseparation = "user"\nusers = ["red", "blue"]\n'
    name = "domu_isolated_{}_u:vm_r:domu_isolated_guest_t"
    source, target = (name.format(word) if word in ("red", "blue") else word for word in (source, target))
    return 'with = ["domu-isolated"]\n' + text + rule(kind, source, target, security_class, permissions)


def test_between_labels_constraints_count(app):
    call = app(labels("deny", "red", "blue", "grant"))
    assert call("test", "app").code == 0
    app(labels("deny", "red", "self", "grant", "map_read"))
    assert "domu_isolated_guest_t may map_read domu_isolated_guest_t (grant)" in call("test", "app").told
    app(labels("allow", "red", "red", "grant", "map_read"))
    assert call("test", "app").code == 0
    app(labels("allow", "red", "blue", "grant", "map_read unmap"))
    done = call("test", "app")
    assert done.code == 5
    assert "note: constraints refuse it: map_read unmap" in done.told


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("green_u:vm_r:domu_isolated_guest_t", "no user `green_u`"),
        ("domu_isolated_red_u:system_r:domu_isolated_guest_t", "may not have the role"),
        ("domU_t", "is not a label"),
        ("a:b:", "no type"),
    ],
)
def test_labels_that_cannot_be(app, source, words):
    done = app(labels("deny", source, "red", "grant"))("test", "app", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "test-unknown-label")
    assert words in done.document["error"]["message"]
    assert done.document["error"]["where"]["line"] == 6
