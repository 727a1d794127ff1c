"""The line that tells how far downloads are."""

import pytest

from polpkg.cli.progress import Downloads
from polpkg.cli.render import size_text


def downloads(*updates):
    found = Downloads()
    for update in updates:
        found.update(*update)
    return found


def test_one_archive():
    line = downloads(("vmv 1.0", 500, 2000)).line(80)
    assert line == "fetching vmv 1.0  [######..................]  25%  500 bytes of 2.0 kB"


def test_several_archives_are_summed_up():
    line = downloads(("a 1", 0, 1000), ("b 1", 1000, 1000), ("a 1", 500, 1000)).line(80)
    assert line == "fetching 2 archives  [##################......]  75%  1.5 kB of 2.0 kB"


def test_a_size_that_is_not_known_has_no_bar():
    assert downloads(("a 1", 5, 0)).line(80) == "fetching a 1  5 bytes"
    assert not downloads(("a 1", 5, 0)).is_complete


def test_more_than_there_should_be_is_no_more_than_all():
    assert "[########################] 100%" in downloads(("a 1", 5, 1)).line(80)


def test_complete_and_begun_anew():
    found = downloads(("a 1", 10, 10))
    assert found.is_complete
    found.clear()
    found.update("b 1", 1, 10)
    assert "b 1" in found.line(80)
    assert not found.is_complete


@pytest.mark.parametrize("width", range(1, 100))
def test_a_line_is_shorter_than_the_terminal(width):
    assert len(downloads(("a-package-with-a-rather-long-name 1.0", 5, 10)).line(width)) < width


def test_a_label_cannot_move_the_cursor():
    assert "\x1b" not in downloads(("\x1b[2J", 1, 2)).line(80)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_234_567, "1.2 MB"), (5 * 10**12, "5000.0 GB")],
)
def test_sizes(size, text):
    assert size_text(size) == text
