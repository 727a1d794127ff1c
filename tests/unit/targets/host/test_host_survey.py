"""What is fetched at once answers as the host itself would, is forgotten in time, and saves the way there and back."""

from __future__ import annotations

import shutil

import pytest

from polpkg.errors import HostError
from polpkg.targets.host import survey as survey_module
from polpkg.targets.host.remote import RemoteHost
from polpkg.targets.host.session import Session
from polpkg.targets.tree import TreeTarget

FILES = {
    "etc/polpkg/policy.toml": b"[packages]\n",
    "etc/polpkg/policy.lock": bytes(range(256)),
    "etc/polpkg/empty": b"",
    "var/lib/polpkg/lock": b"",
    "var/lib/polpkg/marks.json": b"{}\n\n",
    "var/lib/polpkg/generations/3/receipt.json": b"{}",
    "var/lib/polpkg/generations/3/a11de9/policydb": b"\0" * 3000,
    "var/lib/polpkg/generations/3/a11de9/map.json": b"x" * 70_000,
    "var/lib/polpkg/generations/2/receipt.json": b"old",
    "boot/xen-4.17-amd64.gz": b"xen",
    "boot/xenpolicy-4.17": b"policy",
    "boot/a b\nc'd": b"odd",
    "boot/-n": b"odd as well",
    "boot/.hidden": b"",
    "boot/grub/grub.cfg": b"menuentry\n",
}

LINKS = {
    "var/lib/polpkg/current": "generations/3",
    "boot/xen.gz": "xen-4.17-amd64.gz",
    "boot/dangling": "nowhere",
    "boot/loop": "loop",
    "boot/away": "/etc",
    "etc/grub.d": "elsewhere/grub.d",
}

ABSENT = (
    "/etc/polpkg/none", "/var/lib/polpkg/journal.json", "/boot/polpkg/grubenv", "/etc/systemd/system/x.service",
    "/none/at/all", "/boot/xen-4.17-amd64.gz/below", "/boot/dangling/below",
    "/var/lib/polpkg/generations/4/receipt.json",
)  # fmt: skip


@pytest.fixture
def root(tmp_path):
    place = tmp_path / "root"
    for name, content in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    for name, text in LINKS.items():
        (place / name).symlink_to(text)
    return place


@pytest.fixture
def session():
    found = Session(["sh"])
    yield found
    found.close()


@pytest.fixture
def host(session, root):
    return RemoteHost(session, "the host", top=str(root))


@pytest.fixture
def lines(session, monkeypatch):
    """The lines that are sent from here on."""
    sent = []
    run = session.run

    def noted(line, *words, **options):
        sent.append(line.split()[0])
        return run(line, *words, **options)

    monkeypatch.setattr(session, "run", noted)
    return sent


def test_it_answers_as_the_files_do(host, root):
    tree = TreeTarget(str(root))
    folders = {f"/{name}".rpartition("/")[0] for name in (*FILES, *LINKS)} | {"/", "/boot/away", "/boot/polpkg", "/etc"}
    for path in sorted({f"/{name}" for name in (*FILES, *LINKS)} | folders | set(ABSENT)):
        if path not in {"/boot/loop", "/boot/away"}:
            assert host.stat(path) == tree.stat(path), path
        assert host.read_link(path) == tree.read_link(path), path
        if path not in {"/boot/loop", "/boot/away"}:
            assert host.list(path) == tree.list(path), path
    for name, content in FILES.items():
        assert host.read(f"/{name}") == content
    assert host.stat("/boot/../etc/polpkg/policy.toml") is not None
    assert host.stat("/boot/.") is not None


def test_what_polpkg_asks_of_every_host_takes_two_lines(host, lines):
    assert host.stat("/var/lib/polpkg/journal.json") is None
    assert host.read_link("/var/lib/polpkg/current") == "generations/3"
    assert host.read("/var/lib/polpkg/generations/3/receipt.json") == b"{}"
    assert host.read("/etc/polpkg/policy.toml") == b"[packages]\n"
    assert "xenpolicy-4.17" in host.list("/boot")
    host.remove("/var/lib/polpkg/.polpkg-new")
    assert len(lines) == 2


