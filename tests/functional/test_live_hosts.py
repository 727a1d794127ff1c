"""Changes of a host that runs, with real scripts and a Xen of paper (tests/live_hosts.py)."""

import shutil
from pathlib import Path

import pytest
from live_hosts import LiveHostFiles

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.host.commands import Completed
from polpkg.targets.live import trial

BOOT = "boot/xenpolicy-4.17-amd64"


@pytest.fixture
def host(_installed, tmp_path, monkeypatch):
    """A host that booted the policy of generation 2: vmv and netdom; a guest runs."""
    root = tmp_path / "host"
    shutil.copytree(_installed, root, symlinks=True)
    found = LiveHostFiles(root, tmp_path / "xen")
    found.xen.boot((root / BOOT).read_bytes())
    found.xen.start("web", "domU_t")
    monkeypatch.setattr("polpkg.targets.host.open.open_ssh_host", lambda address: found)
    return found


@pytest.fixture
def on(call):
    """`on("install", "stordom")`: a command on that host, whose question is answered."""

    def run(*words):
        return call(*words, "--host", "ssh://box", *(() if words[0] in READING else ("--yes",)))

    return run


def words(done):
    return " ".join(done.out.split())


READING = ("status", "verify", "confirm", "probe", "list", "history")


def boot_file(host):
    return (Path(host.root) / BOOT).read_bytes()


def live_folder(host):
    return {path.name for path in (Path(host.root) / "var/lib/polpkg/live").glob("*")}


def test_an_upgrade_is_loaded_and_becomes_what_boots(host, on):
    before = host.xen.loaded
    done = on("install", "stordom", "--json")
    assert done.code == 0, done.err
    assert (done.document["generation"], done.document["live"]["outcome"]) == (3, "loaded")
    assert host.xen.loaded == boot_file(host) != before
    assert host.connections == 1
    assert live_folder(host) == {"record.json", "in-force", "new", "previous", "guard.sh"}
    again = on("install", "stordom", "--json")
    assert (again.code, again.document["changed"], again.document["live"]["outcome"]) == (0, False, "unchanged")


def test_without_an_answer_nothing_happens(host, call):
    done = call("install", "stordom", "--host", "ssh://box", "--json")
    assert (done.code, done.document["error"]["code"]) == (10, "confirmation-needed")
    assert ["xl", "loadpolicy"] not in [words[:2] for words in host.ran]
    assert "load it" not in done.out


def test_a_dry_run_tells_of_the_domains(host, on):
    done = on("install", "stordom", "--dry-run", "--json")
    assert done.code == 10
    live = done.document["live"]
    assert [(each["number"], each["name"]) for each in live["domains"]] == [(0, "Domain-0"), (1, "web")]
    assert {each["name"] for each in live["touched"]} == {"Domain-0", "web"}
    assert (live["xen"], live["flask"], live["in_force"]) == ("4.17.7", "loaded", "that of generation 2")
    text = on("install", "stordom", "--dry-run").out
    assert "Xen 4.17.7 runs there, with 1 guest" in text
    assert "domain 1 (web), domU_t:" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_type_in_use_is_not_removed(host, on):
    host.xen.start("driver", "netdom_t")
    before = host.xen.loaded
    for words in (["--dry-run"], []):
        done = on("remove", "netdom", "--json", *words)
        assert (done.code, done.document["error"]["code"]) == (6, "label-in-use")
        assert "domain 2 (driver)" in done.document["error"]["message"]
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    done = on("remove", "netdom", "--no-activate", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "staged")
    assert host.xen.loaded == before != boot_file(host)
    host.xen.stop("driver")
    done = on("sync", "--json")
    assert (done.code, done.document["changed"], done.document["live"]["outcome"]) == (0, True, "loaded")
    assert host.xen.loaded == boot_file(host)


