"""How hosts are named, and which machine counts as a dom0."""

from __future__ import annotations

import pytest

from polpkg.errors import TargetError, UsageError
from polpkg.ops.context import Context
from polpkg.plugin.manager import Distribution, Plugins
from polpkg.plugin.values import Component
from polpkg.targets.host import local
from polpkg.targets.host.address import SshAddress, parse_ssh_address
from polpkg.targets.host.dom0 import why_not_dom0
from polpkg.targets.host.local import LocalCommands
from polpkg.targets.host.open import open_default_host, open_host
from polpkg.targets.tree import TreeTarget


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://host", SshAddress("host")),
        ("ssh://root@host", SshAddress("host", "root")),
        ("ssh://root@host:2222", SshAddress("host", "root", 2222)),
        ("ssh://host.example.org/", SshAddress("host.example.org")),
        ("ssh://[::1]:22", SshAddress("::1", "", 22)),
        ("ssh://a@[fe80::1%eth0]", SshAddress("fe80::1%eth0", "a")),
        ("ssh://10.0.0.1", SshAddress("10.0.0.1")),
    ],
)
def test_addresses(text, expected):
    assert parse_ssh_address(text) == expected
    assert parse_ssh_address(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ssh://", "ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://a@-x", "ssh://host:0", "ssh://host:65536",
        "ssh://host:x", "ssh://host/path", "ssh://a:b@host", "ssh://host name", "ssh://[::1", "ssh://a@b@c",
        "ssh://host\n", "host", "", "http://host", "ssh:/host", "local:",
    ],
)  # fmt: skip
def test_malformed_addresses(text):
    with pytest.raises(UsageError) as caught:
        open_host(text)
    assert caught.value.code == "malformed-host"


def machine(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return TreeTarget(str(root))


NIL = "00000000-0000-0000-0000-000000000000\n"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "does not run on Xen"),
        ({"sys/hypervisor/type": "kvm\n"}, "does not run on Xen"),
        ({"proc/xen/capabilities": "control_d\n"}, ""),
        ({"proc/xen/capabilities": "", "sys/hypervisor/type": "xen\n"}, "is a Xen guest, not a dom0"),
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": NIL}, ""),
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/start_flags/initdomain": "1\n"}, ""),
        (
            {"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": NIL.replace("0", "1")},
            "is a Xen guest, not a dom0",
        ),
    ],
)
def test_dom0(tmp_path, files, reason):
    assert why_not_dom0(machine(tmp_path, files)) == reason


def test_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "ROOT", str(tmp_path))
    with pytest.raises(TargetError) as caught:
        open_host("local")
    assert (caught.value.code, caught.value.exit_code) == ("not-dom0", 6)
    with pytest.raises(TargetError) as caught:
        open_default_host()
    assert (caught.value.code, caught.value.exit_code) == ("no-target", 6)
    machine(tmp_path, {"proc/xen/capabilities": "control_d\n"})
    for host in (open_host("local"), open_default_host()):
        assert host.list("/proc/xen") == ("capabilities",)
        assert host.commands.run(["cat"], stdin=b"\0x").output == b"\0x"


def test_hosts_of_plugins():
    context = Context()
    acme = Component("acme", "a host behind Acme's management plane", "polpkg.targets.tree:TreeTarget")
    context.__dict__["plugins"] = Plugins((Distribution("polpkg-acme", "1", False, {"targets": (acme,)}, ()),))
    assert isinstance(context.open_target(None, None, "acme://rack-4"), TreeTarget)
    with pytest.raises(UsageError) as caught:
        context.open_target(None, None, "acne://rack-4")
    assert caught.value.code == "unknown-host-kind"
    assert "acme://" in caught.value.hint


class TestLocalPrograms:
    def test_their_status(self):
        run = LocalCommands().run
        assert run(["sh", "-c", "echo a; echo b >&2; exit 3"]) == (3, b"a\n", b"b\n")
        assert run(["sh", "-c", "kill -9 $$"]).status == 137
        assert run(["polpkg-no-such-program"]).status == 127

    def test_one_that_takes_too_long(self):
        with pytest.raises(TargetError) as caught:
            LocalCommands().run(["sleep", "60"], timeout=0.1)
        assert caught.value.code == "command-timeout"

    def test_the_sbin_directories_count(self, monkeypatch):
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
        assert "/usr/sbin" in LocalCommands().run(["sh", "-c", "echo $PATH"]).output.decode()
