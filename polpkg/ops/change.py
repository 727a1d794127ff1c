"""Changing what a target has: `install`, `remove`, `upgrade` and `sync` are one way with different beginnings.

    edit policy.toml -> resolve or keep the lock -> find the hypervisors -> link and compile what is not there yet
    -> plan -> ask -> apply

All but the last line is worked out here, and leaves the target as it is; `polpkg.ops.carrying_out` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic, Severity
from polpkg.errors import TargetError, UsageError
from polpkg.ops.artifacts import (
    Slot,
    check_expected,
    find_slots,
    inputs_digest,
    make_artifact,
    with_inputs,
)
from polpkg.ops.carrying_out import Outcome, Prepared, carry_out
from polpkg.ops.compiling import DEFAULT_BACKEND, DEFAULT_POLICYDB_VERSION, BuildSettings
from polpkg.ops.installed import usable_lock
from polpkg.ops.orphans import about_dropped, find_orphans, without_settings
from polpkg.ops.project_files import read_project_files
from polpkg.ops.resolution import load_packages, resolve_requirements, use_lock
from polpkg.ops.upgrade import resolve_upgrade
from polpkg.packages.lock import render_lock
from polpkg.packages.names import did_you_mean
from polpkg.packages.project import read_project
from polpkg.packages.project_edit import Fact, ProjectChange, edit_project
from polpkg.packages.stale import why_stale
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.generations import read_artifact, usable_generation
from polpkg.targets.plan import DEFAULT_KEEP, compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.receipt import PackageRecord
from polpkg.targets.wanted import PolicyArtifact, WantedState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from polpkg.ops.activation import Activating
    from polpkg.ops.assembly import Assembly
    from polpkg.ops.carrying_out import Proposal
    from polpkg.ops.context import Context
    from polpkg.ops.resolution import Locked
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.manifest import ParameterValue
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What is to change.

    `action`: for the history ("install vmv").  `install`: packages to have.  `remove`: packages, or with `instance` one
    instance of each.  `move`: packages whose locked version may change (None: all).  `locked`: the lock must not
    change.  `instance` and `settings` (KEY to VALUE) are for the packages that are installed.  `booleans`: values to
    record in policy.toml, None for the package's default again.  `target`: facts to record there; `xen` goes there too.
    """

    action: str
    install: tuple[Requirement, ...] = ()
    remove: tuple[str, ...] = ()
    move: frozenset[str] | None = frozenset()
    locked: bool = False
    instance: str = ""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    options: tuple[tuple[str, str], ...] = ()
    xen: str = ""
    booleans: Mapping[str, bool | None] = field(default_factory=dict[str, "bool | None"])
    target: Mapping[str, Fact] = field(default_factory=dict[str, "Fact"])


def change_target(
    context: Context,
    target: Target,
    request: ChangeRequest,
    *,
    project_folder: Path | None = None,
    dry_run: bool = False,
    agree: Callable[[Proposal], None] = lambda _: None,
    how: Activating | None = None,
) -> Outcome:
    """Makes `target` have what `request` asks for.

    `agree` is called with what is proposed before anything changes, and raises when a person does not agree.
    `project_folder` is where policy.toml and policy.lock are when not in the target; with `request.locked` nothing is
    written there.  `how`: see `carry_out`.  Raises every kind of PolpkgError; the target is then as it was.
    """

    def prepare() -> Prepared:
        return prepare_change(context, target, request, project_folder)

    written = None if request.locked else project_folder
    if request.booleans:
        from polpkg.ops.activation import Activating

        how = (how or Activating())._replace(booleans=frozenset(request.booleans))
    return carry_out(context, target, prepare, project_folder=written, dry_run=dry_run, agree=agree, how=how)


def prepare_change(
    context: Context, target: Target, request: ChangeRequest, project_folder: Path | None = None
) -> Prepared:
    """Works out a change without touching the target."""
    from polpkg.targets.probe import find_hypervisors

    receipt = usable_generation(target)
    before, own_lock = read_project_files(target, project_folder)
    previous = own_lock
    if own_lock is None and project_folder is not None and not request.locked:
        previous = usable_lock(target, receipt)  # a project without a lock moves nothing that the target has
    hypervisors = find_hypervisors(target, receipt)
    if project_folder is not None:
        request = _with_full_paths(request, context)
        context = context.in_folder(project_folder)
    boot_paths = context.boot_paths()
    recorded = before.target.hypervisor or before.target.xen
    slots = find_slots(target, hypervisors, request.xen, recorded, boot_paths)
    edit = _first_edit(context, before, request)
    text = edit_project(before.text, edit, before.file)
    project = read_project(text, before.file)
    as_it_is = replace(project, text=before.text)  # what is wrong has its place in the file, not in the edited text
    lock, catalog = _lock(context, as_it_is, previous, request, slots[0].release)
    if request.instance or request.settings:
        # One edit from the old text: a package that is new has no default instance to keep.
        edit = replace(edit, instances=_wanted_instances(context, project, request, lock, catalog))
        text = edit_project(before.text, edit, before.file)
        project = read_project(text, before.file)
    dropped = find_orphans(context, own_lock, lock, project)
    if dropped:
        edit = without_settings(edit, project, dropped)
        text = edit_project(before.text, edit, before.file)
        project = read_project(text, before.file)
    settings = BuildSettings(
        project.target.backend or DEFAULT_BACKEND,
        project.target.policydb_version or DEFAULT_POLICYDB_VERSION,
        project.target.mls,
    )
    builder = _Builder(context, target, receipt, project, lock, catalog, settings, text.encode())
    wanted, warnings = builder.build(slots, request.action)
    check_expected(wanted.artifacts, project.expect)
    wanted = replace(wanted, unusable=tuple(h.unusable_record for h in hypervisors if not h.is_usable))
    wanted = with_boot_set_up(target, wanted, boot_paths=boot_paths)
    plan = compute_plan(wanted, read_present(target, wanted), keep=project.target.keep or DEFAULT_KEEP)
    told = (*map(about_dropped, dropped), *warnings, *_left_out(hypervisors, slots))
    return Prepared(wanted, plan, told, lock.overrides)


