"""Whether a policy lets a guest configuration be built, served and run, and if not, what is in the way.

Pure: a guest, a policy and what is known of the surroundings in, findings out.  A finding names the line of the
configuration that it is about, the permissions that are missing, and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic, Frame, Place, Severity
from polpkg.policy.analysis.access import AccessDecider, Subject
from polpkg.policy.analysis.contexts import ContextProblem, context_of, read_context
from polpkg.policy.ir.statements import ObjectContextKind
from polpkg.targets.xl import demands, remedies
from polpkg.targets.xl.deciding import Missing, Parties, Surroundings
from polpkg.targets.xl.demands import Need
from polpkg.targets.xl.devices import DOMAIN_0
from polpkg.targets.xl.guest import GuestKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.xl.devices import PciDevice, VirtualDevice
    from polpkg.targets.xl.guest import Guest
    from polpkg.targets.xl.values import TextValue


class Finding(NamedTuple):
    """Something about the guest: what and where, and the permissions that are missing."""

    diagnostic: Diagnostic
    missing: tuple[Missing, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it keeps the guest from being what the configuration says."""
        return self.diagnostic.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome.

    `label` and `creator` are types, empty when they could not be told.  `served_by`: what serves or is used (`vif`,
    `disk`, `store and console`, a PCI address), and the type of the domain or device.
    """

    label: str
    creator: str
    served_by: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        """Whether the policy lets the guest be."""
        return not any(finding.is_error for finding in self.findings)


def check_guest(guest: Guest, policy: LinkedPolicy, surroundings: Surroundings | None = None) -> Verdict:
    """Whether `policy` lets `guest` be, in these surroundings."""
    return _Check(guest, policy, surroundings or Surroundings()).verdict()


class _Check:
    def __init__(self, guest: Guest, policy: LinkedPolicy, surroundings: Surroundings) -> None:
        self._guest = guest
        self._policy = policy
        self._surroundings = surroundings
        self._decider = AccessDecider(policy)
        self._findings = [Finding(slip) for slip in guest.slips]
        self._served: list[tuple[str, str]] = []
        self._start = Place(Frame(guest.source), 1)

    def verdict(self) -> Verdict:
        """All checks, in the order in which xl would come upon them."""
        label = self._label(self._guest.label, "seclabel", "domU")
        building = self._label(self._guest.build_label, "init_seclabel", "") if self._guest.build_label else label
        if label is None or building is None:
            return self._finish(label, None)
        creator = self._creator(building)
        if creator is None:
            return self._finish(label, None)
        security = self._initial("security")
        subjects = {"guest": label, "building": building, "builder": creator, "security": security}
        parties = Parties(self._decider, {k: v for k, v in subjects.items() if v is not None}, self._guest.kind)
        if not self._check_building(parties):  # else everything that follows would be missing as well
            self._check_store(parties)
            self._check_backends(parties)
            self._check_model(parties)
            self._check_devices(parties)
            self._check_migration(parties)
        return self._finish(label, creator)

    def _finish(self, label: Subject | None, creator: Subject | None) -> Verdict:
        served = tuple(dict.fromkeys(self._served))
        return Verdict(self._name(label), self._name(creator), served, tuple(self._findings))

    def _name(self, subject: Subject | None) -> str:
        return "" if subject is None else self._policy.types[subject.type].name

    def _report(
        self,
        code: str,
        message: str,
        place: Place,
        *,
        hint: str = "",
        missing: tuple[Missing, ...] = (),
        severity: Severity = Severity.ERROR,
    ) -> None:
        found = Diagnostic.at(place, code, message, hint=hint, severity=severity)
        if place is self._start:  # nothing in the configuration says it: the place is the file
            found = replace(found, origin=found.origin and found.origin._replace(line=0, column=0), excerpt="", caret=0)
        self._findings.append(Finding(found, missing))

    # Labels

    def _initial(self, sid: str) -> Subject | None:
        sids = self._policy.abi.initial_sids
        context = self._policy.initial_sids[sids.index(sid)] if sid in sids else None
        return Subject(context.user, context.role, context.type) if context else None

    def _label(self, value: TextValue | None, key: str, sid: str) -> Subject | None:
        """The context of a label; that of an initial SID when the configuration does not say one."""
        if value is None:
            subject = self._initial(sid)
            if subject is None:
                message = f"without `{key}` a guest gets the label of the initial SID {sid}, which has none"
                self._report("unknown-label", message, self._start)
            return subject
        found = read_context(self._policy, value.text)
        if isinstance(found, ContextProblem):
            self._report(found.code, f"`{key}`: {found.message}", value.place, hint=found.hint)
            return None
        return found

    def _named(self, text: str, what: str, place: Place) -> Subject | None:
        """A label, or just a type, from outside the configuration."""
        label = text if ":" in text else context_of(self._policy, text)
        found = read_context(self._policy, label)
        if isinstance(found, ContextProblem):
            self._report(found.code, f"{what}: {found.message}", place, hint=found.hint)
            return None
        return found

    def _creator(self, building: Subject) -> Subject | None:
        """Who builds the guest: as told, else dom0 if it may, else whoever may."""
        if self._surroundings.creator:
            return self._named(self._surroundings.creator, "--creator", self._start)
        dom0 = self._initial("dom0")
        holders = remedies.creators(self._decider, building.type)
        if dom0 is None or (holders and dom0.type not in holders):
            return self._named(self._policy.types[holders[0]].name, "creator", self._start) if holders else dom0
        return dom0

    def _label_place(self) -> Place:
        value = self._guest.build_label or self._guest.label
        return value.place if value else self._start

    # Building

    def _check_building(self, parties: Parties) -> bool:
        """Whether the guest cannot even be created.

        The channels that the builder makes on behalf of the guest are for who serves the store: else dom0 is asked for.
        """
        server = self._store_server(parties) or self._initial("dom0") or parties.subject("builder")
        parties = parties.having(backend=server)
        stages: list[tuple[str, tuple[demands.Demand, ...]]] = [("build", demands.BUILD), ("run", demands.RUN)]
        if self._guest.build_label is not None:
            stages.insert(1, ("relabel", demands.RELABEL))
        refused = set[str]()
        for stage, table in stages:
            missing = parties.missing(table, Need.ALWAYS)
            if missing:
                refused.add(stage)
                self._report_building(stage, parties, missing)
                if any("create" in m.permissions and m.security_class == "domain" for m in missing):
                    return True
        extra = parties.missing(demands.BUILD, Need.XL)
        if extra and "build" not in refused:
            self._report_extra(parties, extra)
        return False

    def _report_building(self, stage: str, parties: Parties, missing: tuple[Missing, ...]) -> None:
        builder, guest, building = (parties.name(p) for p in ("builder", "guest", "building"))
        messages = {
            "build": f"{builder} may not build a guest labelled {building}",
            "relabel": f"a guest labelled {building} may not become {guest}",
            "run": f"{builder} may not run a guest labelled {guest}",
        }
        hint = remedies.for_building(stage, parties)
        self._report(f"{stage}-refused", messages[stage], self._label_place(), hint=hint, missing=missing)

    def _report_extra(self, parties: Parties, missing: tuple[Missing, ...]) -> None:
        """What xl needs and a smaller toolstack does not: an error where xl is the toolstack, which is dom0."""
        builder, building = parties.name("builder"), parties.name("building")
        if self._is_dom0(parties):
            message, severity = f"{builder} lacks what xl needs to build a guest labelled {building}", Severity.ERROR
        else:
            message = f"xl in {builder} could not build this guest; a toolstack on libxenctrl can"
            severity = Severity.WARNING
        hint = "give the builder `create_domain` of xen-base" if severity is Severity.ERROR else ""
        self._report("xl-refused", message, self._label_place(), hint=hint, missing=missing, severity=severity)

    def _is_dom0(self, parties: Parties) -> bool:
        dom0 = self._initial("dom0")
        return dom0 is not None and parties.subject("builder").type == dom0.type

    # Services

    def _check_store(self, parties: Parties) -> None:
        """Store and console, under the build label too when there is one.

        The policy says who could serve their rings and watch the guest, not who does: dom0 when it may.
        """
        server = self._store_server(parties)
        if server is not None:
            self._served.append(("store and console", self._name(server)))
            return
        dom0 = self._initial("dom0")
        severity = Severity.ERROR if self._is_dom0(parties) else Severity.WARNING
        missing = parties.having(backend=dom0).missing(demands.STORE) if dom0 else ()
        message = f"nobody can serve store and console to {parties.name('guest')}"
        hint = "a guest that boots without them fits; guests of vmv get them with services=xenstore,console"
        self._report("no-store", message, self._label_place(), hint=hint, missing=missing, severity=severity)

    def _store_server(self, parties: Parties) -> Subject | None:
        building = parties.subject("building")
        is_relabelled = building != parties.subject("guest")
        for server in remedies.ring_servers(parties, self._initial("dom0")):
            served = parties.having(backend=server)
            missing = served.missing(demands.STORE)
            if is_relabelled:
                missing += served.having(guest=building).missing(demands.STORE_WHILE_BUILT)
            if not missing:
                return server
        return None

    def _check_backends(self, parties: Parties) -> None:
        for device in self._guest.virtual_devices:
            backend = self._backend(device)
            if backend is None:
                continue
            self._served.append((device.kind, self._name(backend)))
            missing = parties.having(backend=backend).missing(_backend_demands(device))
            if missing:
                message = f"{self._name(backend)} may not serve a {device.kind} to {parties.name('guest')}"
                hint = remedies.for_backend(device, parties, self._surroundings)
                self._report(f"{device.kind}-refused", message, device.place, hint=hint, missing=missing)
            elif device.backend in (DOMAIN_0, "0"):
                self._note_driver_domain(device, parties)

    def _note_driver_domain(self, device: VirtualDevice, parties: Parties) -> None:
        """dom0 may map what its store and console need, which is enough to serve a disk that a driver domain is for."""
        others = [n for n in remedies.servers(device, parties) if n != self._name(self._initial("dom0"))]
        if others:
            message = f"dom0 serves this {device.kind}, and {others[0]} could"
            hint = "backend= names the domain that is to serve it"
            self._report("served-by-dom0", message, device.place, hint=hint, severity=Severity.NOTE)

    def _backend(self, device: VirtualDevice, *, silent: bool = False) -> Subject | None:
        if device.backend in (DOMAIN_0, "0"):
            return self._initial("dom0")
        label = self._surroundings.backends.get(device.backend)
        if label is None and silent:
            return None
        if label is None:
            message = f"which label the backend `{device.backend}` has is not known"
            hint = f"say it with --backend {device.backend}=LABEL"
            self._report("unknown-backend", message, device.place, hint=hint, severity=Severity.WARNING)
            return None
        return self._named(label, f"backend `{device.backend}`", device.place)

    # Device models and devices

    def _check_model(self, parties: Parties) -> None:
        value = self._guest.model_label
        place = value.place if value else self._label_place()
        if value is not None and not self._guest.has_stub_domain:
            message = "this guest has no stub domain, so the label of one has no effect"
            hint = 'it needs type = "hvm" and device_model_stubdomain_override = 1'
            self._report("model-label-unused", message, place, hint=hint, severity=Severity.WARNING)
        if self._guest.kind is not GuestKind.HVM:
            return
        if not self._guest.has_stub_domain:
            missing = parties.missing(demands.EMULATE)
            if missing:
                message = f"{parties.name('builder')} may not emulate devices for {parties.name('guest')}"
                self._report("model-refused", message, place, hint=remedies.STUB_DOMAIN, missing=missing)
            return
        model = self._label(value, "device_model_stubdomain_seclabel", "domDM")
        if model is None:
            return
        self._served.append(("device model", self._name(model)))
        missing = parties.having(model=model).missing(demands.STUB_DOMAIN)
        if missing:
            message = f"{self._name(model)} may not be the device model of {parties.name('guest')}"
            self._report("model-refused", message, place, hint=remedies.for_model(parties), missing=missing)
        self._check_model_frontends(parties.having(guest=model))

    def _check_model_frontends(self, parties: Parties) -> None:
        """A stub domain has a frontend for every disk and network interface of its guest."""
        for device in self._guest.virtual_devices:
            backend = self._backend(device, silent=True)
            missing = parties.having(backend=backend).missing(_backend_demands(device)) if backend else ()
            if backend and missing:
                message = f"{self._name(backend)} may not serve a {device.kind} to the stub domain"
                self._report(f"{device.kind}-refused", message, device.place, missing=missing)

    def _check_devices(self, parties: Parties) -> None:
        for device in self._guest.pci:
            label = self._device_label(device)
            if label is None:
                continue
            self._served.append((str(device), self._name(label)))
            with_device = parties.having(hardware=label)
            missing = with_device.missing(demands.PASS_THROUGH)
            given = self._decider.allowed(parties.subject("guest"), label, "resource")
            if not given.intersection(demands.ISOLATION):
                names = parties.name("guest"), self._name(label)
                missing += (Missing(*names, "resource", demands.ISOLATION[:1]),)
            if missing:
                message = f"{parties.name('guest')} may not have {device}, labelled {self._name(label)}"
                hint = remedies.for_device(device, with_device)
                self._report("device-refused", message, device.place, hint=hint, missing=missing)
            else:
                self._note_isolation(device, given)

    def _note_isolation(self, device: PciDevice, given: frozenset[str]) -> None:
        if "use_noiommu" not in given and "use_iommu_nointremap" not in given:
            message = f"{device} works only where an IOMMU isolates it and remaps interrupts"
            self._report("needs-iommu", message, device.place, severity=Severity.NOTE)

    def _device_label(self, device: PciDevice) -> Subject | None:
        """The label given at run time, else that of an object context, else that of devices without one."""
        told = self._surroundings.devices.get(str(device).lower())
        if told is not None:
            return self._named(told, str(device), device.place)
        for context in self._policy.object_contexts:
            if context.kind is ObjectContextKind.PCI_DEVICE and context.low <= device.sbdf <= context.high:
                return Subject(context.context.user, context.context.role, context.context.type)
        return self._initial("device")

    def _check_migration(self, parties: Parties) -> None:
        missing = parties.missing(demands.MIGRATE)
        if missing and self._guest.can_migrate:
            message = f"{parties.name('builder')} may not migrate or save a guest labelled {parties.name('guest')}"
            hint = "say nomigrate = 1, so that nobody tries"
            self._report(
                "no-migration", message, self._label_place(), hint=hint, missing=missing, severity=Severity.NOTE
            )


def _backend_demands(device: VirtualDevice) -> Iterable[demands.Demand]:
    if device.kind == "vif":
        return (*demands.RING, *demands.COPY_BOTH)
    return (*demands.RING, *demands.COPY_FROM) if device.copies else demands.RING
