"""Users keep guests of one type apart, and all packages together are the same, whichever backend compiles them."""

from __future__ import annotations

import shutil

import pytest
from bundled_policies import FILES, link_bundled

from polpkg.policy.analysis.access import AccessDecider
from polpkg.policy.analysis.contexts import read_context
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.checkpolicy import CheckpolicyBackend
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.backends.secilc import SecilcBackend
from polpkg.policy.policydb import lift, read_policydb

VERSIONS = ("4.14.6", "4.17.7", "4.22.0")
BACKENDS = [
    BuiltinBackend(),
    pytest.param(CheckpolicyBackend(), marks=pytest.mark.skipif(not shutil.which("checkpolicy"), reason="needs it")),
    pytest.param(SecilcBackend(), marks=pytest.mark.skipif(not shutil.which("secilc"), reason="needs it")),
]
GROUPS = {
    "domu-isolated": {"domu-isolated": {"separation": "user", "users": ("red", "blue")}},
    "vmv": {
        "vmv": {
            "talk": True, "separation": "user", "users": ("red", "blue"), "builds": ("hvm",), "device-model": "stubdom",
        }
    },
}  # fmt: skip
PACKAGES = tuple(name for name in FILES if name not in ("dom0less", "xen-base"))


class Judge:
    """Who may do what, in a compiled policy, with whole labels."""

    def __init__(self, data: bytes) -> None:
        self._policy = lift(read_policydb(data))
        self._decider = AccessDecider(self._policy)

    def allowed(self, source: str, target: str, security_class: str) -> frozenset[str]:
        one, other = (read_context(self._policy, text) for text in (source, target))
        return self._decider.allowed(one, other, security_class)


@pytest.fixture(scope="module", params=VERSIONS)
def linked(request):
    return link_bundled(request.param, *PACKAGES, instances=GROUPS)


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda backend: backend.name)
def judge(request, linked):
    return Judge(request.param.compile(linked, CompileOptions(version=30)))


@pytest.mark.parametrize(("prefix", "guest"), [("domu_isolated", "domu_isolated_guest_t"), ("vmv", "vmv_guest_t")])
def test_guests_of_one_type_reach_only_those_of_their_user(judge, prefix, guest):
    red, blue = (f"{prefix}_{user}_u:vm_r:{guest}" for user in ("red", "blue"))
    channel = f"{prefix}_red_u:object_r:{guest}_channel"
    for security_class, wanted in (("grant", {"map_read", "map_write", "copy", "unmap"}), ("event", set())):
        assert judge.allowed(red, red, security_class) >= wanted
        assert not judge.allowed(red, blue, security_class)
        assert not judge.allowed(blue, red, security_class)
    assert judge.allowed(channel, red, "event") == {"bind"}
    assert not judge.allowed(channel, blue, "event")
    assert judge.allowed(red, f"{prefix}_red_u:vm_r:{guest}_self", "mmu") >= {"map_read", "adjust"}
    assert judge.allowed(red, channel, "event") >= {"create", "send"}


def test_a_guest_without_a_user_of_its_own_is_apart_too(judge):
    plain, red = "system_u:system_r:vmv_guest_t", "vmv_red_u:vm_r:vmv_guest_t"
    assert not judge.allowed(plain, red, "grant")
    assert judge.allowed(plain, plain, "grant")


def test_those_who_serve_and_rule_reach_every_user(judge):
    for user in ("red", "blue"):
        guest = f"domu_isolated_{user}_u:vm_r:domu_isolated_guest_t"
        assert judge.allowed("system_u:system_r:netdom_t", guest, "grant") >= {"map_read", "copy"}
        assert judge.allowed("system_u:system_r:stordom_t", guest, "grant") >= {"map_read", "map_write"}
        assert judge.allowed(guest, "system_u:system_r:netdom_t", "grant") == {"copy"}
        assert judge.allowed("system_u:system_r:dom0_t", guest, "domain") >= {"create", "pause", "destroy"}
        assert judge.allowed("system_u:object_r:netdom_t_channel", guest, "event") == {"bind"}
        own = f"vmv_{user}_u:vm_r:vmv_guest_t"
        assert judge.allowed("system_u:system_r:vmv_t", own, "domain") >= {"create", "pause", "destroy"}


def test_a_device_model_serves_the_guest_of_its_user(judge):
    target = "{}:vm_r:vmv_guest_t_target"
    for user, other in (("red", "blue"), ("blue", "red")):
        model = f"vmv_{user}_u:vm_r:vmv_guest_dm_t"
        assert judge.allowed(model, target.format(f"vmv_{user}_u"), "mmu") >= {"map_read", "map_write"}
        assert not judge.allowed(model, target.format(f"vmv_{other}_u"), "mmu")
        assert judge.allowed(model, f"vmv_{user}_u:vm_r:vmv_guest_t", "domain") == {"set_target"}
        assert not judge.allowed(model, f"vmv_{other}_u:vm_r:vmv_guest_t", "domain")


def test_the_users_of_the_example_policy(judge):
    one, two, plain = (f"{who}:domU_t" for who in ("user_1:vm_r", "user_2:vm_r", "system_u:system_r"))
    assert judge.allowed(one, one, "grant") == judge.allowed(one, plain, "grant")
    assert judge.allowed(one, one, "grant") >= {"map_read", "copy"}
    assert not judge.allowed(one, two, "grant")
    assert not judge.allowed(one.replace("domU_t", "prot_domU_t"), two, "grant")


@pytest.mark.interop
@pytest.mark.skipif(not (shutil.which("checkpolicy") and shutil.which("secilc")), reason="needs checkpolicy, secilc")
def test_all_packages_are_the_same_for_every_backend(linked):
    made = [read_policydb(backend.compile(linked, CompileOptions(version=30))) for backend in _backends()]
    assert all(difference.rule for other in made[1:] for difference in explain_differences(made[0], other))


def _backends():
    return BuiltinBackend(), CheckpolicyBackend(), SecilcBackend()