def _with_full_paths(request: ChangeRequest, context: Context) -> ChangeRequest:
    """What was typed, with paths that mean the same from every folder."""
    install = tuple(replace(r, path=str(context.locate(r.path))) if r.is_path else r for r in request.install)
    xen = str(context.locate(request.xen)) if context.locate(request.xen).is_file() else request.xen
    return replace(request, install=install, xen=xen)


def _left_out(hypervisors: Sequence[HypervisorFile], slots: tuple[Slot, ...]) -> Iterator[Diagnostic]:
    """Hypervisors of the target that get no policy, because another one was named."""
    served = {slot.fingerprint for slot in slots}
    for hypervisor in hypervisors:
        if hypervisor.is_usable and hypervisor.fingerprint not in served:
            message = f"{hypervisor.path} has another ABI than the Xen that was named, and gets no policy"
            hint = "leave --xen out to make a policy for every hypervisor of the target"
            yield Diagnostic("hypervisor-left-out", message, hint=hint, severity=Severity.WARNING)


def _first_edit(context: Context, before: Project, request: ChangeRequest) -> ProjectChange:
    """What changes in policy.toml before anything is resolved."""
    removed_instances: tuple[tuple[str, str], ...] = ()
    _check_removable(before, request.remove)
    if request.instance:
        removed_instances = tuple((name, request.instance) for name in request.remove)
        _check_removable_instances(before, removed_instances)
    install: dict[str, str] = {}
    for requirement in request.install:
        named = context.named(requirement)
        path = str(context.locate(named.path)) if named.is_path else ""
        install[named.name] = path or named.specifier
    options: dict[str, tuple[str, ...]] = {}
    for package, option in request.options:
        options[package] = (*options.get(package, ()), option)
    facts = dict(request.target)
    if request.xen:
        facts |= _hypervisor_fact(context, request.xen)
    return ProjectChange(
        install=install,
        remove=() if removed_instances else request.remove,
        options=options,
        remove_instances=removed_instances,
        booleans=request.booleans,
        target=facts,
    )


def _hypervisor_fact(context: Context, xen: str) -> dict[str, str]:
    """A file is recorded by its full path, a release as it is; either replaces the other."""
    file = context.locate(xen)
    if file.is_file():
        return {"hypervisor": str(file), "xen": ""}
    return {"xen": xen, "hypervisor": ""}


def _check_removable(before: Project, names: tuple[str, ...]) -> None:
    for name in names:
        if name in before.packages:
            continue
        if name in before.target.base:
            hint = "a target without it says base = [] under [target] in policy.toml"
            raise UsageError("base-package", f"`{name}` is part of every target", hint=hint)
        hint = "`polpkg list` shows what was installed, `polpkg why` what needs a package"
        raise UsageError("not-installed", f"`{name}` is not among the packages of policy.toml", hint=hint)


def _check_removable_instances(before: Project, removed: tuple[tuple[str, str], ...]) -> None:
    """Without its last instance a package would have its default one, which is not what anybody asked for."""
    for name, instance in removed:
        instances = before.instances.get(name) or {name: {}}
        if instance not in instances:
            hint = f"it has: {', '.join(sorted(instances))}"
            raise UsageError("no-such-instance", f"`{name}` has no instance `{instance}`", hint=hint)
        if len(instances) == 1:
            hint = f"`polpkg remove {name}` removes the package"
            raise UsageError("last-instance", f"`{instance}` is the only instance of `{name}`", hint=hint)


def _lock(
    context: Context, project: Project, previous: Lockfile | None, request: ChangeRequest, xen: str
) -> tuple[Lockfile, Catalog | None]:
    """The lock to use: as it is when it still answers, resolved otherwise; and the catalog, if one was opened."""
    if request.locked:
        return use_lock(context, project, previous)
    requirements = tuple(context.named(r) for r in project.requirements)
    movable = request.move is None or request.move or any(r.is_path for r in request.install)
    if (
        previous is not None
        and not movable
        and not why_stale(previous, requirements, project.options, project.overrides, project.index_map)
    ):
        return previous, None
    _check_movable(request.move or frozenset(), requirements, previous)
    if previous is not None and request.move:
        return resolve_upgrade(context, project, requirements, previous, request.move, xen=xen)
    move = frozenset(previous.versions) if request.move is None and previous else frozenset[str]()
    return resolve_requirements(context, project, requirements, previous=previous, move=move, xen=xen)