def test_xen_refuses_the_policy(host, on):
    before = host.xen.loaded
    host.xen.change(refuses=True)
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "load-refused")
    assert "the log of Xen says: (XEN) Flask: out of memory" in done.document["error"]["message"]
    assert "not only to a missing permission" in done.document["error"]["hint"]
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    assert on("status", "--json").document["generation"] == 2


def test_the_host_cuts_itself_off_and_comes_back(host, on, monkeypatch):
    """The new policy lets nobody in: the guard brings the old one back, and the next command knows."""
    monkeypatch.setattr(trial, "LOOKING", 3)
    before = host.xen.loaded

    def cut():
        host.cut_by.add(host.xen.loaded)

    host.after_load = cut
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "probe-failed")
    host.after_load = None
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    status = on("status", "--json").document
    assert (status["generation"], status["live"]["last"]["outcome"]) == (2, "undone")
    assert "its policy was taken back" in words(on("status"))
    host.cut_by.clear()
    assert on("install", "stordom").code == 0
    assert on("status", "--json").document["live"]["last"] is None


def test_a_person_confirms(host, on):
    before = host.xen.loaded
    done = on("install", "stordom", "--confirm-within", "1m", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "waiting"), done.err
    new = host.xen.loaded
    assert new != before == boot_file(host)
    assert on("status", "--json").document["live"]["trial"]["what"] == "install stordom"
    for words in (["--dry-run"], []):
        refused = on("remove", "vmv", "--json", *words)
        assert (refused.code, refused.document["error"]["code"]) == (6, "confirmation-pending")
    assert on("confirm", "--dry-run").code == 10
    done = on("confirm", "--json")
    assert (done.code, done.document["generation"]) == (0, 3), done.err
    assert host.xen.loaded == new == boot_file(host)
    assert on("verify", "--json").document["drift"] == []


def test_nobody_confirms(host, on):
    before = host.xen.loaded
    assert on("install", "stordom", "--confirm-within", "10s").code == 0
    assert host.xen.loaded != before
    host.wait_for_guard("reverted")
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    done = on("confirm", "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "reverted")
    assert on("status", "--json").document["live"]["last"]["what"] == "install stordom"
    assert "candidate" not in live_folder(host)


def test_a_boolean_now_and_at_boot(host, on):
    assert on("boolean", "set", "domU_debug", "on").code == 0
    assert host.xen.state["booleans"]["domU_debug"] is True
    assert host.xen.loaded == boot_file(host)
    assert on("verify").code == 0
    assert on("boolean", "set", "domU_debug", "default").code == 0
    assert host.xen.state["booleans"]["domU_debug"] is False


def test_a_boolean_for_now(host, call):
    place = ("--host", "ssh://box")
    before = host.xen.loaded
    done = call("boolean", "set", "domU_debug", "on", "--runtime", *place)
    assert (done.code, done.out) == (0, "domU_debug is on on ssh://box, until it is started again\n")
    assert host.xen.state["booleans"]["domU_debug"] is True
    assert host.xen.loaded == before == boot_file(host)
    assert "domU_debug: off, but on in force now" in call("boolean", "list", *place).out
    drift = call("verify", *place, "--json")
    assert (drift.code, [each["kind"] for each in drift.document["drift"]]) == (1, ["boolean-differs"])
    done = call("install", "stordom", "--yes", *place, "--json")
    assert done.document["live"]["booleans_kept"] == {"domU_debug": True}
    assert host.xen.state["booleans"]["domU_debug"] is True
    assert call("boolean", "set", "domU_debug", "off", *place, "--yes").code == 0
    assert host.xen.state["booleans"]["domU_debug"] is False
    done = call("boolean", "set", "no_such", "on", "--runtime", *place, "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "unknown-boolean")


def test_a_sealed_policy_waits_for_the_boot(host, on):
    before = host.xen.loaded
    done = on("install", "vmv", "--option", "score:sealed", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "staged")
    assert "the new policy is sealed" in done.document["live"]["reason"]
    assert host.xen.loaded == before != boot_file(host)
    host.xen.boot(boot_file(host))
    done = on("install", "stordom", "--json")
    assert "the policy in force is sealed: dom0_t may not load another" in done.document["live"]["reason"]
    assert (done.code, done.document["live"]["outcome"]) == (0, "staged")
    told = "the policy in force is that of generation 3; this one is loaded by"
    assert told in words(on("status"))


def test_late_with_domains(host, on):
    host.xen.boot(command_line="xsm=flask flask=late")
    host.xen.start("web", "domU_t")
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "late-with-domains")
    assert on("verify", "--json").document["drift"][0]["kind"] == "not-in-force"
    assert "allows everything until it gets one" in words(on("status"))
    host.xen.stop("web")
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "loaded")
    assert "cannot be unloaded" in done.document["live"]["notes"][0]
    assert host.xen.loaded == boot_file(host)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "4.18.3"}, "none of its policies is for Xen 4.18.3, which runs"),
        ({"domains": [[0, "Domain-0", "-"]]}, "has no FLASK"),
        ({"booleans": {"other": True}}, "it has other booleans than those in force"),
    ],
)
def test_what_is_left_for_the_next_boot(host, on, change, reason):
    before = host.xen.loaded
    host.xen.change(**change)
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "staged")
    assert reason in done.document["live"]["reason"]
    assert host.xen.loaded == before != boot_file(host)
    assert on("verify").code in (0, 1)


