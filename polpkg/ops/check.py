"""`polpkg check`: whether a package parses, links and keeps its assertions, and what lint says to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import MANIFEST, Frame, Place, Severity, Source
from polpkg.errors import PolicyError
from polpkg.ops.abis import abis_to_check, claimed_abis
from polpkg.ops.assembly import assemble
from polpkg.ops.compiling import BuildSettings, compile_policy
from polpkg.ops.link import release_of
from polpkg.ops.resolution import load_packages, resolve_requirements, with_options
from polpkg.packages.expectations import tests_of
from polpkg.packages.project import Project
from polpkg.packages.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.ops.context import Context
    from polpkg.packages.manifest import Manifest
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.lint import Release, Subject


@dataclass(frozen=True, slots=True)
class CheckedAbi:
    """How a package fares with one ABI: `versions` have it; `errors` is empty when all is well."""

    versions: tuple[str, ...]
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What `check` found: `findings` of lint about the package, and how it fares with each ABI."""

    manifest: Manifest
    findings: tuple[Diagnostic, ...]
    abis: tuple[CheckedAbi, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Every error, those of lint included, each once, in the order of the ABIs."""
        found = dict.fromkeys(error for abi in self.abis for error in abi.errors)
        return tuple(found | dict.fromkeys(f for f in self.findings if f.severity is Severity.ERROR))


class _Linked(NamedTuple):
    """One way to link the package: with some options, for one ABI."""

    assembly: Assembly
    modules: tuple[PolicyModule, ...]
    policy: LinkedPolicy
    warnings: tuple[Diagnostic, ...]


def check_package(context: Context, path: str, *, xen: str = "", all_xen: bool = False) -> CheckAnswer:
    """Checks the package at `path` as it would be on a target: with what it requires, and the base packages.

    It is linked with its options off and, if it has any, with all of them on; for `xen`, for the newest release that
    it says it is for, or for every ABI of these releases.  Lint looks at it for the last of them.  Raises UsageError
    when there is no package, PolicyError when its manifest or a policy test of it cannot be read, and ResolutionError
    when its requirements cannot be met.
    """
    requirement = context.named(Requirement("", "", path))
    package = context.package_at(path)
    manifest = package.manifest
    tests_of(package)
    base = () if manifest.own_abi else tuple(Requirement(n) for n in Project().target.base if n != manifest.name)
    checked: list[CheckedAbi] = []
    linked: list[_Linked] = []
    for abi, versions in abis_to_check(manifest, xen, all_xen=all_xen):
        linked.clear()
        errors: dict[Diagnostic, None] = {}
        for options in _variants(manifest):
            try:
                linked.append(_link(context, (requirement, *base), options, abi))
            except PolicyError as error:
                errors |= dict.fromkeys(error.diagnostics)
        warnings = dict.fromkeys(warning for each in linked for warning in each.warnings)
        checked.append(CheckedAbi(versions, tuple(errors), tuple(warnings)))
    own = {w for abi in checked for w in abi.warnings if w.origin and w.origin.package == manifest.name}
    findings = _lint(manifest, linked, own, other_releases=not (xen or all_xen))
    rest = [CheckedAbi(abi.versions, abi.errors, tuple(w for w in abi.warnings if w not in own)) for abi in checked]
    return CheckAnswer(manifest, findings, tuple(rest))


def _variants(manifest: Manifest) -> dict[tuple[tuple[str, str], ...], None]:
    """Options off, and all of them on."""
    return dict.fromkeys([(), tuple((manifest.name, option) for option in manifest.options)])


def _link(
    context: Context, requirements: tuple[Requirement, ...], options: tuple[tuple[str, str], ...], abi: Abi
) -> _Linked:
    from polpkg.ops.tuning import tune
    from polpkg.policy.link import LinkOptions, link
    from polpkg.policy.modules import build_modules

    project = with_options(Project(), options)
    lock, catalog = resolve_requirements(context, project, requirements, xen=release_of(abi))
    assembly = assemble(load_packages(context, lock, catalog), project)
    modules = build_modules(assembly.sources, assembly.environment(abi, mls=False))
    result = link(modules, abi, LinkOptions(handed=assembly.handed))
    policy, _ = tune(result.policy, assembly)
    compile_policy(policy, context.backend("builtin"), BuildSettings())
    return _Linked(assembly, modules, policy, result.warnings)


def _lint(
    manifest: Manifest, linked: list[_Linked], own: set[Diagnostic], *, other_releases: bool
) -> tuple[Diagnostic, ...]:
    """Lint of a package; of an imported tree, whose sources are another's, only what its manifest says."""
    from polpkg.policy.lint import lint

    subjects: list[Subject] = []
    texts: dict[Source, None] = {}
    others = dict.fromkeys(_about_manifest(manifest)) | dict.fromkeys(own)
    for each in linked if not manifest.own_abi else ():
        releases: tuple[Release, ...] = ()
        if other_releases:
            releases, problems = _releases(manifest, each)
            others |= dict.fromkeys(problems)
        subjects.append(_subject(manifest, each, releases))
        texts |= dict.fromkeys(_texts(manifest, each))
    return lint(subjects, texts, others)


def _subject(manifest: Manifest, linked: _Linked, releases: tuple[Release, ...]) -> Subject:
    from polpkg.packages.toml_places import find_place
    from polpkg.policy.lint import Subject

    text = _manifest_text(manifest, linked)
    frame = Frame(text)
    places = {name: find_place(text.text, ("requires", name)) for name in manifest.requires}
    return Subject(
        next(m for m in linked.modules if m.package == manifest.name),
        linked.modules,
        linked.policy,
        tuple(source for source in _texts(manifest, linked) if source.file != MANIFEST),
        {name: Place(frame, place.line, place.column) for name, place in places.items()},
        releases,
    )


def _texts(manifest: Manifest, linked: _Linked) -> tuple[Source, ...]:
    """The fragments of the package and its manifest."""
    fragments = next(s.fragments for s in linked.assembly.sources if s.package == manifest.name)
    return (*(f for f in fragments if f.file != MANIFEST), _manifest_text(manifest, linked))


def _manifest_text(manifest: Manifest, linked: _Linked) -> Source:
    files = next(p for p in linked.assembly.packages if p.manifest.name == manifest.name)
    return Source(MANIFEST, files.text(MANIFEST), manifest.name, manifest.version)


def _releases(manifest: Manifest, linked: _Linked) -> tuple[tuple[Release, ...], tuple[Diagnostic, ...]]:
    """The package on the other releases that it is for, and what of it cannot even be expanded there."""
    from polpkg.policy.lint import Release
    from polpkg.policy.modules import build_modules

    found: list[Release] = []
    problems: dict[Diagnostic, None] = {}
    for abi, versions in claimed_abis(manifest):
        if abi.fingerprint == linked.policy.abi.fingerprint:
            continue
        try:
            modules = build_modules(linked.assembly.sources, linked.assembly.environment(abi, mls=False))
        except PolicyError as error:
            problems |= dict.fromkeys(d for d in error.diagnostics if d.origin and d.origin.package == manifest.name)
        else:
            found.append(Release(versions, abi, next(m for m in modules if m.package == manifest.name)))
    return tuple(found), tuple(problems)


def _about_manifest(manifest: Manifest) -> Iterator[Diagnostic]:
    """What a package should say about itself before others get it."""
    from polpkg.diagnostics import Diagnostic, Origin

    origin = Origin(manifest.name, manifest.version, MANIFEST, 1)
    if not manifest.summary:
        yield Diagnostic("no-summary", "the package has no summary", origin, severity=Severity.WARNING)
    if not manifest.license:
        yield Diagnostic("no-license", "the package has no license", origin, severity=Severity.WARNING)
    if not manifest.owns and not manifest.own_abi:
        hint = 'owns = ["prefix_*"] under [package]'
        yield Diagnostic("owns-nothing", "the package may declare any name", origin, hint, severity=Severity.WARNING)
