"""What runs on a host, from what Xen's tools print."""

import pytest

from polpkg.errors import TargetError
from polpkg.targets.host.commands import Completed
from polpkg.targets.live.running import Flask, RunningDomain, read_running

HEADER = b"Name                                        ID   Mem VCPUs\tState\tTime(s)   Security Label\n"


def row(name, number, label):
    return f"{name:<40} {number:5} {640:5} {1:5}     r-----  {12.5:8.1f} {label:>16}\n".encode()


class Scripted:
    """Answers by program and first word."""

    def __init__(self, rows=b"", info=b"", booleans=(0, b""), enforce=b"Enforcing\n", list_status=0, errors=b""):
        self.answers = {
            "xl list": Completed(list_status, HEADER + rows, errors),
            "xl info": Completed(0, info),
            "xl getenforce": Completed(0, enforce),
            "flask-get-bool -a": Completed(*booleans),
            "cat /proc/sys/kernel/random/boot_id": Completed(0, b"one-boot\n"),
        }

    def run(self, argv, *, stdin=b"", timeout=60.0):
        return self.answers[" ".join(argv[:2])]


DOM0 = row("Domain-0", 0, "system_u:system_r:dom0_t")
INFO = (
    b"host                   : box\nxen_version            : 4.17.7\nxen_commandline        : xsm=flask flask=late \n"
)


def test_a_host_with_a_policy_and_a_guest():
    guest = row("my guest", 3, "system_u:system_r:domU_t:s0")
    found = read_running(Scripted(guest + DOM0, INFO, (0, b"a: 1\nb: 0 (pending 1)\n")))
    assert (found.version, found.is_late, found.flask, found.enforcing) == ("4.17.7", True, Flask.LOADED, True)
    assert found.domain0.type_name == "dom0_t"
    assert found.guests == (RunningDomain(3, "my guest", "system_u:system_r:domU_t:s0"),)
    assert str(found.guests[0]) == "domain 3 (my guest)"
    assert found.booleans == {"a": True, "b": False}
    assert found.boot == "one-boot"


@pytest.mark.parametrize(("label", "flask"), [("-", Flask.ABSENT), ("dom0", Flask.EMPTY)])
def test_getenforce_says_nothing_without_a_policy(label, flask):
    found = read_running(Scripted(row("Domain-0", 0, label), INFO))
    assert (found.flask, found.enforcing, found.booleans) == (flask, None, {})
    assert found.domain0.type_name == ""


def test_booleans_that_cannot_be_read():
    assert read_running(Scripted(DOM0, INFO, (2, b""))).booleans is None
    assert read_running(Scripted(DOM0, INFO, (127, b""))).booleans is None


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        (Scripted(list_status=127), "it has no `xl`"),
        (Scripted(list_status=1, errors=b"xencall: error: Could not obtain handle\n"), "Could not obtain handle"),
        (Scripted(), "domain 0 is not among its domains"),
    ],
)
def test_what_is_no_dom0(commands, words):
    with pytest.raises(TargetError, match=words) as caught:
        read_running(commands)
    assert caught.value.code == "not-a-dom0"