def test_a_machine_without_xen(host, on):
    host.remove_tool("xl")
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["live"]["outcome"], done.document["live"]["xen"]) == (0, "staged", None)
    assert "it has no `xl`" in words(on("status"))


def test_polpkg_dies_while_it_looks(host, on, monkeypatch):
    """The guard is left, and the next command ends it at once instead of waiting."""
    before = host.xen.loaded

    class Killed(BaseException):
        pass

    def die():
        raise Killed

    host.after_load = die
    with pytest.raises(Killed):
        on("install", "stordom")
    host.after_load = None
    assert host.xen.loaded != before == boot_file(host)
    assert "it is being tried" in words(on("status"))
    done = on("sync", "--json")
    assert done.code == 0
    assert "warning[target-state]: ssh://box: install stordom: its policy was taken back" in done.err
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    assert on("status", "--json").document["live"]["last"]["outcome"] == "undone"


def test_an_interrupt_takes_the_policy_back(host, on):
    before = host.xen.loaded

    def interrupt():
        host.after_load = None
        raise KeyboardInterrupt

    host.after_load = interrupt
    done = on("install", "stordom")
    assert done.code == 130
    assert "interrupted: the old policy is being brought back" in " ".join(done.err.split())
    assert (host.xen.loaded, boot_file(host)) == (before, before)


def test_an_interrupt_while_the_way_back_is_laid(host, on, monkeypatch):
    """Nothing was loaded: there is nothing to wait for."""
    before = host.xen.loaded

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "disarm", interrupt)
    monkeypatch.setattr(trial, "_GRACE", 1)
    done = on("install", "stordom")
    assert (done.code, "waiting until" in done.err) == (130, False)
    assert (host.xen.loaded, boot_file(host)) == (before, before)


def test_a_loader_that_is_killed(host, on, monkeypatch):
    """Whether Xen took the policy before nobody knows: the old one is loaded again."""
    before, load = host.xen.loaded, trial._load

    def kill(commands):
        run = commands.run
        monkeypatch.setattr(commands, "run", lambda argv, **how: Completed(137, *run(argv, **how)[1:]))
        try:
            return load(commands)
        finally:
            monkeypatch.setattr(commands, "run", run)

    monkeypatch.setattr(trial, "_load", kill)
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "probe-failed")
    assert "xl loadpolicy was ended by signal 9" in done.document["error"]["message"]
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    assert ["sh", "/var/lib/polpkg/live/guard.sh", "now"] in host.ran


