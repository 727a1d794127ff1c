"""What the programs of a host say when something cannot be done, as the errors that any target has.

With LC_ALL=C they all say what strerror does; the texts are those of glibc and, where it has another, of musl.
"""

from __future__ import annotations

from polpkg.errors import TargetError

_CODES = (
    ("Read-only file system", "read-only-target"),
    ("Permission denied", "target-permission"),
    ("Operation not permitted", "target-permission"),
    ("No space left on device", "target-full"),
    ("Disk quota exceeded", "target-full"),
    ("Quota exceeded", "target-full"),
    ("No such file", "no-such-file"),
    ("nonexistent", "no-such-file"),  # dash
    ("Not a directory", "not-a-directory"),
    ("File exists", "not-a-directory"),  # mkdir: what is in the way is no directory
    ("Is a directory", "not-a-file"),
    ("cannot overwrite directory", "not-a-file"),
    ("is a directory", "not-a-file"),  # busybox
    ("it is not a regular file", "not-a-file"),
    ("Too many levels of symbolic links", "link-loop"),
    ("Symbolic link loop", "link-loop"),
    ("already there", "already-there"),
)

MISSING = frozenset(("no-such-file", "not-a-directory"))
"""What "there is nothing" looks like to whoever only asks."""

_HINTS = {
    "target-permission": "log in as root, or as a user that sudo lets become root without a password",
    "read-only-target": "remount it read-write",
    "target-full": "make room, or keep fewer generations",
}


def failure(verb: str, path: str, where: str, errors: bytes) -> TargetError:
    """The error about `verb` not being done to `path`, after what the programs there said."""
    said = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    text, code = next(((text, code) for line in said for text, code in _CODES if text in line), ("", "target-failed"))
    reason = text or (said[-1] if said else "it failed and did not say why")
    message = f"cannot {verb} {path} in {where}: {reason[:1].lower() + reason[1:] if text else reason}"
    return TargetError(code, message, hint=_HINTS.get(code, ""))
