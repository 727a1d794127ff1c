"""Imported policy trees, against what Xen's Makefile would make of them with m4 and checkpolicy."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from policy_meaning import differences
from policy_trees import RELEASES, make_tree, makefile_order

from polpkg.errors import PolicyError
from polpkg.ops.compiling import BuildSettings
from polpkg.ops.context import Context
from polpkg.ops.import_tree import import_tree
from polpkg.ops.link import LinkRequest, emit, link_requirements
from polpkg.packages.requirement import Requirement
from polpkg.policy.policydb import canonical, read_policydb

TOOLS = [tool for tool in ("m4", "checkpolicy") if shutil.which(tool) is None]
pytestmark = [pytest.mark.interop, pytest.mark.skipif(bool(TOOLS), reason=f"needs {' and '.join(TOOLS)}")]


def policy_conf(root, layout, *, mls):
    levels = ["-D", "enable_mls"] if mls else []
    command = ["m4", "-D", "self_contained_policy", "-s", *levels, "-D", "mls_num_sens=16", "-D", "mls_num_cats=256"]
    files = [str(path) for path in makefile_order(root, layout)]
    return subprocess.run([*command, *files], capture_output=True, text=True, check=True, timeout=30).stdout


def oracle(conf, folder, *, mls, version):
    (folder / "policy.conf").write_text(conf)
    command = ["checkpolicy", *(["-M"] if mls else []), "-t", "Xen", "-c", str(version), "-o", "policy", "policy.conf"]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=30)
    return (folder / "policy").read_bytes()


def ours(folder, xen, *, mls, version, backend="builtin"):
    """The package `tree` of the index in `folder`, linked."""
    settings = BuildSettings(backend, version, mls)
    context = Context({"imported": str(folder)})
    answer = link_requirements(context, LinkRequest((Requirement("tree"),), xen, settings))
    return emit(context, answer, "policydb")


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize("form", ["whole", "split", "policy.conf"])
@pytest.mark.parametrize("layout", RELEASES)
def test_an_imported_tree_gives_the_policy_of_its_makefile(tmp_path, layout, form, mls):
    root = make_tree(layout, tmp_path)
    conf = policy_conf(root, layout, mls=mls)
    version = 30 if layout == "new" else 24
    expected = read_policydb(oracle(conf, tmp_path, mls=mls, version=version))
    if form == "policy.conf":
        source = tmp_path / "policy.conf"
    else:
        source = root / "tools/flask/policy" if layout == "old" else root
    import_tree(source, tmp_path / "out", "tree", "1.0", split=form == "split")
    found = read_policydb(ours(tmp_path / "out", RELEASES[layout], mls=mls, version=version))
    assert not differences(found, expected)
    assert canonical(found) == canonical(expected)


@pytest.mark.parametrize("layout", RELEASES)
def test_the_forms_of_a_tree_give_the_same_bytes(tmp_path, layout):
    root = make_tree(layout, tmp_path)
    import_tree(root, tmp_path / "whole", "tree", "1.0")
    import_tree(root, tmp_path / "split", "tree", "1.0", split=True)
    (tmp_path / "policy.conf").write_text(policy_conf(root, layout, mls=False))
    import_tree(tmp_path / "policy.conf", tmp_path / "plain", "tree", "1.0")
    policies = {ours(tmp_path / f, RELEASES[layout], mls=False, version=30) for f in ("whole", "split", "plain")}
    assert len(policies) == 1


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
def test_the_cil_of_a_tree(tmp_path, mls):
    """What `checkpolicy -C` makes of a tree, imported, gives the policy of the tree."""
    conf = policy_conf(make_tree("new", tmp_path), "new", mls=mls)
    expected = read_policydb(oracle(conf, tmp_path, mls=mls, version=30))
    command = ["checkpolicy", *(["-M"] if mls else []), "-C", "-t", "Xen", "-o", "policy.cil", "policy.conf"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30)
    import_tree(tmp_path / "policy.cil", tmp_path / "out", "tree", "1.0")
    found = differences(read_policydb(ours(tmp_path / "out", RELEASES["new"], mls=mls, version=30)), expected)
    assert not [line for line in found if "(devicetreecon" not in line], "checkpolicy -C leaves out `devicetreecon`"


def test_an_imported_tree_with_checkpolicy_as_backend(tmp_path):
    root = make_tree("new", tmp_path)
    import_tree(root, tmp_path / "out", "tree", "1.0")
    one = read_policydb(ours(tmp_path / "out", "4.17", mls=False, version=30))
    other = read_policydb(ours(tmp_path / "out", "4.17", mls=False, version=30, backend="checkpolicy"))
    assert not differences(one, other)


CONF = {
    "classes": "class domain\nclass mmu",
    "sids": "sid xen",
    "vectors": "class domain { create pause }\nclass mmu { stat }",
    "defaults": "default_user mmu source;",
    "sensitivities": "sensitivity s0;",
    "dominance": "dominance { s0 }",
    "categories": "category c0;",
    "levels": "level s0:c0;",
    "level constraints": "mlsconstrain domain create (l1 eq l2);",
    "rules": "type t;\nrole r;\nrole r types t;\nallow t t:domain create;",
    "users": "user us roles r level s0 range s0;",
    "constraints": "constrain domain pause (u1 == us);",
    "contexts": "sid xen us:r:t:s0",
    "devices": "pirqcon 1 us:r:t:s0",
}


def verdicts(text, folder):
    """Of checkpolicy and of `import`."""
    (folder / "policy.conf").write_text(text)
    command = ["checkpolicy", "-M", "-t", "Xen", "-c", "30", "-o", "policy", "policy.conf"]
    theirs = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=30).returncode == 0
    try:
        import_tree(folder / "policy.conf", folder / "out", "tree", "1.0")
    except PolicyError:
        return theirs, False
    return theirs, True


@pytest.mark.parametrize("moved", CONF)
def test_a_policy_conf_has_the_order_that_checkpolicy_wants(tmp_path, moved):
    for place in range(len(CONF)):
        others = [text for name, text in CONF.items() if name != moved]
        text = "\n".join([*others[:place], CONF[moved], *others[place:]]) + "\n"
        theirs, mine = verdicts(text, tmp_path)
        assert theirs == mine, f"{moved} at {place}"


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("level constraints", ""),
        ("level constraints", "mlsconstrain domain create (u1 == us);"),
        ("level constraints", "mlsvalidatetrans domain (u3 != us or l1 eq l2);"),
        ("level constraints", "mlsvalidatetrans domain (u1 == u2 or r1 == r);"),
        ("rules", "require { type t; }\ntype t;\nrole r;\nrole r types t;\nallow t t:domain create;"),
    ],
)
def test_what_a_policy_conf_cannot_say(tmp_path, part, instead):
    theirs, mine = verdicts("\n".join({**CONF, part: instead}.values()) + "\n", tmp_path)
    assert theirs == mine
