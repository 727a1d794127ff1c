"""`polpkg link`: packages into one policy, without a target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from polpkg.errors import TargetError, UsageError
from polpkg.ops.assembly import assemble
from polpkg.ops.compiling import BuildSettings, compile_policy, link_assembly
from polpkg.ops.resolution import load_packages, resolve_requirements, with_options
from polpkg.packages.project import Project
from polpkg.packages.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.ops.context import Context
    from polpkg.ops.resolution import Locked
    from polpkg.packages.lock import LockedPackage
    from polpkg.packages.manifest import ParameterValue
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.linked import LinkedPolicy

EMITS = ("policydb", "cil", "conf", "map", "modules")
"""What `link --emit` can write."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What to link.

    `xen`: a release, a full version or a hypervisor file.  `instance` and `settings` are for the only requirement.
    """

    requirements: tuple[Requirement, ...]
    xen: str
    settings: BuildSettings = field(default_factory=BuildSettings)
    instance: str = ""
    parameters: Mapping[str, str] | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """A linked policy, the packages that it is made of, and what a person should know about it."""

    policy: LinkedPolicy
    assembly: Assembly
    abi: Abi
    packages: tuple[LockedPackage, ...]
    warnings: tuple[Diagnostic, ...]
    settings: BuildSettings


def link_requirements(context: Context, request: LinkRequest) -> LinkAnswer:
    """Resolves and links; adds no package that is not required.

    Raises TargetError `no-hypervisor` when no hypervisor is named, ResolutionError and PolicyError.
    """
    from polpkg.policy.abi.hypervisor import resolve_xen

    if not request.xen:
        hint = "say with --xen which one: a release (4.17), a version (4.18.3) or a hypervisor file"
        raise TargetError("no-hypervisor", "a policy is linked for a hypervisor, and none is named", hint=hint)
    abi = resolve_xen(request.xen)
    project = with_options(Project(), request.options)
    lock, catalog = resolve_requirements(context, project, request.requirements, xen=release_of(abi))
    locked = load_packages(context, lock, catalog)
    if request.instance or request.parameters:
        project = _with_instance(context, project, request, locked)
    assembly = assemble(locked, project)
    policy, warnings = link_assembly(assembly, abi, mls=request.settings.mls, for_target=False)
    return LinkAnswer(policy, assembly, abi, lock.packages, warnings, request.settings)


def release_of(abi: Abi) -> str:
    """The version of a hypervisor without any vendor's addition, as specifiers of packages are about."""
    return ".".join(map(str, abi.version_numbers))


def _with_instance(context: Context, project: Project, request: LinkRequest, locked: Locked) -> Project:
    from polpkg.packages.settings import parse_settings

    if len(request.requirements) != 1:
        raise UsageError("ambiguous-settings", "--instance and --set are for one package; link it alone")
    name = context.named(request.requirements[0]).name
    manifest = next(p.manifest for p in locked.packages if p.manifest.name == name)
    values: dict[str, ParameterValue] = parse_settings(
        (f"{k}={v}" for k, v in (request.parameters or {}).items()), manifest
    )
    return replace(project, instances={name: {request.instance or name: values}})


def emit(context: Context, answer: LinkAnswer, what: str) -> bytes:
    """A linked policy in one of the forms of `EMITS`."""
    match what:
        case "policydb":
            return compile_policy(answer.policy, context.backend(answer.settings.backend), answer.settings)
        case "cil":
            from polpkg.policy.backends.cil import emit_cil

            return emit_cil(answer.policy).encode()
        case "conf":
            from polpkg.policy.backends.conf import emit_conf

            return emit_conf(answer.policy).encode()
        case "map":
            from polpkg.policy.analysis.link_map import write_link_map
            from polpkg.policy.analysis.view import view_of

            return write_link_map(view_of(answer.policy))
        case "modules":
            from polpkg.policy.ir.text import render_modules
            from polpkg.policy.modules import build_modules

            environment = answer.assembly.environment(answer.abi, mls=answer.settings.mls)
            return render_modules(build_modules(answer.assembly.sources, environment)).encode()
        case _:
            raise UsageError("unknown-form", f"`{what}` cannot be emitted", hint=f"there are {', '.join(EMITS)}")
