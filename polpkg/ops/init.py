"""`polpkg init`: a package to begin with, which checks and builds as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError, UsageError
from polpkg.ops import scaffold
from polpkg.packages.manifest_reader import MANIFEST_FILE
from polpkg.packages.names import MAX_LENGTH, NAME_RULE, did_you_mean, is_name, is_policy_word

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.plugin.values import Role


class BegunPackage(NamedTuple):
    """A package that was begun: where, its name, and the files that were written."""

    folder: Path
    name: str
    files: tuple[str, ...]


def init_package(context: Context, folder: Path, *, name: str = "", role: str = "") -> BegunPackage:
    """Writes a small package into `folder`, which is made if need be; nothing that is there is overwritten.

    `name` is by default what the name of the folder becomes by the name rule.  `role` is one that a plugin knows: the
    package then has guests if the role has.  Raises UsageError `bad-name`, `unknown-role` and `already-there`, and
    PolpkgError `cannot-write`.
    """
    given = name or folder.resolve().name
    chosen = _check_name(given, bring_to_rule(given))
    if name and name != chosen:
        raise _bad_name(name, f"did you mean `{chosen}`?")
    has_guests = bool(role) and any(label.each == "guests" for label in _find_role(context, role).labels)
    files = scaffold.files(chosen, role, has_guests=has_guests)
    _refuse_overwriting(folder, files)
    for path, text in files.items():
        _write_new(folder / path, text)
    return BegunPackage(folder, chosen, tuple(files))


def bring_to_rule(text: str) -> str:
    """`text` as a name: lower case, each run of other characters one hyphen, nothing before the first letter.

    >>> bring_to_rule("My_Role 2")
    'my-role-2'
    """
    plain = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower())
    return "-".join(plain.lstrip("0123456789 ").split())[:MAX_LENGTH].rstrip("-")


def _check_name(given: str, name: str) -> str:
    if not is_name(name):
        raise _bad_name(given, f"give one with --name: {NAME_RULE}")
    if is_policy_word(name):
        message = f"`{name}` is a word of the policy language, and cannot be the name of a package"
        raise UsageError("reserved-name", message, hint="give another with --name")
    return name


def _bad_name(name: str, hint: str) -> UsageError:
    return UsageError("bad-name", f"`{name}` cannot be the name of a package", hint=hint)


def _find_role(context: Context, name: str) -> Role:
    roles = context.plugins.roles
    if name not in roles:
        hint = did_you_mean(name, roles) or f"roles are: {', '.join(sorted(roles)) or 'none'}"
        raise UsageError("unknown-role", f"no plugin knows the role `{name}`", hint=hint)
    return roles[name]


def _refuse_overwriting(folder: Path, files: dict[str, str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("not-a-directory", f"{folder} is not a directory")
    for path in files:
        if (folder / path).is_symlink() or (folder / path).exists():
            hint = f"this is a package already: see `polpkg check {folder}`" if path == MANIFEST_FILE else ""
            raise UsageError("already-there", f"{folder / path} is there already", hint=hint)


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{path} cannot be written: {error.strerror}") from error
