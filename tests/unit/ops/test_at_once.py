"""Work in several threads at a time."""

from threading import Barrier, current_thread, main_thread

import pytest

from polpkg.errors import NetworkError
from polpkg.ops.at_once import do_at_once


def test_all_is_done():
    done = []
    do_at_once(done.append, range(100), threads=4)
    assert sorted(done) == list(range(100))


def test_nothing_is_nothing():
    do_at_once(pytest.fail, [], threads=4)


def test_it_happens_at_the_same_time():
    barrier = Barrier(3, timeout=10)
    do_at_once(lambda _: barrier.wait(), range(3), threads=3)


def test_no_more_threads_than_wanted():
    seen = set()
    do_at_once(lambda _: seen.add(current_thread()), range(50), threads=2)
    assert len(seen) <= 2
    assert main_thread() not in seen
    assert all(thread.daemon for thread in seen)


def test_a_failure_comes_back_as_it_is():
    def fail(number):
        if number == 3:
            raise NetworkError("offline", "no network")

    with pytest.raises(NetworkError, match="no network"):
        do_at_once(fail, range(5), threads=2)
