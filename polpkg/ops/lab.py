"""`polpkg lab`: a policy on a hypervisor in a box, before it touches a host.

The hypervisor boots with the policy enforced.  Then dom0 starts Xen's tools, and for every label of a guest it creates
one, waits until its Linux is up, pauses it and destroys it.  What the policy forbids dom0 to create must be refused.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.ops.lab_candidates import type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.ops.lab_candidates import Candidate, LabGuest, LabHypervisor
    from polpkg.policy.analysis.view import PolicyView
    from polpkg.targets.lab.box import Box
    from polpkg.targets.lab.pieces import Pieces
    from polpkg.targets.lab.transcript import Denial, Transcript

HOST = Path("/")
"""Where installed packages are."""

BOOT_SECONDS = 180
"""How long dom0 may take to come up: ten times what it takes on a machine of today."""

STEPS = ("created", "booted", "paused", "destroyed")


class TriedGuest(NamedTuple):
    """What became of a guest with a label.

    `creators` are the types that the policy lets create it, with its build label if it has one.  `steps` are those of
    `STEPS` that worked, in their order.  `said` is what the tools wrote when something did not.
    """

    guest: LabGuest
    is_allowed: bool
    creators: tuple[str, ...]
    steps: tuple[str, ...]
    said: str

    @property
    def is_as_expected(self) -> bool:
        """Whether it ran to its end when dom0 may create it, and was refused when dom0 may not."""
        return self.steps == (STEPS if self.is_allowed else ())


class ExplainedDenial(NamedTuple):
    """Something that FLASK refused; `is_expected` when it was tried to see that it is refused."""

    denial: Denial
    is_expected: bool
    because: tuple[str, ...]


class ToolsTrial(NamedTuple):
    """Whether Xen's tools work under the policy; `fit` is whether they are for this hypervisor at all."""

    release: str
    fit: bool
    work: bool
    said: str


@dataclass(slots=True)
class Trial:
    """What happened in the box.

    `misfit` is why Xen was expected to refuse the policy, empty when it was not.  `stopped` is why the box came to an
    early end, `panic` the last words of Xen.  `mode` is that of FLASK, and `dom0` Domain-0's label where the tools fit.
    """

    version: str
    misfit: str = ""
    booted: bool = False
    stopped: str = ""
    panic: tuple[str, ...] = ()
    mode: str = ""
    dom0: str = ""
    tools: ToolsTrial | None = None
    guests: list[TriedGuest] = field(default_factory=list["TriedGuest"])
    denials: tuple[ExplainedDenial, ...] = ()
    seconds: float = 0.0
    console: str = ""

    @property
    def is_enforced(self) -> bool:
        """Whether the hypervisor took the policy and enforces it."""
        return self.booted and self.mode == "enforcing"

    @property
    def passed(self) -> bool:
        """Whether everything was as it should be."""
        works = self.tools is None or not self.tools.fit or self.tools.work
        as_expected = all(guest.is_as_expected for guest in self.guests)
        return self.is_enforced and works and as_expected and not self.unexpected and not self.stopped

    @property
    def unexpected(self) -> tuple[ExplainedDenial, ...]:
        """The denials that nobody provoked."""
        return tuple(each for each in self.denials if not each.is_expected)


def gather_pieces(folder: Path | None, version: str, scratch: Path) -> Pieces:
    """What the box is made of: from `.deb` files in a folder, else what is installed here.

    Raises PolpkgError `lab-pieces-missing` and what unpacking raises.
    """
    from polpkg.targets.lab.pieces import find_pieces, unpack_debs

    roots = (HOST,) if folder is None else (unpack_debs(folder, scratch), HOST)
    return find_pieces(roots, version)


def try_policy(hypervisor: LabHypervisor, candidate: Candidate, debs: Path | None, say: Callable[[str], None]) -> Trial:
    """Boot the policy in a box and see what works; `say` is told what is being done.

    Raises TargetError when the hypervisor has no FLASK or QEMU cannot boot it, and PolpkgError for what is missing.
    """
    from polpkg.ops.probe import why_refused
    from polpkg.targets.lab.box import run_box, unpack_hypervisor
    from polpkg.targets.lab.system import make_system

    about = hypervisor.about
    trial = Trial(about.version, misfit=why_refused(candidate.content, about.abi))
    unpack_hypervisor(hypervisor.content)  # before the minute's work
    with ExitStack() as stack:
        scratch, folder = (Path(stack.enter_context(TemporaryDirectory(prefix="polpkg-lab-"))) for _ in range(2))
        say("gathering kernel and tools")
        pieces = gather_pieces(debs, about.version, scratch)
        system = make_system(pieces)
        say(f"booting Xen {about.version} with Linux {pieces.kernel.release}, tools of Xen {pieces.release}")
        begin = time.monotonic()
        with run_box(folder, hypervisor.content, candidate.content, system.kernel, system.initramfs({})) as box:
            _watch(box, trial, candidate, pieces, say)
            transcript = box.transcript()
        trial.seconds = time.monotonic() - begin
    _judge(trial, transcript, candidate.view)
    return trial


