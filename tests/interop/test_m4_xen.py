"""Policies the way Xen's Makefile expands them: GNU m4 gives the same bytes, with and without `#line` marks.

`POLPKG_XEN_TREES` names a directory with unpacked Xen trees, when there is one; a small policy of our own in the same
style is always there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from polpkg.diagnostics import Source
from polpkg.policy.syntax.m4 import MacroTable, expand

pytestmark = [pytest.mark.interop, pytest.mark.skipif(not shutil.which("m4"), reason="GNU m4 is not installed")]

TREES = sorted(Path(os.environ.get("POLPKG_XEN_TREES", "/nonexistent")).glob("xen-*"))
PARAMETERS = {"self_contained_policy": "", "mls_num_sens": "16", "mls_num_cats": "256"}


def sections(tree):
    """The files of a tree in the order of its Makefile; the layout changed after 4.6."""
    flask, policy = tree / "tools/flask/policy", tree / "tools/flask/policy/policy"
    tables = tree / "xen/xsm/flask/policy"
    modules = flask / "modules" if (flask / "modules").is_dir() else policy / "modules/xen"
    conf = next(p for p in (flask / "modules/modules.conf", policy / "modules.conf") if p.exists())
    enabled = re.findall(r"^[ \t]*([a-z]\w*)[ \t]*=[ \t]*on", conf.read_text(), re.MULTILINE)

    def of(suffix):
        return [modules / f"{name}{suffix}" for name in enabled]

    wanted = [
        tables / "security_classes",
        policy / "security_classes",
        tables / "initial_sids",
        tables / "access_vectors",
        policy / "access_vectors",
        *sorted(policy.glob("support/*.spt")),
        policy / "mls",
        *of(".if"),
        policy / "global_tunables",
        *of(".te"),
        policy / "users",
        policy / "constraints",
        *of(".cons"),
        policy / "initial_sids",
        policy / "device_contexts",
    ]
    return [path for path in wanted if path.exists()]


def assert_same(folder, texts, defined):
    names = []
    for number, text in enumerate(texts):
        names.append(f"part{number}")
        (folder / names[-1]).write_text(text)
    options = [f"-D{name}={value}" for name, value in defined.items()]
    table = MacroTable.standard().with_definitions(defined, Source("<parameters>", ""))
    for sync in (False, True):
        wanted = subprocess.run(
            ["m4", *options, *(["-s"] if sync else []), *names],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        ).stdout
        sources = [Source(name, text) for name, text in zip(names, texts, strict=True)]
        assert expand(sources, table, sync_lines=sync).text == wanted


@pytest.mark.parametrize("mls", [False, True], ids=["te", "mls"])
@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
def test_trees_of_xen(tmp_path, tree, mls):
    assert_same(
        tmp_path, [path.read_text() for path in sections(tree)], PARAMETERS | ({"enable_mls": ""} if mls else {})
    )


SUPPORT = """\
# Loops and lists.
define(`count', `dnl
item i$1;
ifelse(`$1', `$2', , `count(incr($1), $2)')dnl
')
define(`when_mls', `ifdef(`enable_mls', `$1', `$2')')
define(`label', `$1`'when_mls(`:$2')')
define(`all_users', `')
define(`add_user', `define(`all_users', all_users `dnl
user $1 roles { $2 }`'when_mls(` level $3')`';
')')
define(`drop', `ifelse($1, 0, `shift($*)', `drop(decr($1), shift(shift($*)))')')
"""
INTERFACES = """\
########
# domain(type, attribute...)
define(`domain', `
	type $1, all_domains`'ifelse(`$#', `1', `', `,shift($@)');
	type $1_channel, events;
	allow $1 $1:grant {
		query   # not a comma, nor a ) that counts
		setup
	};
')
define(`single', `
	type $1;
	define(`$1_self', `$1')
	talk($1, $1_self)
')
define(`talk', `
	allow $1 $2:event { send
		bind };
	allow $2 $1:event send;
')
"""
MODULE = """\
domain(dom0_t, privileged, `first, second')
single(dom1_t)
talk(dom0_t,
     dom1_t_self)
ifdef(`absent', `
	nothing
', `
	talk(dom1_t_self, dom0_t)
')
when_mls(`
	levels { count(0, decr(parts)) }
')
add_user(system, r1 r2, s0) dnl one
add_user(`other', `r3', s1) dnl two
all_users
sid kernel label(system:r1:dom0_t, s0)
drop(2, a, b, c, d)
# `end' of module
"""


@pytest.mark.parametrize("defined", [{"parts": "12"}, {"parts": "300", "enable_mls": ""}], ids=["te", "mls"])
def test_a_policy_in_the_style_of_xen(tmp_path, defined):
    assert_same(tmp_path, [SUPPORT, INTERFACES, MODULE, "count(0, 3)\nall_users"], defined)
