"""What verbs make of their options: the surroundings of a command, its target and its project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.cli.options import IndexOptions, TargetOptions
from polpkg.ops.context import Context
from polpkg.ops.project_files import project_folder
from polpkg.packages.requirement import parse_requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.cli.console import Console
    from polpkg.packages.requirement import Requirement
    from polpkg.targets.target import Target


def make_context(console: Console, indexes: IndexOptions | None = None) -> Context:
    """The surroundings of a command; warns about plugins that are left out when they are first needed."""
    options = indexes or IndexOptions()
    return Context(
        options.indexes, options.offline, console.detail, console.warn, Path.cwd(), progress=console.progress
    )


def open_target(context: Context, options: TargetOptions, *, create: bool = False) -> Target:
    """The target that the options name.  With `create`, a tree that is not there is made if `--xen` is given."""
    options.check()
    make = create and bool(options.xen)
    return context.open_target(options.root, options.image, options.host, create=make, partition=options.partition)


def find_project(options: TargetOptions) -> Path | None:
    """The folder of policy.toml, when it is not the target's own."""
    return project_folder(options.project, Path.cwd())


def parse_requirements(texts: Iterable[str] | None) -> tuple[Requirement, ...]:
    """The requirements that were typed.  Raises UsageError for a malformed one."""
    return tuple(parse_requirement(text) for text in texts or ())
