"""How far downloads are, as one line of text that is drawn over itself.

`Downloads` knows no terminal: it takes what the transport tells and says what the line is to be.
"""

from __future__ import annotations

from polpkg.cli.render import size_text, visible

_BAR = 24


class Downloads:
    """What is on its way: bytes by label, and how many there will be (0: not known)."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, int]] = {}

    def update(self, label: str, done: int, total: int) -> None:
        """`label` has come to `done` of `total` bytes."""
        self._sizes[label] = (done, total)

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was begun is missing any more."""
        return all(0 < total <= done for done, total in self._sizes.values())

    def clear(self) -> None:
        """Forget what has come: the next download begins a new line."""
        self._sizes.clear()

    def line(self, width: int) -> str:
        """The line, shorter than `width`."""
        done = sum(done for done, _ in self._sizes.values())
        total = sum(total for _, total in self._sizes.values())
        known = all(total for _, total in self._sizes.values())
        what = visible(next(iter(self._sizes))) if len(self._sizes) == 1 else f"{len(self._sizes)} archives"
        amount = f"{size_text(done)} of {size_text(total)}" if known else size_text(done)
        bar = _bar(done / total) if known else ""
        line = "  ".join(filter(None, (f"fetching {what}", bar, amount)))
        return line if len(line) < width else f"fetching {amount}"[: max(width - 1, 0)]


def _bar(share: float) -> str:
    filled = min(int(share * _BAR), _BAR)
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {min(share, 1):4.0%}"
