"""`polpkg import`: what becomes of a tree, and what is said when it is none."""

from __future__ import annotations

import shutil

import pytest
from policy_trees import make_tree, makefile_order

from polpkg.errors import UsageError
from polpkg.ops.import_tree import import_tree, module_name
from polpkg.packages.source import read_archive


def imported(source, folder, **more):
    return {
        package.name: read_archive(package.path.read_bytes(), expected_sha256=package.sha256)
        for package in import_tree(source, folder, "tree", "1.0", **more)
    }


@pytest.mark.parametrize("layout", ["new", "old"])
def test_sources_are_kept_byte_for_byte_and_in_the_order_of_the_makefile(tmp_path, layout):
    root = make_tree(layout, tmp_path)
    package = imported(root, tmp_path / "out")["tree"]
    expected = [path.read_bytes() for path in makefile_order(root, layout)]
    assert [package.files[path] for path in package.manifest.fragments(package.files)] == expected
    assert len(package.files) == len(expected) + 1
    assert package.manifest.own_abi
    assert dict(package.manifest.macros) == {"self_contained_policy": "", "mls_num_sens": "16", "mls_num_cats": "256"}


def test_in_parts(tmp_path):
    packages = imported(make_tree("new", tmp_path), tmp_path / "out", split=True)
    assert sorted(packages) == ["tree", "tree-dom0", "tree-guest", "tree-guest-console", "tree-tables", "tree-xen"]
    assert "policy/modules/xen.if" in packages["tree-tables"].files
    assert sorted(packages["tree-guest"].files) == [
        "policy/modules/guest.cons",
        "policy/modules/guest.te",
        "polpkg.toml",
    ]
    assert sorted(packages["tree-guest"].manifest.requires) == ["tree-dom0", "tree-tables", "tree-xen"]
    assert sorted(packages["tree"].manifest.requires) == sorted(packages.keys() - {"tree"})


def test_importing_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    root = make_tree("old", tmp_path)
    one, two = (import_tree(root, tmp_path / name, "tree", "1.0", split=True) for name in ("one", "two"))
    assert [p.sha256 for p in one] == [p.sha256 for p in two]


def test_a_policy_conf(tmp_path):
    (tmp_path / "policy.conf").write_text("class domain\n")
    package = imported(tmp_path / "policy.conf", tmp_path / "out")["tree"]
    assert package.files["policy/policy.conf"] == b"class domain\n"


def test_cil(tmp_path):
    (tmp_path / "mine.cil").write_text("(class domain (create))(classorder (domain))\n")
    package = imported(tmp_path / "mine.cil", tmp_path / "out")["tree"]
    assert package.files["policy/policy.cil"] == b"(class domain (create))(classorder (domain))\n"


def test_the_tables_may_be_elsewhere(tmp_path):
    root = make_tree("new", tmp_path)
    shutil.move(root / "xen/xsm/flask/policy", tmp_path / "flask")
    with pytest.raises(UsageError) as caught:
        import_tree(root, tmp_path / "out", "tree", "1.0")
    assert (caught.value.code, "--flask-dir" in caught.value.hint) == ("no-flask-dir", True)
    assert imported(root, tmp_path / "out", flask=tmp_path / "flask")


def broken(name, change):
    return pytest.param(change, name, id=name)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        broken("not-a-policy-tree", lambda root: shutil.rmtree(root / "tools/flask/policy/policy")),
        broken("no-modules-conf", lambda root: (root / "tools/flask/policy/modules/modules.conf").unlink()),
        broken("missing-module", lambda root: (root / "tools/flask/policy/modules/dom0.te").unlink()),
    ],
)
def test_trees_that_are_not_whole(tmp_path, change, code):
    root = make_tree("new", tmp_path)
    change(root)
    with pytest.raises(UsageError) as caught:
        import_tree(root, tmp_path / "out", "tree", "1.0")
    assert caught.value.code == code
    assert str(tmp_path) in caught.value.message
    assert not (tmp_path / "out").exists()


def test_names(tmp_path):
    root = make_tree("new", tmp_path)
    with pytest.raises(UsageError) as caught:
        import_tree(root, tmp_path / "out", "No Name", "1.0")
    assert caught.value.code == "bad-package-name"
    assert [module_name(n) for n in ("isolated_domU", "a__b", "x.y", "nic-dev")] == [
        "isolated-domu",
        "a-b",
        "x-y",
        "nic-dev",
    ]
    modules = root / "tools/flask/policy/modules"
    with (modules / "modules.conf").open("a") as conf:
        conf.write("guest-console = on\n")
    (modules / "guest-console.te").write_text("")
    with pytest.raises(UsageError) as caught:
        import_tree(root, tmp_path / "out", "tree", "1.0", split=True)
    assert (caught.value.code, "`tree-guest-console`" in caught.value.message) == ("duplicate-module", True)