def test_what_cannot_be_put_in_place_is_not_loaded(host, on, monkeypatch):
    def refuse(_):
        raise TargetError("read-only-target", "it is read-only")

    monkeypatch.setattr(host, "check_writable", refuse)
    for words in ([], ["--confirm-within", "1m"]):
        done = on("install", "stordom", "--json", *words)
        assert (done.code, done.document["error"]["code"]) == (6, "read-only-target")
    assert ["xl", "loadpolicy"] not in [words[:2] for words in host.ran]


def test_a_guard_that_is_faster_than_a_confirmation(host, on, monkeypatch):
    """Then nothing is put in place: neither what runs nor what boots is the new policy."""
    before = host.xen.loaded
    assert on("install", "stordom", "--confirm-within", "10s").code == 0
    write = host.write

    def revert(path, *words, **how):
        if path.endswith("/confirming"):
            host.run(["sh", "/var/lib/polpkg/live/guard.sh", "now"])
        write(path, *words, **how)

    monkeypatch.setattr(host, "write", revert)
    done = on("confirm", "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "reverted")
    assert (host.xen.loaded, boot_file(host)) == (before, before)
    assert on("status", "--json").document["generation"] == 2


def test_what_was_finished_is_told(host, on, monkeypatch):
    """Of a host and of a tree, and without --verbose."""

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("polpkg.targets.apply._tidy", die)
        with pytest.raises(Killed):
            on("install", "stordom")
    done = on("sync")
    assert done.code == 0
    assert "install stordom: its policy stays in force" in " ".join(done.err.split())
    assert "a change that was interrupted was finished" in " ".join(done.err.split())


def test_a_restart_while_a_policy_waits(host, on):
    on("install", "stordom", "--confirm-within", "5m")
    host.xen.boot(boot_file(host))
    assert on("remove", "vmv", "--dry-run").code == 10
    assert on("confirm", "--dry-run", "--json").document.get("live") is not True
    assert "before the host was started again" in words(on("status"))
    assert on("confirm", "--json").document["error"]["code"] == "reverted"
    assert on("install", "stordom").code == 0


def test_a_rollback_is_loaded_as_well(host, on):
    done = on("install", "stordom")
    assert (done.code, "looked at through a new connection" in words(done)) == (0, True)
    done = on("rollback", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "loaded")
    assert host.xen.loaded == boot_file(host)


def test_options_that_disagree(host, on):
    done = on("install", "stordom", "--no-activate", "--confirm-within", "1m", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "options-disagree")
    assert on("install", "stordom", "--confirm-within", "5s").code == 2


def test_a_look_that_comes_too_late(host, on, monkeypatch):
    """The connection slept until the guard had done its work; nothing is put in place."""
    monkeypatch.setattr(trial, "LOOKING", 1)
    before = host.xen.loaded
    host.after_load = lambda: host.wait_for_guard("reverted")
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "probe-failed")
    assert "took longer than 1 seconds" in done.document["error"]["message"]
    assert (host.xen.loaded, boot_file(host)) == (before, before)


def test_a_label_that_is_lost(host, on, monkeypatch):
    """Whatever Xen does with a policy: what is seen afterwards counts."""
    before = host.xen.loaded

    def lose():
        host.after_load = None
        domains = host.xen.state["domains"]
        host.xen.change(domains=[domains[0], [1, "web", "system_u:system_r:unlabeled_t"]])

    host.after_load = lose
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "probe-failed")
    assert "domain 1 (web) cannot be seen any more" in done.document["error"]["message"]
    assert (host.xen.loaded, boot_file(host)) == (before, before)


def test_a_guest_that_ends_meanwhile_is_no_reason(host, on):
    host.after_load = lambda: host.xen.stop("web")
    assert on("install", "stordom").code == 0


def test_nothing_is_loaded_without_a_guard(host, on, monkeypatch):
    monkeypatch.setattr("polpkg.targets.live.guard._START", "true")
    monkeypatch.setattr("polpkg.targets.live.guard._STARTING", 0)
    before = host.xen.loaded
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "no-guard")
    assert (host.xen.loaded, boot_file(host), live_folder(host) & {"armed"}) == (before, before, set())


