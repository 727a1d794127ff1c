"""checkpolicy, secilc and seinfo against the reader, the writer, the emitters and the builtin backend.

Xen's own example policies are used too where POLPKG_XEN_TREES names a directory with unpacked trees `xen-<version>`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.checkpolicy import CheckpolicyBackend
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.backends.secilc import SecilcBackend
from polpkg.policy.policydb import canonical, lift, read_policydb, write_policydb

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("checkpolicy") and shutil.which("secilc")), reason="needs checkpolicy, secilc"
    ),
]

CLASSES = """\
class domain
class mmu
class resource
sid xen
sid dom0
sid unused
class domain { create transition pause }
class mmu { map_read map_write }
class resource { use add }
"""
LEVELS = """\
sensitivity s0 alias lowest;
sensitivity s1;
sensitivity s2 alias { top toptop };
dominance { s0 s1 s2 }
category c0; category c1 alias x1; category c2; category c3; category c9;
level s0:c0.c2;
level s1:c0.c9;
level s2:c0.c9;
mlsconstrain domain pause ( l1 dom l2 or h1 eq h2 or ( t1 == privileged and l1 incomp h1 ) );
mlsvalidatetrans mmu ( l1 eq l2 or h1 domby h2 );
"""
RULES = """\
attribute domain_type;
attribute unused_attribute;
attribute self_type;
attribute privileged;
attribute small_type;
type xen_t, domain_type;
type dom0_t alias { controller_t boss_t }, domain_type, privileged;
type zed_t, domain_type, small_type;
type child_t, self_type;
type irq_t;
typebounds dom0_t irq_t;
permissive zed_t;
policycap open_perms;
bool enable_x false;
bool enable_y true;
bool enable_z true;
role system_r;
role system_r types { xen_t dom0_t };
role vm_r;
role vm_r types { zed_t child_t };
role empty_r;
allow system_r vm_r;
allow domain_type domain_type:domain { create pause };
allow domain_type self:mmu map_write;
allow { domain_type -zed_t } self_type:mmu map_read;
allow dom0_t self:domain pause;
allow privileged self_type:domain pause;
allow dom0_t child_t:domain create;
allow dom0_t small_type:mmu map_write;
allow dom0_t child_t:domain transition;
dontaudit domain_type irq_t:resource use;
dontaudit domain_type irq_t:resource add;
auditallow dom0_t irq_t:resource { use add };
type_transition dom0_t xen_t:domain zed_t;
type_change dom0_t domain_type:domain zed_t;
type_member dom0_t zed_t:domain dom0_t;
neverallow zed_t irq_t:mmu map_read;
if (enable_x && !enable_y) {
    allow dom0_t irq_t:resource use;
    dontaudit privileged irq_t:resource add;
} else {
    type_transition privileged irq_t:resource irq_t;
}
if (enable_y) { allow zed_t irq_t:resource use; }
if (!enable_y) { allow xen_t irq_t:resource use; }
if (enable_x) { allow zed_t irq_t:resource use; }
if (enable_x) { allow child_t irq_t:mmu map_read; }
if (enable_z ^ enable_x || enable_y == enable_z) { allow xen_t child_t:mmu map_read; }
"""
DEVICE_TREE = 'devicetreecon "/soc/serial" system_u:object_r:irq_t@\n'


def source(version, *, mls):
    """policy.conf with everything that this version can carry."""
    level = ":s0 - s2:c0.c9" if mls else ""
    newer = "role_transition system_r xen_t:domain vm_r;\n" if version == 30 else ""
    ranges = "range_transition dom0_t xen_t:domain s0 - s1:c3;\n" if mls else ""
    users = f"""\
user system_u roles {{ system_r vm_r }}{" level s0 range s0 - s2:c0.c9" if mls else ""};
user customer_1 roles {{ vm_r }}{" level s1:c0,c2.c3 range s1:c0,c2,c3" if mls else ""};
"""
    labels = """\
constrain domain { create transition } ( u1 == u2 and ( r1 == r2 or t1 == { self_type irq_t domain_type } )
    or u1 == { system_u customer_1 } and not t2 == privileged );
