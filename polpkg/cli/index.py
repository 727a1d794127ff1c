"""`polpkg index`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.ops.indexes import AddedIndex, EditedPlace, ListedIndex

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the index is called in policy.toml and locks.")]


def add(
    console: Console,
    name: Name,
    location: Annotated[str, typer.Argument(metavar="URL|DIR", help="An http(s) URL, a directory or a bundle.")],
    place: PlaceOptions,
    trust: Annotated[
        str, typer.Option("--trust", metavar="none", help="Accept an index on the network without a pinned root key.")
    ] = "",
    ca_file: Annotated[
        str, typer.Option("--ca-file", metavar="FILE", help="The certificates to believe, instead of the system's.")
    ] = "",
    project: Project = None,
) -> None:
    """Make policy.toml name an index.

    Its comments and its layout stay.  A directory must be an index already; a server is not asked anything.

    Credentials are not kept there: they are looked for in the environment (POLPKG_INDEX_NAME_TOKEN), in a file that is
    yours alone, and in the keyring.

    For example:
      polpkg index add site ./dist --project .
      polpkg index add hub https://packages.example.org --trust none --project .
    """
    from polpkg.cli.session import make_context
    from polpkg.errors import UsageError
    from polpkg.ops.indexes import add_index
    from polpkg.packages.project import IndexSetting

    if trust not in ("", "none"):
        raise UsageError("usage", f"--trust {trust}: the only value is none")
    context = make_context(console)
    edited = _edited_place(context, place, project)
    added = add_index(context, edited, name, IndexSetting(location, trust, ca_file))
    console.answer(_added_document(added), "\n".join(_added_lines(added, edited, console.width)))


def list_(
    console: Console,
    place: PlaceOptions,
    indexes: IndexOptions,
    project: Project = None,
) -> None:
    """List the indexes that packages come from.

    For example:
      polpkg index list --root build/demo
      polpkg index list --index site=./dist
    """
    from polpkg.cli.requirements import known_project
    from polpkg.cli.session import make_context
    from polpkg.ops.indexes import list_indexes
    from polpkg.packages.project import Project

    context = make_context(console, indexes)
    known = known_project(context, place.target._replace(project=project)) or Project()
    found = list_indexes(context, known)
    rows = [(each.name, _where(each), _trust(each)) for each in found]
    console.answer({"indexes": [_index_values(each) for each in found]}, console.table(("index", "where", ""), rows))


def remove(console: Console, name: Name, place: PlaceOptions, project: Project = None) -> None:
    """Make policy.toml name an index no more.

    What [index-map] says of it goes as well.  Locks that name the index stay as they are.

    For example:
      polpkg index remove site --project .
    """
    from polpkg.cli.session import make_context
    from polpkg.ops.indexes import remove_index

    context = make_context(console)
    edited = _edited_place(context, place, project)
    unmapped = remove_index(context, edited, name)
    mapped = f", nor which packages belong to it: {', '.join(unmapped)}" if unmapped else ""
    text = f"{edited.name} does not name the index {name} any more{mapped}"
    console.answer({"name": name, "unmapped": list(unmapped)}, text)


def build(
    console: Console,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the archives are.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="OUT", help="The index; default DIR.")
    ] = None,
) -> None:
    """Make an index of archives: a static tree for any web server.

    It lists exactly the archives that are directly in DIR.  When it is there already it is brought up to date; a
    version that it lists never gets another archive.

    For example:
      polpkg index build dist -o public
    """
    from polpkg.cli.session import make_context
    from polpkg.ops.indexes import build_tree

    path, change = build_tree(make_context(console), directory, output)
    document = {
        "path": str(path),
        "added": [{"name": r.name, "version": r.version, "sha256": r.sha256, "size": r.size} for r in change.added],
        "removed": [{"name": r.name, "version": r.version, "sha256": r.sha256} for r in change.removed],
    }
    lines = [*(f"+ {release}" for release in change.added), *(f"- {release}" for release in change.removed)]
    lines.append(f"{path} is an index: --index NAME={path} uses it" if lines else f"{path} is up to date")
    console.answer(document, "\n".join(lines))


SUBVERBS = {"add": add, "list": list_, "remove": remove, "build": build}


def _edited_place(context: Context, place: PlaceOptions, project: Path | None) -> EditedPlace:
    """The folder of --project, else the target that is named, else the working directory if it has a policy.toml."""
    from polpkg.cli.session import find_project, open_target
    from polpkg.errors import UsageError
    from polpkg.ops.indexes import EditedPlace

    place.target.check()
    if project is None and place.is_given:
        return EditedPlace(None, open_target(context, place.target))
    folder = find_project(place.target._replace(project=project))
    if folder is None:
        hint = "--project DIR names its folder (--project . makes one here), --root DIR a target"
        raise UsageError("no-project", "there is no policy.toml here", hint=hint)
    if not folder.is_dir():
        raise UsageError("no-project", f"there is no directory {folder}")
    return EditedPlace(Path() if folder == Path.cwd() else folder, None)


def _added_document(added: AddedIndex) -> dict[str, Any]:
    setting = added.setting
    return {
        "name": added.name,
        "url": setting.location,
        "trust": setting.trust or None,
        "ca_file": setting.ca_file or None,
        "changed": added.changed,
        "shadowed": list(added.shadowed),
    }


def _added_lines(added: AddedIndex, place: EditedPlace, width: int) -> Iterator[str]:
    from polpkg.cli.render import wrapped

    now = "names" if added.changed else "already named"
    yield f"{place.name} {now} the index {added.name}: {added.setting.location}"
    if added.shadowed:
        names = ", ".join(added.shadowed)
        text = f"The bundled index has others under these names: {names}. Say under [index-map] in policy.toml"
        yield from wrapped(f"{text} which to use, as in", width, others="")
        yield from (f'  {name} = "{added.name}"' for name in added.shadowed[:1])


def _index_values(index: ListedIndex) -> dict[str, Any]:
    setting = index.setting
    return {
        "name": index.name,
        "url": _where(index) if setting else None,
        "trust": (setting.trust or None) if setting else None,
        "ca_file": (setting.ca_file or None) if setting else None,
        "from": "command-line" if index.is_added else "policy.toml" if setting else "polpkg",
    }


def _where(index: ListedIndex) -> str:
    from polpkg.packages.transport.urls import is_http, without_credentials

    if index.setting is None:
        return "comes with polpkg and its plugins"
    location = index.setting.location
    return without_credentials(location) if is_http(location) else location


def _trust(index: ListedIndex) -> str:
    return "without a pinned root" if index.setting and index.setting.trust == "none" else ""
