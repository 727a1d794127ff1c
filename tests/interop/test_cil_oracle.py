"""CIL through our front end, linker and builtin backend, against secilc and checkpolicy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from policy_texts import policy_text

from polpkg.diagnostics import Source
from polpkg.errors import PolpkgError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.modules import Environment, PackageSource, build_modules
from polpkg.policy.policydb import read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("checkpolicy") and shutil.which("secilc")), reason="needs checkpolicy, secilc"
    ),
]

LOST_BY_CHECKPOLICY = re.compile(r"only on the right: \(roletype \w+ \w+\)")
"""`checkpolicy -C` 3.4 leaves out `role R types { attribute -type }`."""

ABI = Abi(
    (
        SecurityClass("domain", ("create", "transition", "pause")),
        SecurityClass("mmu", ("map_read", "map_write")),
        SecurityClass("resource", ("use", "add")),
    ),
    ("xen", "dom0"),
)
TABLES = """
(handleunknown deny)
(mls false)
(class domain (create transition pause))
(class mmu (map_read map_write))
(class resource (use add))
(classorder (domain mmu resource))
(sid xen) (sid dom0)
(sidorder (xen dom0))
(sensitivity s0)
(sensitivityorder (s0))
"""
BASE = """
(level low (s0))
(levelrange only (low low))
(type xen_t) (type dom0_t) (type a_t) (type b_t) (type c_t)
(typeattribute domains) (typeattributeset domains (xen_t dom0_t a_t b_t c_t))
(role object_r) (role system_r)
(roletype system_r domains)
(roletype object_r a_t)
(user system_u)
(userrole system_u object_r) (userrole system_u system_r)
(userlevel system_u low)
(userrange system_u only)
(sidcontext xen (system_u system_r xen_t only))
(sidcontext dom0 (system_u system_r dom0_t ((s0) (s0))))
(allow dom0_t domains (domain (create)))
"""
LEVELS = """
(handleunknown deny)
(mls true)
(class domain (create transition pause))
(class mmu (map_read map_write))
(class resource (use add))
(classorder (domain mmu resource))
(sid xen) (sid dom0)
(sidorder (xen dom0))
(category c0) (category c1) (category c2) (category c3)
(categoryalias x) (categoryaliasactual x c1)
(categoryorder (c0 c1 c2)) (categoryorder (c2 c3))
(categoryset odd (x c3))
(categoryset most (not (c0)))
(sensitivity s0) (sensitivity s1)
(sensitivityalias high) (sensitivityaliasactual high s1)
(sensitivityorder (s0 s1))
(sensitivitycategory s0 (range c0 c2)) (sensitivitycategory s0 (c3))
(sensitivitycategory high (range c0 c3))
"""

CONSTRUCTS = {
    "set expressions": """
        (typeattribute first) (typeattribute second) (typeattribute third) (typeattribute every)
        (typeattributeset first (and domains (not (a_t b_t))))
        (typeattributeset second (xor first (or (a_t) (c_t))))
        (typeattributeset third ((not second) c_t (and domains c_t)))
        (typeattributeset every (all))
        (typeattributeset first a_t)
        (expandtypeattribute (first second third every) false)
        (allow first second (mmu (map_read)))
        (allow third every (mmu (map_write)))
    """,
    "aliases and bounds": """
        (typealias other_t) (typealiasactual other_t a_t)
        (typepermissive b_t)
        (typebounds dom0_t c_t)
        (allow dom0_t a_t (resource (use)))
        (allow c_t other_t (resource (use)))
    """,
    "defaults": """
        (defaultuser domain source) (defaultrole (domain mmu) target) (defaulttype resource source)
        (defaultrange domain target low-high)
    """,
    "expanded attributes": """
        (typeattribute few) (typeattributeset few (a_t b_t))
        (expandtypeattribute (few) true)
        (allow few c_t (mmu (map_read)))
    """,
    "self": "(allow domains self (mmu (all)))",
    "permission expressions": """
        (allow a_t b_t (domain (not (create))))
        (allow b_t c_t (domain (and (create pause) (not (pause)))))
        (allow c_t a_t (domain (xor (create pause) (pause transition))))
        (dontaudit a_t c_t (domain ((create) pause)))
        (auditallow a_t a_t (domain (all)))
    """,
    "named permissions": """
        (classpermission life) (classpermission use)
        (classpermissionset life (domain (create pause)))
        (classpermissionset life (resource (use)))
        (classpermissionset use (resource (all)))
        (allow a_t b_t life)
        (allow b_t c_t use)
        (constrain use (eq u1 u2))
    """,
    "class maps": """
        (classmap power (start look))
        (classmapping power start (domain (create)))
        (classmapping power start (mmu (map_write)))
        (classpermission reading) (classpermissionset reading (mmu (map_read)))
        (classmapping power look reading)
        (allow a_t b_t (power (start)))
        (allow b_t c_t (power (not (start))))
        (dontaudit c_t c_t (power (all)))
    """,
    "computed labels": """
        (typetransition a_t b_t domain c_t)
        (typechange domains b_t mmu c_t)
        (typemember a_t self resource a_t)
    """,
    "roles": """
        (role r1_r) (role r2_r) (roletype r1_r a_t) (roletype r2_r b_t)
        (roleattribute both) (roleattribute others)
        (roleattributeset both (r1_r r2_r))
        (roleattributeset others (and (all) (not (r1_r object_r))))
        (roleallow both system_r)
        (roleallow system_r others)
        (roletype both c_t)
        (roletransition r1_r a_t domain r2_r)
        (user more_u) (userrole more_u both) (userlevel more_u (s0)) (userrange more_u (low (s0)))
        (constrain (mmu (map_read)) (or (eq r1 r2) (neq r1 r1_r)))
    """,
    "booleans": """
        (boolean x true) (boolean y false)
        (booleanif (and x (not y)) (true (allow a_t b_t (resource (use)))) (false (dontaudit a_t b_t (resource (add)))))
        (booleanif (xor x y) (false (typetransition a_t c_t mmu b_t)))
        (booleanif y (true (allow b_t c_t (resource (use add)))))
        (booleanif (or (eq x y) (neq y x)) (true (auditallow b_t a_t (resource (use add)))))
    """,
    "tunables": """
        (tunable fast true) (tunable slow false)
        (tunableif (and fast (not slow)) (true (allow a_t b_t (resource (use)))) (false (allow nobody_t b_t (mmu (x)))))
        (tunableif slow (true (allow a_t c_t (resource (use)))))
        (boolean b false)
        (booleanif b (true (tunableif fast (true (allow a_t c_t (mmu (map_read)))))))
    """,
    "macros": """
        (macro may ((type who) (type whom) (class on) (classpermission what))
            (allow who whom what)
            (typetransition who whom on c_t)
            (call again (whom who)))
        (macro again ((type who) (type whom)) (allow who whom (mmu (map_read))))
        (macro labels ((level l) (levelrange r) (user u) (role k) (boolean b))
            (user u2_u) (userrole u2_u k) (userlevel u2_u l) (userrange u2_u r)
            (booleanif b (true (call again (b_t c_t))))
            (devicetreecon "/soc/serial" (u object_r a_t r)))
        (boolean bb true)
        (call may (a_t b_t domain (domain (pause))))
        (call labels ((s0) (low low) system_u system_r bb))
    """,
    "optionals": """
        (optional kept (type new_t) (roletype system_r new_t) (allow a_t new_t (domain (create))))
        (optional lost (type lost_t) (allow a_t missing_t (domain (create))))
        (optional also_lost (allow a_t lost_t (domain (create))))
        (optional outer (allow a_t a_t (domain (create))) (optional inner (allow a_t missing_t (domain (pause)))))
        (optional no_permission (allow a_t b_t (domain (frobnicate))))
        (optional no_macro (call nobody (a_t)))
        (optional uses_kept (allow new_t new_t (domain (pause))))
    """,
    "constraints": """
        (constrain (domain (create pause)) (and (eq u1 u2) (or (eq t1 domains) (neq t2 (a_t b_t)))))
        (constrain (mmu (map_read)) (or (dom r1 r2) (not (eq u1 system_u))))
        (validatetrans resource (or (eq u3 system_u) (neq t3 a_t)))
        (mlsconstrain (domain (create)) (dom l1 l2))
    """,
    "devices": """
        (context device (system_u object_r a_t only))
        (pirqcon 33 device)
        (ioportcon 0x20 device) (ioportcon (0x30 0x3f) (system_u object_r a_t (low low)))
        (iomemcon 0x1000000000 device) (iomemcon (5 10) device)
        (pcidevicecon 0xc800 device)
        (devicetreecon "/soc/serial@9000000" device)
    """,
    "assertions": "(neverallow a_t b_t (mmu (map_read))) (neverallow domains self (resource (add)))",
}
WITH_LEVELS = """
(level low (s0)) (level top (s1 (range c0 c3))) (level some (high odd))
(levelrange everything (low top))
(type xen_t) (type dom0_t) (type a_t)
(role object_r) (role system_r) (roletype system_r xen_t) (roletype system_r dom0_t) (roletype object_r a_t)
(user system_u) (userrole system_u object_r) (userrole system_u system_r)
(userlevel system_u low) (userrange system_u everything)
(user small_u) (userrole small_u system_r)
(userlevel small_u (s0)) (userrange small_u ((s0) (s1)))
(userlevel small_u (s0 (c0))) (userrange small_u ((s0 (c0)) (s1 (c0 (range c2 c3)))))
(sidcontext xen (system_u system_r xen_t everything))
(sidcontext dom0 (system_u system_r dom0_t (low some)))
(pirqcon 5 (system_u object_r a_t ((s1 most) top)))
(allow dom0_t xen_t (domain (create)))
(rangetransition dom0_t xen_t domain ((s0) (s1 (and most (not odd)))))
(mlsconstrain (domain (create)) (or (dom l1 l2) (and (eq h1 h2) (eq t1 dom0_t))))
(mlsvalidatetrans mmu (or (eq l1 l2) (domby h1 h2)))
"""


def ours(cil, abi, *, mls=False, version=30):
    """The policydb that we make of a CIL text, imported."""
    source = PackageSource("p", "1", (Source("policy/policy.cil", cil, "p", "1"),), own_tables=True)
    modules = build_modules((source,), Environment(abi, mls=mls))
    return BuiltinBackend().compile(link(modules, abi, LinkOptions(mls=mls)).policy, CompileOptions(version))


def secilc(cil, folder, *, version=30):
    given, made = folder / "given.cil", folder / "made"
    given.write_text(cil)
    command = ["secilc", "-t", "xen", "-c", str(version), "-f", "/dev/null", "-o", str(made), str(given)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 0, run.stderr
    return made.read_bytes()


def unexplained(left, right):
    return [d for d in explain_differences(read_policydb(left), read_policydb(right)) if not d.rule]


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_each_construct_means_what_secilc_takes_it_for(name, tmp_path):
    text = TABLES + BASE + CONSTRUCTS[name]
    mine = ours(text, ABI)
    assert unexplained(mine, secilc(text, tmp_path)) == []
    if name not in ("assertions", "self"):
        assert unexplained(mine, ours(TABLES + BASE, ABI)) != [], "the construct did nothing"


def test_levels_mean_what_secilc_takes_them_for(tmp_path):
    text = LEVELS + WITH_LEVELS
    assert unexplained(ours(text, ABI, mls=True), secilc(text, tmp_path)) == []


def test_a_broken_assertion_is_refused_by_both(tmp_path):
    text = TABLES + BASE + "(neverallow dom0_t a_t (domain (create)))"
    with pytest.raises(PolpkgError, match="neverallow"):
        ours(text, ABI)
    with pytest.raises(AssertionError, match="neverallow"):
        secilc(text, tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_what_we_emit_is_read_again(seed, tmp_path):
    text, _ = policy_text(seed)
    statements, problems = parse_te(PlainText(Source("policy.conf", text.text)))
    assert not problems
    try:
        policy = link((PolicyModule("p", "1", statements),), text.abi).policy
    except PolpkgError:
        pytest.skip("Xen would refuse this policy")
    cil = emit_cil(policy, neverallows=False)
    mine = ours(cil, text.abi)
    assert unexplained(mine, BuiltinBackend().compile(policy, CompileOptions())) == []
    assert unexplained(mine, secilc(cil, tmp_path)) == []


def policies():
    """The policy.conf files in a folder, such as those that Xen's Makefile makes."""
    where = os.environ.get("POLPKG_POLICY_CONFS")
    return sorted(Path(where).glob("conf-*.conf")) if where else []


@pytest.mark.parametrize("conf", policies(), ids=lambda path: path.stem)
def test_what_checkpolicy_makes_cil_of(conf, tmp_path):
    flags = ["-M"] if "-mls" in conf.stem else []
    made, cil = tmp_path / "made", tmp_path / "policy.cil"
    for output, more in ((made, []), (cil, ["-C"])):
        command = ["checkpolicy", *flags, *more, "-t", "Xen", "-c", "30", "-o", str(output), str(conf)]
        run = subprocess.run(command, capture_output=True, check=False, timeout=60)
        if run.returncode:
            pytest.skip("checkpolicy refuses it")
    statements, _ = parse_te(PlainText(Source("policy.conf", conf.read_text())))
    tables = link((PolicyModule("p", "1", statements),), Abi((), ()), LinkOptions(mls=bool(flags))).policy
    found = unexplained(ours(cil.read_text(), tables.abi, mls=bool(flags)), made.read_bytes())
    assert [d for d in found if not LOST_BY_CHECKPOLICY.fullmatch(d.text)] == []
