"""The options that several verbs share, each written down once.

A verb takes a whole group as one parameter, and its function gets the values in one frozen object:

    def command(console: Console, target: TargetOptions, change: ChangeOptions) -> None: ...

A group is a `NamedTuple` whose fields are typer parameters; `polpkg.cli.binding` takes it apart.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from polpkg.errors import UsageError

_TIME = re.compile(r"([0-9]{1,6})([smh]?)")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_SHORTEST, _LONGEST = 10, 86400


def _policydb_version(value: int | None) -> int | None:
    if value not in {None, 24, 30}:
        raise typer.BadParameter("Xen reads version 24 and 30 only")
    return value


def _instance_name(value: str | None) -> str | None:
    from polpkg.packages.names import NAME_RULE, is_name, why_reserved

    if value is None:
        return None
    if not is_name(value):
        raise typer.BadParameter(f"`{value}` cannot be the name of an instance; a name is {NAME_RULE}")
    if reason := why_reserved(value):
        raise typer.BadParameter(f"`{value}` cannot be the name of an instance: {reason}")
    return value


def _seconds(value: str | int | None) -> int | None:
    """A time as it is typed: 90s, 10m, 1h; a number alone is seconds."""
    if value is None or isinstance(value, int):
        return value
    found = _TIME.fullmatch(value)
    seconds = int(found[1]) * _UNITS[found[2] or "s"] if found else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise typer.BadParameter(f"`{value}`: expected a time such as 90s, 10m or 1h, from 10s to 24h")
    return seconds


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, talk on stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is being done.")]

Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Work on this directory tree.")]
Image = Annotated[Path | None, typer.Option("--image", metavar="FILE", help="Work on this raw or qcow2 image.")]
Partition = Annotated[
    int | None, typer.Option("--partition", metavar="N", min=1, help="The partition of the image that is its root.")
]
Host = Annotated[str | None, typer.Option("--host", metavar="HOST", help="Work on this host: local, or ssh://...")]
Xen = Annotated[
    str | None,
    typer.Option("--xen", metavar="XEN", help="The hypervisor: a release (4.17), a version (4.18.3) or its file."),
]
Project = Annotated[
    Path | None, typer.Option("--project", metavar="DIR", help="Where policy.toml and policy.lock are.")
]
Index = Annotated[
    list[str] | None,
    typer.Option("--index", metavar="NAME=URL|DIR", help="Add an index for this call (repeatable)."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Use the local store only.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change (exit 10 if anything), change nothing.")
]
Instance = Annotated[
    str | None,
    typer.Option("--instance", metavar="NAME", callback=_instance_name, help="Name of the instance."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the instance (repeatable)."),
]
Option = Annotated[
    list[str] | None, typer.Option("--option", metavar="PKG:NAME", help="Turn on an option of a package (repeatable).")
]
NoActivate = Annotated[bool, typer.Option("--no-activate", help="Prepare the change for the next boot only.")]
ConfirmWithin = Annotated[
    int | None,
    typer.Option(
        "--confirm-within", metavar="TIME", parser=_seconds, help="Take it back unless `polpkg confirm` comes in time."
    ),
]

Backend = Annotated[str | None, typer.Option("--backend", metavar="NAME", help="The compiler of the policy.")]
PolicydbVersion = Annotated[
    int | None,
    typer.Option("--policydb-version", metavar="24|30", callback=_policydb_version, help="Format of the policy."),
]
Mls = Annotated[bool, typer.Option("--mls", help="Build the policy with MLS.")]
Policy = Annotated[
    str | None,
    typer.Option("--policy", metavar="FILE|N", help="The policy to read: a file or a generation; default the current."),
]


class OutputOptions(NamedTuple):
    """How to print.  Every verb has these; the function gets the `Console` that they make."""

    json: Json = False
    quiet: Quiet = False
    verbose: Verbose = False


class IndexOptions(NamedTuple):
    """Where packages come from."""

    added: Index = None
    offline: Offline = False

    @property
    def indexes(self) -> dict[str, str]:
        """Index URLs and directories by name; raises `UsageError` for a malformed or repeated one."""
        return _pairs("--index", self.added or (), "NAME=URL or NAME=DIR")


class TargetOptions(NamedTuple):
    """Which target to work on, and which hypervisor it has."""

    root: Root = None
    image: Image = None
    host: Host = None
    xen: Xen = None
    project: Project = None
    partition: Partition = None

    def check(self) -> None:
        """Raise `UsageError` when more than one target is named."""
        named = [f"--{name}" for name in ("root", "image", "host") if getattr(self, name) is not None]
        if len(named) > 1:
            raise UsageError("several-targets", f"{' and '.join(named)} name different targets; give one of them")
        if self.partition is not None and self.image is None:
            raise UsageError("no-image", "--partition says which partition of an --image is its root; there is none")


class PlaceOptions(NamedTuple):
    """Which target to look at, for verbs that change nothing and need no hypervisor."""

    root: Root = None
    image: Image = None
    host: Host = None
    partition: Partition = None

    @property
    def target(self) -> TargetOptions:
        """The same as `TargetOptions`."""
        return TargetOptions(self.root, self.image, self.host, partition=self.partition)

    @property
    def is_given(self) -> bool:
        """Whether a target is named."""
        return any(value is not None for value in self)


class BuildOptions(NamedTuple):
    """How to compile a policy."""

    backend: Backend = None
    policydb_version: PolicydbVersion = None
    mls: Mls = False


class ChangeOptions(NamedTuple):
    """How to change a target."""

    dry_run: DryRun = False
    yes: Yes = False
    no_activate: NoActivate = False
    confirm_within: ConfirmWithin = None


class InstanceOptions(NamedTuple):
    """What is wanted of the packages: an instance with parameters, and options."""

    instance: Instance = None
    set: Set = None
    option: Option = None

    @property
    def parameters(self) -> dict[str, str]:
        """Values by parameter; raises `UsageError` for a malformed or repeated one."""
        return _pairs("--set", self.set or (), "KEY=VALUE", may_be_empty=True)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Package and option; raises `UsageError` for a malformed one."""
        pairs = [text.partition(":") for text in self.option or ()]
        for package, _, name in pairs:
            if not (package and name):
                raise UsageError("malformed-option", f"--option {package}{_}{name}: expected PKG:NAME")
        return tuple((package, name) for package, _, name in pairs)


def name_pairs(option: str, texts: list[str] | None, form: str) -> dict[str, str]:
    """The values of a repeatable option by their names; raises `UsageError` for a malformed or repeated one."""
    return _pairs(option, texts or (), form)


def _pairs(option: str, texts: list[str] | tuple[str, ...], form: str, *, may_be_empty: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not (key and separator and (value or may_be_empty)):
            raise UsageError("malformed-option", f"{option} {text}: expected {form}")
        if key in found:
            raise UsageError("repeated-option", f"{option} {key} is given twice")
        found[key] = value
    return found
