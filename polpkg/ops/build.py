"""`polpkg build`: the archive of a package directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.ops.output import make_folder, write_output
from polpkg.packages.requirement import ARCHIVE_SUFFIX
from polpkg.packages.source import archive_name, build_archive, read_archive

if TYPE_CHECKING:
    from pathlib import Path


class BuiltArchive(NamedTuple):
    """An archive that was written."""

    path: Path
    name: str
    version: str
    sha256: str
    size: int


def build_package(folder: Path, output: Path) -> BuiltArchive:
    """Writes the archive of the package in `folder`.

    `output` is the file when it ends in `.polpkg`, otherwise the directory for `NAME-VERSION.polpkg`.  The archive is
    read back before it is written: what polpkg would refuse to install never gets out.  Raises UsageError and
    PolicyError for the package, and what `write_output` raises.
    """
    archive = build_archive(folder)
    package = read_archive(archive, label=str(folder))
    name, version = package.manifest.name, package.manifest.version
    is_file = output.name.endswith(ARCHIVE_SUFFIX) and not output.is_dir()
    path = output if is_file else output / archive_name(name, version)
    make_folder(path.parent)
    write_output(path, archive)
    return BuiltArchive(path, name, version, package.sha256, len(archive))
