"""A session with a shell: answers keep apart, an interrupt leaves it usable, and its lock ends with it."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from polpkg.errors import TargetError
from polpkg.targets.host import session as session_module
from polpkg.targets.host.remote import RemoteHost
from polpkg.targets.host.session import Session, SessionEnd
from polpkg.targets.host.ssh import checked

LARGE = bytes(range(256)) * 9_000


@pytest.fixture
def session():
    found = Session(["sh"])
    yield found
    found.close()


@pytest.fixture
def host(session, tmp_path):
    return RemoteHost(checked(session, "the host"), "the host", top=str(tmp_path))


def connect(tmp_path, **options):
    session = Session(["sh"], **options)
    return RemoteHost(session, "the host", top=str(tmp_path))


class TestPrograms:
    def test_bytes_go_in_and_come_out(self, host):
        ended = host.commands.run(["cat"], stdin=LARGE)
        assert (ended.status, ended.output, ended.errors) == (0, LARGE, b"")

    def test_what_it_does_not_read_is_not_taken_for_a_line(self, host):
        assert host.commands.run(["true"], stdin=LARGE).status == 0
        assert host.commands.run(["head", "-c", "3"], stdin=LARGE).output == LARGE[:3]
        assert host.commands.run(["sh", "-c", "exec cat <&-"], stdin=b"").status != 0
        assert host.commands.run(["echo", "still here"]).output == b"still here\n"

    @pytest.mark.parametrize("word", ["a b", "", "'", '"', "$HOME", "a\nb", "-x", "*", "~", "é", "\\"])
    def test_no_shell_sees_the_arguments(self, host, word):
        assert host.commands.run(["printf", "%s|%s", word, "end"]).output == os.fsencode(f"{word}|end")

    def test_its_status_and_its_errors(self, host):
        ended = host.commands.run(["sh", "-c", "echo out; echo error >&2; exit 9"])
        assert (ended.status, ended.output, ended.errors) == (9, b"out\n", b"error\n")

    def test_one_that_is_not_there(self, host):
        assert host.commands.run(["polpkg-no-such-program"]).status == 127

    def test_one_that_takes_too_long_is_ended(self, host):
        with pytest.raises(TargetError) as caught:
            host.commands.run(["sleep", "60"], timeout=0.2)
        assert caught.value.code == "command-timeout"
        assert host.commands.run(["echo", "next"]).output == b"next\n"

    def test_it_does_not_get_the_lock(self, host, tmp_path):
        """A daemon that it leaves behind would keep it for ever."""
        with host.lock():
            host.write("/var/lib/polpkg/marks.json", b"{}")
            host.commands.run(["sh", "-c", "sleep 30 </dev/null >/dev/null 2>&1 & echo $! >" + f"{tmp_path}/pid"])
        try:
            with connect(tmp_path).lock(pytest.fail):
                pass
        finally:
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_an_answer_may_look_like_an_end(session):
    assert session.run(r"printf '\n%s.1 0\n' abc").output == b"\nabc.1 0\n"
    assert session.run("echo error >&2; false; (exit 4)").status == 4


def test_an_interrupt_leaves_the_session_in_step(session):
    """Its answer comes after all, and is not taken for that of the next line."""
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        session.run("sleep 1; echo late")
    timer.join()
    assert session.run("echo next").output == b"next\n"


def test_silence_ends_the_session(session):
    with pytest.raises(SessionEnd) as caught:
        session.run("sleep 1", patience=0.2)
    assert "said nothing" in caught.value.said
    with pytest.raises(SessionEnd):
        session.run("true")


def test_what_was_said_last_is_told(tmp_path):
    host = connect(tmp_path)
    with pytest.raises(TargetError) as caught:
        host._do("do", "it", "echo no more >&2; kill -9 $$")
    assert caught.value.code == "connection-lost"
    assert "no more" in caught.value.message
    assert caught.value.exit_code == 1
    with pytest.raises(TargetError):
        host.read("/etc/hostname")


def test_a_shell_that_says_more_than_it_is_asked(tmp_path):
    """A profile that greets whoever logs in."""
    session = Session(["sh", "-c", "echo Welcome; echo Beware >&2; exec sh"])
    assert session.run("echo hello").output == b"hello\n"
    session.close()


def test_missing_programs_are_named(tmp_path):
    for name in ("sh", "cat", "dd", "id", "mv", "stat"):
        (tmp_path / name).symlink_to(next(p for p in (Path("/bin", name), Path("/usr/bin", name)) if p.exists()))
    session = Session(["env", f"PATH={tmp_path}", str(tmp_path / "sh")])
    with pytest.raises(TargetError) as caught:
        checked(session, "ssh://small")
    assert caught.value.code == "host-lacks-programs"
    assert caught.value.exit_code == 6
    assert "flock" in caught.value.message
    assert "chmod" in caught.value.message
    assert "coreutils util-linux" in caught.value.hint


class TestLock:
    def test_it_ends_with_the_connection(self, tmp_path):
        first = connect(tmp_path)
        lock = first.lock()
        lock.__enter__()
        first.write("/var/lib/polpkg/marks.json", b"{}")
        first.session.close()
        with connect(tmp_path).lock(pytest.fail):
            pass
        lock.__exit__(None, None, None)

    def test_it_is_there_until_the_host_has_done_what_it_was_told(self, tmp_path, monkeypatch):
        """The connection is cut in the middle of a line: nobody recovers before that line has come to its end."""
        monkeypatch.setattr(session_module, "_GOODBYE", 0.01)
        first = RemoteHost(Session(["sh", "-c", "sh; exit"]), "the host", top=str(tmp_path))
        lock = first.lock()
        lock.__enter__()
        first.write("/var/lib/polpkg/marks.json", b"{}")
        done = tmp_path / "done"
        with pytest.raises(SessionEnd):
            first.session.run(f"sleep 1; echo >{done}", patience=0.1)
        said = []
        with connect(tmp_path).lock(said.append):
            assert done.exists()
        assert len(said) == 1
        lock.__exit__(None, None, None)

    def test_a_dead_connection_does_not_keep_it(self, tmp_path):
        """Nobody closed anything: there is only silence."""
        first = connect(tmp_path)
        first.session.run("p_pause=0.1")
        with first.lock():
            start = time.monotonic()
            with connect(tmp_path).lock():
                assert time.monotonic() - start < 20
            with pytest.raises(TargetError) as caught:
                first.list("/")
            assert caught.value.code == "connection-lost"

    def test_signs_of_life_keep_it(self, tmp_path, monkeypatch):
        monkeypatch.setattr(session_module, "SIGN_OF_LIFE", 0.05)
        first = connect(tmp_path)
        first.session.run("p_pause=0.3")
        with first.lock():
            time.sleep(2.5)
            assert first.list("/") == ("var",)

    def test_a_line_that_is_carried_out_is_not_cut_short(self, session):
        """Whoever watches over the other end may come at any time."""
        assert session.run("kill -TERM $$; echo done").output == b"done\n"
        session.run("( sleep 0.1; kill -TERM $$ ) & true")
        time.sleep(1)
        with pytest.raises(SessionEnd):
            session.run("true")
