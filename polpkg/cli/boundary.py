"""The last line of defence: whatever a command does, a person gets a message and the shell an exit code.

Nothing heavy is imported here, so that this works even when polpkg is installed incompletely.
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from polpkg.errors import ExitCode, PolpkgError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SURROUNDINGS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE}
)
"""Failures of the machine around us, which no care in polpkg prevents: they are not bugs."""


def run(words: Sequence[str]) -> int:
    """Run the command that `words` spell and return its exit code; never raises."""
    _open_closed_streams()
    _show_every_name()
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return ExitCode.FAILURE
    except OSError as error:  # the answer does not fit on the device that stdout is, and nor would an error document
        _discard_output()
        return _report(_system_error(error), ())
    except KeyboardInterrupt:
        return _interrupted()
    return code


def _open_closed_streams() -> None:
    """Whoever closes stdout or stderr (`>&-`) does not want to read it; the work is done all the same."""
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _show_every_name() -> None:
    """A name that the terminal's encoding cannot show is no reason to fail."""
    stream: object = sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def _run(words: Sequence[str]) -> int:
    try:
        from polpkg.cli.app import run as run_command

        return run_command(words)
    except PolpkgError as error:
        return _report(error, words)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in _SURROUNDINGS:
            return _report(_system_error(error), words)
        return _report_bug(error, words)
    except Exception as error:  # noqa: BLE001 - a bug must end in a message as well
        return _report_bug(error, words)


def _report(error: PolpkgError, words: Sequence[str], exit_code: int | None = None) -> int:
    from polpkg.cli.console import Console

    return Console.for_words(words).fail(error, exit_code)


def _system_error(error: OSError) -> PolpkgError:
    what = error.strerror or type(error).__name__
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return PolpkgError("system-error", f"{' -> '.join(names)}: {what}" if names else what)


def _report_bug(error: Exception, words: Sequence[str]) -> int:
    """Write a trace file and say where to report it."""
    trace = write_trace(error, words)
    where = f"the trace is in {trace}" if trace else "no trace file could be written"
    found = PolpkgError(
        "internal-error",
        f"polpkg failed unexpectedly ({type(error).__name__}: {' '.join(str(error).split())})",
        hint=f"this is a bug in polpkg; please report it to the project's issue tracker: {where}",
    )
    return _report(found, words, ExitCode.BUG)


def write_trace(error: BaseException, words: Sequence[str]) -> Path | None:
    """Write what a developer needs to know of `error`, readable by this user only, and return the path.

    The file goes to the state directory (`XDG_STATE_HOME`), else to the temporary one; None when neither takes it.
    """
    import tempfile
    from pathlib import Path

    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if state.startswith("/") else Path("~/.local/state")
    text = _trace(error, words)
    for make in (lambda: _private_directory(home.expanduser() / "polpkg"), lambda: Path(tempfile.gettempdir())):
        try:
            descriptor, name = tempfile.mkstemp(prefix="polpkg-trace-", suffix=".txt", dir=make())
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
        return Path(name)
    return None


def _private_directory(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _trace(error: BaseException, words: Sequence[str]) -> str:
    import platform
    import traceback

    from polpkg import __version__

    lines = [
        f"polpkg {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: {['polpkg', *map(_without_credentials, words)]}",
        "",
        *traceback.format_exception(error),
    ]
    return "\n".join(lines)


def _without_credentials(word: str) -> str:
    """The word without the user and password of a URL: a trace file is made to be sent to others."""
    scheme, separator, rest = word.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else word


def _interrupted() -> int:
    sys.stderr.write("\ninterrupted\n")
    return ExitCode.INTERRUPTED


def _discard_output() -> None:
    """Nobody reads stdout any more: let the interpreter's own flush at exit go nowhere, without a complaint."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file: a test or an embedder owns it
        sys.stdout = None
