"""`polpkg build`: the archive of a package directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError
from polpkg.ops.output import make_folder, write_output
from polpkg.packages.expectations import tests_of
from polpkg.packages.manifest import is_fragment
from polpkg.packages.requirement import ARCHIVE_SUFFIX
from polpkg.packages.source import archive_name, build_archive, read_archive

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.packages.source import PackageFiles


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
    read back before it is written: what polpkg would refuse to install never gets out.  Nor does a policy test that
    cannot be read, or a permissive type: that is for the person who runs a host, for as long as they learn what a
    domain needs.  Raises UsageError and PolicyError for the package, and what `write_output` raises.
    """
    archive = build_archive(folder)
    package = read_archive(archive, label=str(folder))
    tests_of(package)
    _refuse_permissive(package)
    name, version = package.manifest.name, package.manifest.version
    is_file = output.name.endswith(ARCHIVE_SUFFIX) and not output.is_dir()
    path = output if is_file else output / archive_name(name, version)
    make_folder(path.parent)
    write_output(path, archive)
    return BuiltArchive(path, name, version, package.sha256, len(archive))


def _refuse_permissive(package: PackageFiles) -> None:
    """Raises PolicyError `permissive-in-release`, with a finding for each place that makes a type permissive."""
    from polpkg.diagnostics import Diagnostic, Frame, Place, Source
    from polpkg.policy.syntax.permissive import find_permissive

    name, version = package.manifest.name, package.manifest.version
    named = {*package.manifest.fragment_order, *filter(is_fragment, package.files)}
    message = "a package built for others makes no type permissive"
    hint = "take it out; on a host, `polpkg permissive add TYPE` does the same for a learning run"
    problems: list[Diagnostic] = []
    for path in sorted(named):
        source = Source(path, package.text(path), name, version)
        places = (Place(Frame(source), line, column) for line, column in find_permissive(source.text, path))
        problems += (Diagnostic.at(place, "permissive-in-release", message, hint=hint) for place in places)
    if problems:
        raise PolicyError.of(problems)
