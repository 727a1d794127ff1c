"""Policy trees of the two layouts that Xen had, made up for tests, with the tables of a release."""

from __future__ import annotations

import shutil
from pathlib import Path

from polpkg.policy.abi import load_abi

DATA = Path(__file__).with_name("data")
RELEASES = {"new": "4.17", "old": "4.6"}


def make_tree(layout, folder):
    """A copy of the tree in `folder`, with the tables of its release where Xen's sources have them."""
    root = folder / f"xen-{layout}"
    shutil.copytree(DATA / f"xen-tree-{layout}", root)
    write_tables(root / "xen/xsm/flask/policy", RELEASES[layout])
    return root


def write_tables(flask, release):
    """Classes, initial SIDs and permissions of a release, as three files."""
    flask.mkdir(parents=True, exist_ok=True)
    abi = load_abi(release)
    (flask / "security_classes").write_text("# classes\n" + "".join(f"class {c.name}\n" for c in abi.classes))
    (flask / "initial_sids").write_text("".join(f"sid {name}\n" for name in abi.initial_sids))
    vectors = (f"class {name}\n{{\n" + "".join(f"    {p}\n" for p in perms) + "}\n\n" for name, perms in abi.classes)
    (flask / "access_vectors").write_text("".join(vectors))


def makefile_order(root, layout):
    """The files that Xen's Makefile passes to m4, in its order."""
    policy, flask = root / "tools/flask/policy", root / "xen/xsm/flask/policy"
    own = policy / "policy"
    optional = [p for p in (own / "security_classes", own / "access_vectors") if p.is_file()]
    if layout == "new":
        modules = [policy / "modules" / f"{name}.te" for name in ("xen", "dom0", "guest", "guest_console")]
        after_users = [policy / "modules/guest.cons"]
    else:
        modules = [own / "modules/xen" / f"{name}.te" for name in ("xen", "xguest")]
        after_users = [own / "constraints"]
    interfaces = [path for te in modules if (path := te.with_suffix(".if")).is_file()]
    return [
        flask / "security_classes",
        *optional[:1],
        flask / "initial_sids",
        flask / "access_vectors",
        *optional[1:],
        *sorted((own / "support").iterdir()),
        own / "mls",
        *interfaces,
        own / "global_tunables",
        *modules,
        own / "users",
        *after_users,
        own / "initial_sids",
        own / "device_contexts",
    ]


def make_refpolicy_tree(folder):
    """A copy of the refpolicy-style tree in `folder`, with the tables of Xen 4.17 where such a tree has its own."""
    root = folder / "refpolicy"
    shutil.copytree(DATA / "xen-tree-refpolicy", root)
    write_tables(root / "policy/flask", "4.17")
    return root
