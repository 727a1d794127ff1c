"""A static tree in one tar file: what `export --bundle` writes.  Nothing is unpacked."""

from __future__ import annotations

import tarfile
from functools import cached_property
from typing import TYPE_CHECKING

from polpkg.errors import TrustError
from polpkg.packages.archive import LIMITS
from polpkg.packages.index.static_tree import blob_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class TarTransport:
    """Reads the files of a tree from an uncompressed tar file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.location = str(file)

    @cached_property
    def _members(self) -> Mapping[str, tarfile.TarInfo]:
        try:
            with tarfile.open(self._file, "r:") as tar:
                members = tar.getmembers()
        except (OSError, tarfile.TarError, ValueError, OverflowError) as error:
            raise self._damaged(str(error)) from error
        found = {member.name: member for member in members if member.isreg() and not member.issparse()}
        if len(found) != len(members):
            raise self._damaged("it holds something twice, or something that is no plain file")
        return found

    def _damaged(self, because: str) -> TrustError:
        return TrustError("bundle-damaged", f"{self._file} cannot be read as a bundle: {because}")

    def read(self, path: str, *, limit: int) -> bytes | None:
        """The file at `path` in the bundle; a larger one than `limit` is refused."""
        member = self._members.get(path)
        if member is None:
            return None
        if member.size > limit:
            raise TrustError("index-too-large", f"{self.location}/{path} is larger than {limit} bytes")
        with self._file.open("rb") as file:
            file.seek(member.offset_data)
            data = file.read(member.size)
        if len(data) < member.size:
            raise self._damaged(f"{path} is cut short")
        return data

    def prefetch(self, paths: Iterable[str], *, limit: int) -> None:
        """Nothing: the files are here."""

    def listing(self) -> tuple[str, ...]:
        """The names of the files in `index/`."""
        return tuple(sorted(path.removeprefix("index/") for path in self._members if path.startswith("index/")))

    def archive(self, sha256: str, *, size: int, label: str) -> bytes | None:  # noqa: ARG002 - no one waits for it
        """The file of the archive."""
        return self.read(blob_file(sha256), limit=size or LIMITS.archive_size)


def write_tar(files: Mapping[str, bytes]) -> bytes:
    """A tar file (ustar) of `files`, path to content, in their order; the same files always give the same bytes."""
    from io import BytesIO

    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    return buffer.getvalue()