def _check_movable(names: frozenset[str], requirements: tuple[Requirement, ...], previous: Lockfile | None) -> None:
    """Raises UsageError `not-installed` for a name that neither the lock nor policy.toml has."""
    known = {*(r.name for r in requirements), *(previous.versions if previous else ())}
    for name in sorted(names - known):
        hint = did_you_mean(name, known) or "`polpkg list` shows what is there, `polpkg install` adds a package"
        raise UsageError("not-installed", f"`{name}` is not among the packages", hint=hint)


def _wanted_instances(
    context: Context, project: Project, request: ChangeRequest, lock: Lockfile, catalog: Catalog | None
) -> dict[str, dict[str, dict[str, ParameterValue]]]:
    """The instance and the parameters that were asked for; the packages' manifests say what fits."""
    from polpkg.packages.settings import parse_settings

    if len(request.install) > 1 and request.settings:
        raise UsageError("ambiguous-settings", "--set is for one package; install them one after another")
    instances: dict[str, dict[str, dict[str, ParameterValue]]] = {}
    for requirement in request.install:
        name = context.named(requirement).name
        locked = lock.get(name)
        if locked is None:
            continue
        manifest = context.fetch(locked, catalog or context.catalog(project)).manifest
        if manifest.instance is None:
            hint = "leave --instance and --set out"
            raise UsageError("no-instances", f"{name} has no instances and no parameters", hint=hint)
        values = parse_settings((f"{k}={v}" for k, v in request.settings.items()), manifest)
        instances[name] = {request.instance or name: values}
    return instances


class _Builder(NamedTuple):
    """Makes the wanted state: reuses what the current generation has, and compiles the rest."""

    context: Context
    target: Target
    receipt: Receipt | None
    project: Project
    lock: Lockfile
    catalog: Catalog | None
    settings: BuildSettings
    text: bytes

    def build(self, slots: tuple[Slot, ...], action: str) -> tuple[WantedState, tuple[Diagnostic, ...]]:
        """The wanted state for all slots, and the warnings of what was linked."""
        backend = self.context.backend(self.settings.backend)
        lock_text = render_lock(self.lock).encode()
        inputs = {slot: inputs_digest(self.text, lock_text, slot, backend, self.settings) for slot in slots}
        reused = {slot: artifact for slot in slots if (artifact := self._reuse(slot, inputs[slot]))}
        warnings: tuple[Diagnostic, ...] = ()
        if self.receipt is not None and len(reused) == len(slots):
            functions, system = self.receipt.functions, self._kept_system_files(self.receipt)
        else:
            from polpkg.ops.assembly import assemble

            assembly = assemble(self._load(), self.project)
            functions, system = assembly.claims.summary(), self._system_files(assembly)
            for slot in slots:
                if slot not in reused:
                    artifact, found = make_artifact(assembly, slot.abi(self.target), slot, backend, self.settings)
                    reused[slot] = with_inputs(artifact, inputs[slot])
                    warnings = (*warnings, *found)
        packages = tuple(PackageRecord(p.name, p.version, p.index, p.sha256) for p in self.lock.packages)
        artifacts = tuple(reused[slot] for slot in slots)
        return WantedState(self.text, lock_text, packages, functions, artifacts, action, system=system), warnings

    def _system_files(self, assembly: Assembly) -> dict[str, bytes]:
        """The files by which the target labels the devices of instances at run time."""
        from polpkg.ops.device_labels import check_labelling, device_labels

        instances = (instance for each in assembly.instances.values() for instance in each)
        labels = device_labels(instances, mls=self.settings.mls)
        if not labels:
            return {}
        check_labelling(assembly.claims)
        from polpkg.targets.devices.unit import device_files

        return device_files(labels)

    def _kept_system_files(self, receipt: Receipt) -> dict[str, bytes]:
        """Those of the current generation, which was made from the same."""
        from polpkg.targets.generations import read_system_files

        try:
            return read_system_files(self.target, receipt)
        except TargetError:  # damaged: made again, as a damaged policy is
            from polpkg.ops.assembly import assemble

            return self._system_files(assemble(self._load(), self.project))

    def _load(self) -> Locked:
        catalog = self.catalog or self.context.catalog(self.project, self.project.requirements)
        return load_packages(self.context, self.lock, catalog)

    def _reuse(self, slot: Slot, inputs: str) -> PolicyArtifact | None:
        """What the current generation has for a slot, when it was made from the same; a damaged one is made again."""
        if self.receipt is None:
            return None
        for policy in self.receipt.policies:
            if policy.inputs == inputs:
                try:
                    return replace(read_artifact(self.target, self.receipt, policy), boot_files=slot.boot_files)
                except TargetError:
                    return None
        return None
