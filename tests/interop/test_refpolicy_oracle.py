"""A refpolicy-style tree, against what its own rules make of it with m4 and checkpolicy."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from policy_trees import make_refpolicy_tree

from polpkg.errors import PolicyError, UsageError
from polpkg.ops.compiling import BuildSettings
from polpkg.ops.context import Context
from polpkg.ops.import_tree import import_tree
from polpkg.ops.link import LinkRequest, emit, link_requirements
from polpkg.packages.requirement import Requirement
from polpkg.packages.source import read_archive
from polpkg.policy.policydb import canonical, read_policydb

needs_tools = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("m4", "checkpolicy")), reason="needs m4 and checkpolicy"
)
FIRST, LAST = r"attribute|type ", r"sid |fs_use_(xattr|task|trans)|genfscon"


def m4(*arguments):
    return subprocess.run(["m4", *map(str, arguments)], capture_output=True, text=True, check=True, timeout=30).stdout


def lines(text, pattern, *, matching=True):
    return "".join(f"{line}\n" for line in text.splitlines() if bool(re.match(pattern, line)) is matching)


def policy_conf(root, folder, *, mls):
    """What `Rules.monolithic` does, step by step."""
    policy = root / "policy"
    support = sorted((policy / "support").glob("*.spt"))
    modules = [policy / "modules/xen" / name for name in ("core", "guest")]
    rules = "".join(module.with_suffix(".te").read_text() for module in modules)
    templates = [f"{module.name}_per_userdomain_template" for module in modules]
    calls = "".join(f"ifdef(`{name}',`{name}($*)')\n" for name in templates)
    sections = {
        "definitions": f"define(`per_userdomain_templates',`\n{calls}')\n"
        + "".join(f"define(`{module.name}.te')\n" for module in modules),
        "interfaces": m4(*support, *(module.with_suffix(".if") for module in modules)).replace("dollarsstar", "$*"),
        "types": lines(rules, "attribute") + lines(rules, "type "),
        "rules": lines(rules, f"{FIRST}|{LAST}", matching=False),
        "post": "".join((policy / name).read_text() for name in ("systemuser", "users", "constraints"))
        + lines(rules, LAST),
    }
    for name, text in sections.items():
        (folder / name).write_text(text)
    tables = [policy / "flask" / name for name in ("security_classes", "initial_sids", "access_vectors")]
    settings = ["targeted_policy", "distro_example", *(["enable_mls"] if mls else [])]
    return lines(
        m4(
            *(f"-D{name}" for name in ("self_contained_policy", *settings)),
            *tables,
            *support,
            policy / "mls",
            *(folder / name for name in ("definitions", "interfaces", "types")),
            policy / "global_booleans",
            policy / "global_tunables",
            *(folder / name for name in ("rules", "post")),
        ),
        "portcon|nodecon|netifcon",
        matching=False,
    )


def oracle(conf, folder, *, mls):
    (folder / "policy.conf").write_text(conf)
    command = ["checkpolicy", *(["-M"] if mls else []), "-t", "Xen", "-c", "30", "-o", "policy", "policy.conf"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=30)
    return (folder / "policy").read_bytes()


def linked(folder, xen="4.17", *, mls=False):
    context = Context({"imported": str(folder)})
    return link_requirements(context, LinkRequest((Requirement("tree"),), xen, BuildSettings(mls=mls))), context


@pytest.mark.interop
@needs_tools
@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_the_policy_is_that_of_the_trees_own_rules(tmp_path, mls):
    root = make_refpolicy_tree(tmp_path)
    import_tree(root, tmp_path / "out", "tree", "1.0")
    answer, context = linked(tmp_path / "out", mls=mls)
    expected = oracle(policy_conf(root, tmp_path, mls=mls), tmp_path, mls=mls)
    assert canonical(read_policydb(emit(context, answer, "policydb"))) == canonical(read_policydb(expected))


def test_sources_are_kept_byte_for_byte_and_only_those_of_enabled_modules(tmp_path):
    root = make_refpolicy_tree(tmp_path)
    (written,) = import_tree(root, tmp_path / "out", "tree", "1.0")
    package = read_archive(written.path.read_bytes(), expected_sha256=written.sha256)
    order = package.manifest.fragment_order
    assert package.manifest.dialect == "refpolicy"
    assert dict(package.manifest.macros) == {
        "self_contained_policy": "",
        "targeted_policy": "",
        "distro_example": "",
    }
    assert all(package.files[path] == (root / path).read_bytes() for path in order)
    assert [path.rpartition("/")[2] for path in order[-9:]] == [
        *("core.if", "guest.if", "global_booleans", "global_tunables", "core.te", "guest.te"),
        *("systemuser", "users", "constraints"),
    ]


def test_a_rule_of_an_interface_says_where_it_comes_from(tmp_path):
    root = make_refpolicy_tree(tmp_path)
    import_tree(root, tmp_path / "out", "tree", "1.0")
    policy = linked(tmp_path / "out")[0].policy
    dom0, guest = policy.number_of_type("dom0_t"), policy.number_of_type("guest_t")
    rule = next(r for r in policy.rules if (r.source, r.target) == (dom0, guest))
    origin = rule.place.origin()
    assert (origin.file, origin.line) == ("policy/modules/xen/core.te", 14)
    assert ("guest_made_by", "policy/modules/xen/guest.if", 1) in origin.macros


def test_an_error_in_a_hoisted_line_is_shown_where_it_stands(tmp_path):
    root = make_refpolicy_tree(tmp_path)
    path = root / "policy/modules/xen/guest.te"
    path.write_text(path.read_text() + "type broken_t, nothing_type;\n")
    import_tree(root, tmp_path / "out", "tree", "1.0")
    with pytest.raises(PolicyError) as caught:
        linked(tmp_path / "out")
    (found,) = caught.value.diagnostics
    assert (found.code, found.origin.file, found.origin.line) == ("unknown-type", "policy/modules/xen/guest.te", 4)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda root: (root / "policy/modules.conf").unlink(), "no-modules-conf"),
        (lambda root: (root / "policy/modules.conf").write_text("nothing = base\n"), "missing-module"),
        (lambda root: (root / "policy/modules.conf").write_text("core = off\n"), "no-modules"),
        (lambda root: (root / "policy/flask/access_vectors").unlink(), "not-a-policy-tree"),
    ],
)
def test_what_is_missing_is_named(tmp_path, change, code):
    root = make_refpolicy_tree(tmp_path)
    change(root)
    with pytest.raises(UsageError) as caught:
        import_tree(root, tmp_path / "out", "tree", "1.0")
    assert caught.value.code == code


def test_such_a_tree_is_not_split(tmp_path):
    with pytest.raises(UsageError, match="cannot be split"):
        import_tree(make_refpolicy_tree(tmp_path), tmp_path / "out", "tree", "1.0", split=True)


def test_mcs_has_the_levels_of_the_tree_and_not_those_of_mls(tmp_path):
    root = make_refpolicy_tree(tmp_path)
    (root / "Makefile").write_text("TYPE = strict-mcs\n")
    (root / "policy/mls").write_text("ifdef(`enable_mls',`no such statement')\n")
    (root / "policy/mcs").write_text("ifdef(`enable_mcs',`sensitivity s0; dominance { s0 } level s0;')\n")
    (root / "policy/support/names.spt").write_text("define(`label',`$1`'ifdef(`enable_mcs',`:s0')')\n")
    (root / "policy/users").write_text("user system_u roles { system_r }ifdef(`enable_mcs',` level s0 range s0');\n")
    import_tree(root, tmp_path / "out", "tree", "1.0")
    policy = linked(tmp_path / "out", mls=True)[0].policy
    assert [symbol.name for symbol in policy.sensitivities] == ["s0"]