def test_a_large_file_is_fetched_when_it_is_asked_for(host, lines):
    assert len(host.read("/var/lib/polpkg/generations/3/a11de9/map.json")) == 70_000
    assert lines[-1] == "p_read"


@pytest.mark.parametrize("change", ["write", "write_link", "remove", "write_tree"])
def test_a_change_makes_it_forget(host, root, lines, change):
    path = "/etc/polpkg/policy.toml"
    assert host.read(path)
    match change:
        case "write":
            host.write(path, b"new")
        case "write_link":
            host.write_link(path, "policy.lock")
        case "remove":
            host.remove(path)
        case "write_tree":
            host.write_tree(path, {"a": b"1"})
    tree = TreeTarget(str(root))
    assert (host.stat(path), host.read_link(path)) == (tree.stat(path), tree.read_link(path))
    (root / "etc/polpkg/policy.lock").write_bytes(b"by hand")
    assert host.read("/etc/polpkg/policy.lock") == b"by hand", "what is read back comes from the host"


def test_a_program_may_change_everything(host, root):
    assert host.read("/etc/polpkg/policy.toml")
    host.commands.run(["rm", str(root / "etc/polpkg/policy.toml")])
    assert host.stat("/etc/polpkg/policy.toml") is None


def test_under_the_lock_it_is_fetched_anew(host, root):
    assert host.read("/etc/polpkg/policy.toml")
    (root / "etc/polpkg/policy.toml").write_bytes(b"of somebody else")
    with host.lock():
        assert host.read("/etc/polpkg/policy.toml") == b"of somebody else"


def test_whether_somebody_changes_it_is_asked_each_time(host, root, lines):
    """`polpkg.targets.steady` compares two moments: what was fetched at the first says nothing about the second."""
    assert host.stat("/var/lib/polpkg/journal.json") is None
    assert host.read("/var/lib/polpkg/marks.json") == b"{}\n\n"
    (root / "var/lib/polpkg/marks.json").write_bytes(b"new")
    (root / "var/lib/polpkg/journal.json").write_bytes(b"{}")
    assert host.stat("/var/lib/polpkg/journal.json") is not None
    assert host.read("/var/lib/polpkg/marks.json") == b"new"
    del lines[:]
    with host.lock():
        for _ in range(3):
            assert host.stat("/var/lib/polpkg/journal.json") is not None
    assert len(lines) == 4, "under the lock nobody else does: it, two lines, and unlocking"


def test_a_host_that_is_gone_answers_nothing(host, session):
    """Or else a change would count as taken back that nobody has looked at."""
    with host.lock():
        assert host.stat("/var/lib/polpkg/journal.json") is None
        with pytest.raises(HostError) as caught:
            host._ask("kill -9 $$")
        assert "." not in caught.value.message
        with pytest.raises(HostError):
            host.stat("/var/lib/polpkg/journal.json")
        with pytest.raises(HostError):
            host.remove("/var/lib/polpkg/.polpkg-new")


def test_it_does_not_last(host, root, monkeypatch):
    monkeypatch.setattr(survey_module, "_FRESH", -1.0)
    assert host.read("/etc/polpkg/policy.toml")
    (root / "etc/polpkg/policy.toml").write_bytes(b"of somebody else")
    assert host.read("/etc/polpkg/policy.toml") == b"of somebody else"


def test_it_survives_files_that_go_meanwhile(host, root, session, monkeypatch):
    run = session.run

    def racing(line, *words, **options):
        if line.startswith("cat"):
            shutil.rmtree(root / "etc")
        return run(line, *words, **options)

    monkeypatch.setattr(session, "run", racing)
    assert host.read("/var/lib/polpkg/marks.json") == b"{}\n\n"