def _watch(box: Box, trial: Trial, candidate: Candidate, pieces: Pieces, say: Callable[[str], None]) -> None:
    """All that is done in the box, to its end or until it stops."""
    from polpkg.targets.lab.box import BoxError

    try:
        box.wait_for_dom0(BOOT_SECONDS)
        trial.booted = True
        trial.tools = _start_tools(box, trial.version, pieces)
        if not trial.tools.work:
            return
        trial.dom0 = _label_of_dom0(box)
        for guest in candidate.guests:
            say(f"trying a guest labelled {guest.label.context}")
            trial.guests.append(_try_guest(box, guest, type_of(trial.dom0), candidate.view))
        box.settle()
    except BoxError as error:
        trial.stopped = error.message


def _start_tools(box: Box, version: str, pieces: Pieces) -> ToolsTrial:
    if not pieces.fits(version):
        return ToolsTrial(pieces.release, fit=False, work=False, said="")
    started = box.start_tools()
    listed = box.run("xl list -Z")
    works = started.status == 0 and listed.status == 0 and "Domain-0" in listed.text
    said = "" if works else f"{started.text}\n{listed.text}".strip()
    return ToolsTrial(pieces.release, fit=True, work=works, said=said)


def _label_of_dom0(box: Box) -> str:
    """What `xl list -Z` shows in its last column."""
    rows = [line.split() for line in box.run("xl list -Z").text.splitlines()]
    return next((row[-1] for row in rows if row[:1] == ["Domain-0"]), "")


def _try_guest(box: Box, guest: LabGuest, dom0: str, view: PolicyView) -> TriedGuest:
    creators = _creators(view, guest.created_as)
    build = [f'init_seclabel="{guest.build}"'] if guest.build else []
    answers = {"created": box.create("guest", guest.label.context, *build)}
    if box.run("xl domid guest").status == 0:
        answers["booted"] = box.wait_for("guest")
        answers["paused"] = box.run("xl pause guest && xl list guest | awk 'NR == 2 { print $5 }' | grep p")
        answers["destroyed"] = box.run("xl destroy guest")
    done = [step for step, answer in answers.items() if answer.status == 0]
    said = next((answer.text for answer in answers.values() if answer.status != 0), "")
    return TriedGuest(guest, dom0 in creators, creators, tuple(done), said)


def _creators(view: PolicyView, type_name: str) -> tuple[str, ...]:
    """The types that may create a domain of a type."""
    from polpkg.policy.analysis.query import RuleQuery, find_rules

    if view.policy.number_of_type(type_name) < 0:
        return ()
    query = RuleQuery("", type_name, "domain", frozenset({"create"}), expand=True)
    return tuple(sorted({rule.source for rule in find_rules(view, query)}))


def _judge(trial: Trial, transcript: Transcript, view: PolicyView) -> None:
    """Put what Xen wrote into the trial."""
    trial.mode = transcript.mode
    trial.panic = transcript.panic
    trial.console = "\n".join(transcript.lines)
    forbidden = {each.guest.created_as for each in trial.guests if not each.is_allowed}
    provoked = {(type_of(trial.dom0), name, "domain", "create") for name in forbidden}
    trial.denials = tuple(
        ExplainedDenial(denial, tuple(denial) in provoked, explain_denial(view, denial))
        for denial in transcript.denials
    )


def explain_denial(view: PolicyView, denial: Denial) -> tuple[str, ...]:
    """What the policy has in place of the rule that would have allowed it, nearest first."""
    from polpkg.policy.analysis.explain import explain_access

    try:
        found = explain_access(view, *denial)
    except UsageError as error:  # a name that the policy does not have
        return (error.message,)
    if found.allowed:
        return ("a rule allows it: a constraint, the role or the user is in the way",)
    return found.missing