constrain mmu map_read ( r1 dom r2 or r1 == { system_r vm_r } );
validatetrans resource ( u3 == system_u or t3 == dom0_t or u1 != u2 );
sid xen system_u:system_r:xen_t@
sid dom0 system_u:system_r:dom0_t@
pirqcon 33 system_u:object_r:irq_t@
pirqcon 5 system_u:object_r:irq_t@
ioportcon 0x20-0x30 system_u:object_r:irq_t@
ioportcon 0xa system_u:object_r:irq_t@
iomemcon 0xfebe0-0xfebff system_u:object_r:irq_t@
pcidevicecon 0xc800 system_u:object_r:irq_t@
"""
    labels += DEVICE_TREE if version == 30 else ""
    return CLASSES + (LEVELS if mls else "") + RULES + newer + ranges + users + labels.replace("@", level)


def run_checkpolicy(text, version, tmp_path, *, mls):
    given, made = tmp_path / "given.conf", tmp_path / "made"
    given.write_text(text)
    flags = ["-M"] if mls else []
    command = ["checkpolicy", *flags, "-t", "Xen", "-c", str(version), str(given), "-o", str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return made.read_bytes()


@pytest.fixture(params=[(24, False), (24, True), (30, False), (30, True)], ids=["24", "24-mls", "30", "30-mls"])
def compiled(request, tmp_path):
    version, mls = request.param
    return run_checkpolicy(source(version, mls=mls), version, tmp_path, mls=mls)


def assert_agreement(data, tmp_path):
    policy = read_policydb(data)
    assert write_policydb(policy) == data
    wanted = write_policydb(canonical(policy))
    linked = lift(policy)
    for backend in (BuiltinBackend(), CheckpolicyBackend(), SecilcBackend()):
        made = backend.compile(linked, CompileOptions(policy.version))
        assert write_policydb(read_policydb(made)) == made
        assert explain_differences(policy, read_policydb(made)) == ()
        assert write_policydb(canonical(read_policydb(made))) == wanted, backend.name
    assert_readable(wanted, tmp_path)


def assert_readable(data, tmp_path):
    """libsepol reads the builtin backend's output, and setools count what is in it."""
    file = tmp_path / "builtin"
    file.write_bytes(data)
    flags = ["-M"] if read_policydb(data).is_mls else []
    command = ["checkpolicy", *flags, "-b", "-F", "-t", "Xen", str(file), "-o", str(tmp_path / "decompiled")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    if shutil.which("seinfo"):
        counts = subprocess.run(["seinfo", str(file)], capture_output=True, text=True, check=True).stdout
        policy = read_policydb(data)
        attributes = sum(entry.properties & 2 > 0 for entry in policy.types.entries)
        numbers = counts.split()
        assert int(numbers[numbers.index("Attributes:") + 1]) == attributes
        assert int(numbers[numbers.index("Types:") + 1]) == policy.types.primary - attributes


def test_all_compilers_agree(compiled, tmp_path):
    assert_agreement(compiled, tmp_path)


def test_assertions_are_checked_by_the_tools(tmp_path):
    """The emitted neverallow is refused by both tools once the policy breaks it."""
    from dataclasses import replace

    from polpkg.errors import PolicyError
    from polpkg.policy.ir.linked import LinkedNeverallow

    linked = lift(read_policydb(run_checkpolicy(source(30, mls=False), 30, tmp_path, mls=False)))
    dom0, child = linked.number_of_type("dom0_t"), linked.number_of_type("child_t")
    kept = LinkedNeverallow(1 << child, 1 << dom0, True, 0, 0b001, None, "")
    broken = kept._replace(sources=1 << dom0, targets=1 << child, on_self=False)
    for backend in (CheckpolicyBackend(), SecilcBackend()):
        backend.compile(replace(linked, neverallows=(kept,)), CompileOptions(neverallows=True))
        backend.compile(replace(linked, neverallows=(broken,)), CompileOptions(neverallows=False))
        with pytest.raises(PolicyError, match="neverallow"):
            backend.compile(replace(linked, neverallows=(broken,)), CompileOptions(neverallows=True))


def test_what_secilc_leaves_out_is_explained(tmp_path):
    """Plain CIL, without our `expandtypeattribute`: attributes go, and each is accounted for."""
    from polpkg.policy.backends.cil import emit_cil

    policy = read_policydb(run_checkpolicy(source(30, mls=False), 30, tmp_path, mls=False))
    given, made = tmp_path / "plain.cil", tmp_path / "plain"
    lines = emit_cil(lift(policy)).splitlines()
    given.write_text("\n".join(line for line in lines if "expandtypeattribute" not in line))
    command = ["secilc", "-t", "xen", "-c", "30", "-X", "3", "-f", "/dev/null", str(given), "-o", str(made)]
    subprocess.run(command, capture_output=True, check=True)
    found = explain_differences(policy, read_policydb(made.read_bytes()))
    assert {difference.rule for difference in found} >= {"unused-attribute", "expanded-attribute"}
    assert all(difference.rule for difference in found)


def trees():
    where = os.environ.get("POLPKG_XEN_TREES")
    return sorted(Path(where).glob("xen-*/tools/flask/policy")) if where else []


@pytest.mark.parametrize("tree", trees(), ids=lambda path: path.parts[-4])
@pytest.mark.parametrize("version", [24, 30])
def test_the_example_policies_of_xen(tree, version, tmp_path):
    """Xen's Makefile.common: sections in its order, through m4 into checkpolicy."""
    if not (tree / "modules").is_dir() or not shutil.which("m4"):
        pytest.skip("needs m4 and a tree with modules")
    text = subprocess.run(
        ["m4", *M4_FLAGS, *sections(tree)], cwd=tree, capture_output=True, text=True, check=True
    ).stdout
    assert_agreement(run_checkpolicy(text, version, tmp_path, mls=False), tmp_path)


M4_FLAGS = ["-D", "self_contained_policy", "-s", "-D", "mls_num_sens=16", "-D", "mls_num_cats=256"]


def sections(tree):
    flask, policy, modules = tree.parents[2] / "xen/xsm/flask/policy", tree / "policy", tree / "modules"
    lines = [line.split() for line in (modules / "modules.conf").read_text().splitlines()]
    enabled = [line[0] for line in lines if len(line) == 3 and line[2] == "on" and not line[0].startswith("#")]
    of = {suffix: [modules / f"{name}.{suffix}" for name in enabled] for suffix in ("if", "te", "cons")}
    listed = [flask / "security_classes", policy / "security_classes", flask / "initial_sids"]
    listed += [flask / "access_vectors", policy / "access_vectors", *sorted((policy / "support").glob("*.spt"))]
    listed += [policy / "mls", *of["if"], policy / "global_tunables", *of["te"], policy / "users", *of["cons"]]
    listed += [policy / "initial_sids", policy / "device_contexts"]
    return [str(path) for path in listed if path.exists()]
