"""`polpkg index`: the indexes that policy.toml names, and making one from archives."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TrustError, UsageError
from polpkg.ops.project_files import edit_project_in, edit_project_of
from polpkg.packages.index.index import BUNDLED
from polpkg.packages.names import NAME_RULE, did_you_mean, is_name
from polpkg.packages.project import PROJECT_FILE, IndexSetting, Project
from polpkg.packages.project_edit import ProjectChange

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.packages.index.building import TreeChange
    from polpkg.targets.target import Target


class EditedPlace(NamedTuple):
    """Whose policy.toml is read and changed: that of a folder, or of a target."""

    folder: Path | None
    target: Target | None

    @property
    def name(self) -> str:
        """Which policy.toml it is."""
        if self.folder is not None:
            return str(self.folder / PROJECT_FILE)
        return f"{PROJECT_FILE} of {self._target.name}"

    def read(self) -> Project:
        """What policy.toml says now; empty when there is none."""
        from polpkg.ops.project_files import ProjectFiles, read_project_files

        if self.folder is not None:
            return ProjectFiles(self.folder).read().project
        return read_project_files(self._target, None).project

    def edit(self, context: Context, change: ProjectChange) -> Project:
        """Changes policy.toml at one instant; what it says then.  A change that was interrupted is settled before."""
        if self.folder is not None:
            return edit_project_in(self.folder, change)
        return edit_project_of(context, self._target, change)

    @property
    def _target(self) -> Target:
        assert self.target is not None  # noqa: S101 - one of the two is given
        return self.target


class AddedIndex(NamedTuple):
    """An index that policy.toml names now.

    `changed`: it did not before.  `shadowed`: packages of which the bundled index has other archives, so that
    [index-map] has to say which is meant; only looked for where that needs no network.
    """

    name: str
    setting: IndexSetting
    changed: bool
    shadowed: tuple[str, ...]


class ListedIndex(NamedTuple):
    """One index: `setting` is None for the bundled one, `is_added` says that it is of this command line only."""

    name: str
    setting: IndexSetting | None
    is_added: bool = False


def add_index(context: Context, place: EditedPlace, name: str, setting: IndexSetting) -> AddedIndex:
    """Makes policy.toml name an index.

    A directory must be an index already; a server is not asked anything.  Raises UsageError (`bad-index-name`,
    `index-exists`, `no-such-index`, `bad-index-url`, `no-such-file`) and TrustError `no-pinned-root`.
    """
    _check_name(name)
    is_server = setting.location.lower().startswith(("http://", "https://"))
    if is_server and setting.trust != "none":
        raise TrustError(
            "no-pinned-root",
            f"index {name} is on the network and has no pinned root key",
            hint="if you accept that, add --trust none",
        )
    written = _as_written(context, place, setting)
    before = place.read()
    known = before.indexes.get(name)
    if known is not None and known != written:
        hint = f"`polpkg index remove {name}` first"
        raise UsageError("index-exists", f"policy.toml names an index `{name}` already: {known.location}", hint=hint)
    shadowed = _shadowed(context, name, setting, before)
    place.edit(context, ProjectChange(indexes={name: written}))
    return AddedIndex(name, written, known is None, shadowed)


def _check_name(name: str) -> None:
    if not is_name(name):
        raise UsageError("bad-index-name", f"`{name}` cannot be the name of an index", hint=f"a name is {NAME_RULE}")


def _as_written(context: Context, place: EditedPlace, setting: IndexSetting) -> IndexSetting:
    """The setting with paths that hold where policy.toml is."""
    location, ca_file = setting.location, setting.ca_file
    if ca_file and not context.locate(ca_file).is_file():
        raise UsageError("no-such-file", f"there is no file {ca_file}", hint="--ca-file names certificates in PEM")
    return replace(
        setting,
        location=location if "://" in location else _path_from(place, context.locate(location)),
        ca_file=_path_from(place, context.locate(ca_file)) if ca_file else "",
    )


def _path_from(place: EditedPlace, full: Path) -> str:
    """What is inside the project folder by its path from there, so that both can be moved; anything else in full."""
    if place.folder is not None and full.is_relative_to(place.folder.resolve()):
        return f"./{os.path.relpath(full, place.folder.resolve())}"
    return str(full)


def _shadowed(context: Context, name: str, setting: IndexSetting, project: Project) -> tuple[str, ...]:
    """Opens the index, which must work, and compares a local one with what is bundled."""
    from polpkg.packages.index.catalog import list_the_same
    from polpkg.packages.index.opening import open_index

    location = context.located(setting.location)
    index = open_index(name, location, trust=setting.trust, ca_file=setting.ca_file, network=context.network)
    if location.lower().startswith(("http://", "https://")):
        return ()
    both = set(index.names()) & set(context.bundled.names()) - project.index_map.keys()
    return tuple(sorted(package for package in both if not list_the_same(package, (index, context.bundled))))


def list_indexes(context: Context, project: Project) -> tuple[ListedIndex, ...]:
    """The indexes in use: of the command line, of policy.toml, and the bundled one."""
    added = [ListedIndex(name, IndexSetting(where), is_added=True) for name, where in context.indexes.items()]
    named = [ListedIndex(n, setting) for n, setting in project.indexes.items() if n not in context.indexes]
    return (*added, *named, ListedIndex(BUNDLED, None))


def remove_index(context: Context, place: EditedPlace, name: str) -> tuple[str, ...]:
    """Makes policy.toml name an index no more; the packages that [index-map] said belong to it.

    Raises UsageError `no-such-index`.
    """
    before = place.read()
    if name not in before.indexes:
        hint = did_you_mean(name, before.indexes) or "`polpkg index list` shows them"
        raise UsageError("no-such-index", f"policy.toml names no index `{name}`", hint=hint)
    place.edit(context, ProjectChange(remove_indexes=(name,)))
    return tuple(sorted(package for package, index in before.index_map.items() if index == name))


def build_tree(context: Context, directory: Path, output: Path | None) -> tuple[Path, TreeChange]:
    """Makes a static tree of the archives in `directory`, in place unless `output` is given; where it is, and what
    changed.  Raises what `polpkg.packages.index.building.build_index` raises.
    """
    from polpkg.packages.index.building import build_index

    out = output or directory
    if not context.locate(str(directory)).is_dir():
        raise UsageError("no-such-directory", f"there is no directory {directory}")
    return out, build_index(directory, out)
