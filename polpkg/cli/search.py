"""`polpkg search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions, Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.search import FoundPackage, SearchAnswer


def command(
    console: Console,
    place: PlaceOptions,
    indexes: IndexOptions,
    text: Annotated[list[str] | None, typer.Argument(metavar="[TEXT...]", help="Words; without any, all.")] = None,
    project: Project = None,
) -> None:
    """Find packages by name, summary and function.

    A package is shown when all words are in them, upper and lower case alike.  The indexes of the command line, of
    policy.toml and the bundled one are searched, as far as they can list what they have.

    For example:
      polpkg search network
      polpkg search domain-builder --json
    """
    from polpkg.cli.requirements import known_project
    from polpkg.cli.session import make_context
    from polpkg.ops.search import search_packages
    from polpkg.packages.project import Project

    context = make_context(console, indexes)
    known = known_project(context, place.target._replace(project=project)) or Project()
    words = " ".join(text or ())
    answer = search_packages(context, words, known)
    for name in answer.unlisted:
        console.say(f"the index {name} lists no packages")
    for name in answer.names_only:
        console.say(f"the index {name} has so many packages that only their names were searched")
    console.answer(_document(words, answer), "\n".join(_lines(answer, console.width)))


def _document(words: str, answer: SearchAnswer) -> dict[str, Any]:
    return {
        "query": words,
        "packages": [_values(each) for each in answer.packages],
        "unlisted": list(answer.unlisted),
        "names_only": list(answer.names_only),
    }


def _values(found: FoundPackage) -> dict[str, Any]:
    release = found.release
    return {
        "name": release.name,
        "version": release.version,
        "index": release.index,
        "summary": release.summary,
        "functions": list(release.functions),
        "yanked": release.yanked or False,
        "versions": list(found.versions),
    }


def _lines(answer: SearchAnswer, width: int) -> Iterator[str]:
    from polpkg.cli.render import visible, wrapped

    for release, _ in answer.packages:
        yanked = f", yanked: {release.yanked}" if release.yanked else ""
        yield visible(f"{release.name} {release.version} ({release.index}{yanked})")
        provided = [f"provides {', '.join(release.functions)}"] if release.functions else []
        for text in (release.summary, *provided):
            yield from wrapped(text, width, "  ", "  ")
    if not answer.packages:
        yield "nothing found"