def test_what_fails_after_the_load_takes_it_back(host, on, monkeypatch):
    def fail(*_, **__):
        raise ApplyError("apply-failed", "the disk is full")

    monkeypatch.setattr("polpkg.targets.apply.apply_plan", fail)
    before = host.xen.loaded
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["error"]["code"]) == (8, "apply-failed")
    assert (host.xen.loaded, boot_file(host)) == (before, before)


def test_devices_are_labelled_again(host, on):
    address = "0000:03:00.0"
    assert on("install", "netdom", "--set", f"pci={address}").code == 0
    assert host.xen.state["labels"] == [], "there is no such device"
    (Path(host.root) / "sys/bus/pci/devices" / address).mkdir(parents=True)
    done = on("install", "stordom", "--json")
    context = "system_u:object_r:netdom_device_t"
    assert (done.code, done.document["live"]["devices"]) == (0, {address: context})
    assert host.xen.state["labels"] == [[address, context]]
    host.xen.change(labels=[])
    assert on("remove", "stordom", "--confirm-within", "10s").code == 0
    host.xen.change(labels=[])
    host.wait_for_guard("reverted")
    assert host.xen.state["labels"] == [[address, context]]


def test_another_device_is_labelled_though_the_policy_is_the_same(host, on):
    devices = Path(host.root) / "sys/bus/pci/devices"
    for address in ("0000:03:00.0", "0000:04:00.0"):
        (devices / address).mkdir(parents=True)
    assert on("install", "netdom", "--set", "pci=0000:03:00.0").code == 0
    loaded = host.xen.loaded
    done = on("install", "netdom", "--set", "pci=0000:04:00.0", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "loaded")
    assert host.xen.loaded == loaded
    assert [address for address, _ in host.xen.state["labels"]] == ["0000:04:00.0"]


def test_probe_tells_of_domains(host, on):
    done = on("probe", "--json")
    assert [each["label"] for each in done.document["live"]["domains"]][1] == "system_u:system_r:domU_t"
    assert "domain 1 (web): system_u:system_r:domU_t" in on("probe").out


def test_permissive_mode_is_told(host, on):
    host.xen.change(enforcing=False)
    assert "permissive mode" in words(on("status"))
    assert on("verify", "--json").document["drift"][0]["kind"] == "permissive-mode"


def test_the_first_change_of_a_host_with_a_policy_of_its_own(host, on):
    """Nothing of polpkg is there; the policy in /boot is the one in force."""
    shutil.rmtree(Path(host.root) / "var")
    shutil.rmtree(Path(host.root) / "etc")
    done = on("install", "vmv", "netdom", "stordom", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "loaded"), done.document
    assert done.document["live"]["in_force"] == f"/{BOOT}"
    assert host.xen.loaded == boot_file(host)


def test_first_change_without_a_known_policy(host, on):
    shutil.rmtree(Path(host.root) / "var")
    (Path(host.root) / BOOT).unlink()
    done = on("install", "stordom", "--json")
    assert (done.code, done.document["live"]["outcome"]) == (0, "staged")
    assert "is not known" in done.document["live"]["reason"]


def test_what_did_not_boot_is_not_confirmed(host, on, call):
    """With GRUB: the first confirmation makes a way back, the second one has to wait for a boot."""
    scripts = Path(host.root) / "etc/grub.d"
    scripts.mkdir()
    (scripts / "00_header").write_text("#!/bin/sh\n")
    assert on("confirm").code == 0
    assert on("install", "stordom").code == 0
    done = on("confirm", "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "not-booted")
    booted = Path(host.root) / "boot/polpkg/grubenv"
    host.xen.boot(boot_file(host))
    booted.write_bytes(booted.read_bytes().replace(b"staged", b"booted"))
    assert on("status", "--json").document["live"]["current"] is True
    assert on("confirm").code == 0
