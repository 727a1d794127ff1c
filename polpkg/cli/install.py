"""`polpkg install`."""

from __future__ import annotations

from typing import Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import BuildOptions, ChangeOptions, IndexOptions, InstanceOptions, TargetOptions
from polpkg.errors import ExitCode


def command(
    console: Console,
    requirements: Annotated[list[str], typer.Argument(metavar="REQ...", help="Packages: a name, name>=1, or a path.")],
    target: TargetOptions,
    indexes: IndexOptions,
    build: BuildOptions,
    change: ChangeOptions,
    instance: InstanceOptions,
) -> ExitCode | None:
    """Install packages, with what they require, onto a target.

    The packages are resolved and locked, linked into one policy for each hypervisor of the target, and put in place as
    a new generation.  policy.toml remembers what was asked for.

    For example:
      polpkg install vmv --root build/demo --xen 4.17
      polpkg install vmv --instance tenant-a --set guests=web,db --root build/demo
    """
    from polpkg.cli.changing import run_change, target_facts
    from polpkg.cli.session import parse_requirements
    from polpkg.ops.change import ChangeRequest

    request = ChangeRequest(
        action=f"install {' '.join(requirements)}" + (f" as {instance.instance}" if instance.instance else ""),
        install=parse_requirements(requirements),
        instance=instance.instance or "",
        settings=instance.parameters,
        options=instance.options,
        xen=target.xen or "",
        target=target_facts(build),
    )
    return run_change(console, request, target, indexes, change, create=True)
