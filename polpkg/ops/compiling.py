"""From assembled packages to a compiled policy: modules, link, compile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.policy.abi import Abi
    from polpkg.policy.backends.backend import Backend
    from polpkg.policy.ir.linked import LinkedPolicy

DEFAULT_BACKEND = "builtin"
DEFAULT_POLICYDB_VERSION = 30


class BuildSettings(NamedTuple):
    """How a policy is built."""

    backend: str = DEFAULT_BACKEND
    policydb_version: int = DEFAULT_POLICYDB_VERSION
    mls: bool = False


def link_assembly(
    assembly: Assembly, abi: Abi, *, mls: bool = False, for_target: bool = True
) -> tuple[LinkedPolicy, tuple[Diagnostic, ...]]:
    """Links the packages for `abi`; the policy and its warnings.

    It is tuned as the policy.toml of the assembly says.  `for_target` is as in `LinkOptions`.  Raises PolicyError with
    every finding.
    """
    from polpkg.ops.expanded import expanded_store
    from polpkg.ops.tuning import tune
    from polpkg.policy.link import LinkOptions, link
    from polpkg.policy.modules import build_modules

    modules = build_modules(assembly.sources, assembly.environment(abi, mls=mls), expanded_store())
    result = link(modules, abi, LinkOptions(mls=mls, handed=assembly.handed, for_target=for_target))
    policy, warnings = tune(result.policy, assembly)
    return policy, (*warnings, *result.warnings)


def compile_policy(policy: LinkedPolicy, backend: Backend, settings: BuildSettings) -> bytes:
    """Compiles a linked policy; the policydb."""
    from polpkg.policy.backends.backend import CompileOptions

    return backend.compile(policy, CompileOptions(version=settings.policydb_version))
