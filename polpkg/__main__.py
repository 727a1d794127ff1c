"""Start polpkg.

`--version` is answered before anything else is imported: scripts ask it often, and it takes little more than Python
itself.  Everything else is the work of `polpkg.cli.boundary`.
"""

from __future__ import annotations

import gc
import sys

from polpkg import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; `arguments` are those after the name of the program."""
    words = sys.argv[1:] if arguments is None else arguments
    if words in (["--version"], ["-V"]) and _takes(f"polpkg {__version__}\n"):
        return 0
    try:
        # A command makes many values and few cycles: looking for them less often saves a twelfth of the start alone.
        gc.set_threshold(100_000)
        from polpkg.cli.boundary import run

        return run(words)
    except KeyboardInterrupt:  # during the imports themselves
        return 130


def _takes(text: str) -> bool:
    """Whether stdout takes `text`; what to do when it is closed or full, the boundary knows."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (AttributeError, OSError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
