"""`polpkg boolean`: the switches in the policy of a target, and who says what about each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError, UsageError
from polpkg.packages.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polpkg.diagnostics import Place
    from polpkg.ops.context import Context
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.targets.target import Target


class Boolean(NamedTuple):
    """A boolean: the default that its package gives it, and the value that the installed policy starts with.

    `description`: the comment above its declaration, on one line; may be empty.  `is_set`: policy.toml names it.
    `option`: the one that gives it another default, as `package:option`; may be empty.  `running`: its value in the
    policy in force, on a host that runs and tells.
    """

    name: str
    default: bool
    current: bool
    is_set: bool
    package: str
    file: str
    line: int
    description: str
    option: str = ""
    running: bool | None = None


def list_booleans(context: Context, target: Target) -> tuple[Boolean, ...]:
    """The booleans of the current generation, by name; of its first policy when it has several.

    Raises TargetError when nothing is installed, and what fetching the packages raises.
    """
    from polpkg.ops.assembly import assemble
    from polpkg.ops.installed import read_inputs
    from polpkg.ops.live_boolean import read_running_booleans
    from polpkg.ops.policies import find_generation, read_installed_policy
    from polpkg.ops.resolution import load_packages
    from polpkg.ops.verify import find_abi_of
    from polpkg.policy.modules import build_modules

    installed = read_inputs(target, find_generation(target, None))
    policy = read_installed_policy(target, installed.receipt.generation).view.policy
    abi = find_abi_of(target, installed, installed.receipt.policies[0])
    if abi is None:
        raise TargetError("no-hypervisor", "the tables of the hypervisor of this policy are not at hand")
    project = installed.project
    assembly = assemble(load_packages(context, installed.lock, context.catalog(project, project.requirements)), project)
    modules = build_modules(assembly.sources, assembly.environment(abi, mls=project.target.mls))
    current = {boolean.name: boolean.default for boolean in policy.booleans}
    options = {b.name: b.option for b in assembly.booleans}
    running = read_running_booleans(target) or {}
    found = (b for module in modules for b in _declared(module) if b.name in current)
    return tuple(
        sorted(
            b._replace(
                current=current[b.name],
                is_set=b.name in project.booleans,
                option=options.get(b.name, ""),
                running=running.get(b.name),
            )
            for b in found
        )
    )


def _declared(module: PolicyModule) -> Iterator[Boolean]:
    from polpkg.policy.ir.statements import BooleanDeclaration

    for statement in module.statements:
        if isinstance(statement, BooleanDeclaration) and not statement.tunable:
            begun, default = statement.place.stack()[0], statement.default
            yield Boolean(
                name=statement.name,
                default=default,
                current=default,
                is_set=False,
                package=module.package,
                file=begun.source.file,
                line=begun.line,
                description=_comment(begun),
            )


def _comment(place: Place) -> str:
    """The comment that ends on the line before `place`, on one line."""
    lines: list[str] = []
    number = place.line - 1
    while (line := place.source.line(number).strip()).startswith("#"):
        lines.append(line.lstrip("# "))
        number -= 1
    return " ".join(reversed(lines))


def check_boolean(target: Target, project_folder: Path | None, name: str) -> None:
    """Raises UsageError `unknown-boolean`, with the nearest, when neither the policy nor policy.toml has `name`."""
    from polpkg.ops.policies import find_generation, read_installed_policy
    from polpkg.ops.project_files import read_project_files

    receipt = find_generation(target, None)
    policy = read_installed_policy(target, receipt.generation).view.policy
    known = [boolean.name for boolean in policy.booleans]
    if name not in known and name not in read_project_files(target, project_folder).project.booleans:
        hint = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
        raise UsageError("unknown-boolean", f"the policy has no boolean `{name}`", hint=hint)
