"""A package's files in memory, from a directory or from an archive."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError, TrustError, UsageError
from polpkg.packages.archive import LIMITS, Limits, archive_time, pack, unpack
from polpkg.packages.manifest import Manifest, is_fragment
from polpkg.packages.manifest_reader import MANIFEST_FILE, missing_fragments, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FOLDERS = ("policy", "tests", "docs")
_TOP_FILES = ("README", "LICENSE")


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """A package that has been read: its manifest and all its files by path.

    `sha256` is the digest of its archive; empty when it was read from a directory, until it is built.  `location` is
    where it was read, as messages and the origins of its rules name it.
    """

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    sha256: str = ""
    location: str = ""

    def text(self, path: str) -> str:
        """The text of the file at `path`.

        Raises `PolicyError` (`not-utf-8`) when it is not UTF-8.
        """
        return _decoded(self.files[path], path)


def sha256_of(data: bytes) -> str:
    """The SHA-256 of `data`, in hexadecimal."""
    from hashlib import sha256

    return sha256(data).hexdigest()


def archive_name(name: str, version: str) -> str:
    """The file name of the archive of a release."""
    return f"{name}-{version}.polpkg"


def read_package_directory(folder: Path) -> PackageFiles:
    """The package in `folder`: its manifest, `policy/`, `tests/`, `docs/`, README and LICENSE files; nothing else
    there.

    Raises `UsageError` when there is no manifest, or a link stands where a file should be, and `PolicyError` when the
    manifest is wrong.
    """
    files = read_package_tree(folder)
    return PackageFiles(_manifest(files, str(folder / MANIFEST_FILE)), files, location=str(folder))


def read_manifest_in(folder: Path) -> Manifest:
    """The manifest of the package in `folder` alone; raises as `read_package_directory` does."""
    path = folder / MANIFEST_FILE
    return read_manifest(_decoded(_read(path, str(path)), str(path)), str(path))


def build_archive(folder: Path) -> bytes:
    """The archive of the package in `folder`; the same source always gives the same bytes.

    Raises as `read_package_directory` does.
    """
    return pack(read_package_directory(folder).files, mtime=archive_time())


def read_archive(
    archive: bytes, *, expected_sha256: str = "", label: str = "the archive", limits: Limits = LIMITS
) -> PackageFiles:
    """The package in `archive`, after its digest has been compared with `expected_sha256` when there is one.

    Raises `TrustError` (`digest-mismatch`, `archive-...`) and `PolicyError` for its manifest.
    """
    digest = sha256_of(archive)
    if expected_sha256 and digest != expected_sha256:
        raise TrustError(
            "digest-mismatch",
            f"{label} has the digest {digest}, and {expected_sha256} is expected",
            hint="it is damaged, or is not what it claims to be",
        )
    files = unpack(archive, label=label, limits=limits)
    if MANIFEST_FILE not in files:
        raise TrustError("archive-damaged", f"{label} holds no {MANIFEST_FILE}")
    return PackageFiles(_manifest(files, f"{label}: {MANIFEST_FILE}"), files, digest, label)


def _manifest(files: Mapping[str, bytes], label: str) -> Manifest:
    manifest = read_manifest(_decoded(files[MANIFEST_FILE], label), label)
    missing = missing_fragments(manifest, files)
    if missing:
        raise PolicyError("manifest-missing-file", f"{label} names `{missing[0]}`, which the package does not have")
    return manifest


def _decoded(data: bytes, label: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PolicyError("not-utf-8", f"{label} is not UTF-8 at byte {error.start}") from None


def read_package_tree(folder: Path) -> dict[str, bytes]:
    """The files in `folder` that belong to a package, by path, sorted."""
    files = {MANIFEST_FILE: _read(folder / MANIFEST_FILE, str(folder / MANIFEST_FILE))}
    try:
        files.update(_read_entries(folder))
    except OSError as error:
        raise _unreadable(error.filename or folder, error) from error
    return dict(sorted(files.items()))


def _read_entries(folder: Path) -> Iterator[tuple[str, bytes]]:
    for entry in _sorted_entries(folder):
        if entry.name in _FOLDERS:
            yield from _read_folder(entry, entry.name)
        elif entry.name.startswith(_TOP_FILES):
            yield entry.name, _read_plain(entry)


def _read(path: Path, label: str) -> bytes:
    if path.is_symlink():
        raise _link_refused(label)
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "not-a-package",
            f"there is no {label}",
            hint="a package directory has a polpkg.toml; `polpkg init` makes one",
        ) from None
    except OSError as error:
        raise _unreadable(label, error) from error


def _unreadable(label: str | Path, error: OSError) -> UsageError:
    return UsageError("cannot-read", f"{label} cannot be read: {error.strerror}")


def _sorted_entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _read_folder(folder: os.DirEntry[str], path: str) -> Iterator[tuple[str, bytes]]:
    if folder.is_symlink():
        raise _link_refused(folder.path)
    if not folder.is_dir():
        raise UsageError("not-a-package", f"{folder.path} is not a directory")
    for entry in _sorted_entries(folder):
        inside = f"{path}/{entry.name}"
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if is_fragment(inside):
                raise UsageError("not-a-package", f"{entry.path} is a directory, and its name is that of a fragment")
            yield from _read_folder(entry, inside)
        else:
            yield inside, _read_plain(entry)


def _read_plain(entry: os.DirEntry[str]) -> bytes:
    if entry.is_symlink():
        raise _link_refused(entry.path)
    if not entry.is_file():
        raise UsageError("not-a-package", f"{entry.path} is not a plain file")
    with open(entry.path, "rb") as file:  # noqa: PTH123 - a DirEntry is no Path
        return file.read()


def _link_refused(path: str) -> UsageError:
    return UsageError("link-in-package", f"{path} is a link, and packages hold none", hint="put the file itself there")
