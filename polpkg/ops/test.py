"""`polpkg test`: a package's own expectations, against the policies that it is linked into."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError
from polpkg.ops.abis import abis_to_check
from polpkg.ops.assembly import assemble
from polpkg.ops.compiling import link_assembly
from polpkg.ops.coverage import Coverage, Line, count_lines, own_line
from polpkg.ops.judging import Judge
from polpkg.ops.link import release_of
from polpkg.ops.resolution import load_packages, resolve_requirements
from polpkg.packages.expectations import for_instances, tests_of
from polpkg.packages.project import Project
from polpkg.packages.requirement import Requirement
from polpkg.packages.versions import satisfies

if TYPE_CHECKING:
    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.ops.context import Context
    from polpkg.packages.expectations import Expectation, PolicyTests
    from polpkg.packages.manifest import Manifest
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.linked import LinkedPolicy


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold: why, and with the table of which versions of Xen."""

    kind: str
    finding: Diagnostic
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What `test` found.

    `versions`: those of each ABI, oldest first.  `expectations` are counted as they stand in the files, `judged`
    once for each instance and ABI; `skipped` of them were left out, in whole or in part, since a hypervisor lacks what
    they name: `lacking` says what, and how often.
    """

    __test__ = False

    manifest: Manifest
    files: tuple[str, ...]
    versions: tuple[tuple[str, ...], ...]
    expectations: int
    judged: int
    skipped: int
    lacking: tuple[tuple[str, int], ...]
    failures: tuple[Failure, ...]
    coverage: Coverage

    @property
    def failed(self) -> int:
        """How many expectations of the files fail somewhere."""
        return len({(f.finding.origin.file, f.finding.origin.line) for f in self.failures if f.finding.origin})


class _Linked(NamedTuple):
    assembly: Assembly
    policy: LinkedPolicy


@dataclass(slots=True)
class _Run:
    """One run of all tests of a package; gathers what comes out."""

    context: Context
    requirement: Requirement
    manifest: Manifest
    judged: int = 0
    skipped: int = 0
    lacking: Counter[str] = field(default_factory=Counter[str])
    failures: dict[tuple[str, int, str], Failure] = field(default_factory=dict["tuple[str, int, str]", Failure])
    lines: Counter[tuple[str, int]] = field(default_factory=Counter["tuple[str, int]"])
    touched: set[tuple[str, int]] = field(default_factory=set["tuple[str, int]"])
    looked_at: set[tuple[str, str, int]] = field(default_factory=set["tuple[str, str, int]"])
    _linked: dict[str, _Linked] = field(default_factory=dict[str, _Linked])

    def run(self, files: tuple[PolicyTests, ...], abi: Abi, versions: tuple[str, ...]) -> None:
        """All files on one ABI; the policies of one ABI are kept only while it is looked at."""
        self._linked.clear()
        for tests in files:
            if satisfies(release_of(abi), tests.xen):
                self._run_file(tests, abi, versions)

    def check_all_judged(self, files: tuple[PolicyTests, ...]) -> None:
        """An expectation that no hypervisor could break says nothing.  Raises PolicyError `test-never-judged`."""
        message = "no release of Xen that the package is for has what this expectation is about"
        problems = [
            tests.finding(each.common, "", "test-never-judged", message, "see `xen` here and [xen] in polpkg.toml")
            for tests in files
            for each in tests.expectations
            if (tests.file, each.common.kind, each.common.number) not in self.looked_at
        ]
        if problems:
            raise PolicyError.of(problems)

    def _run_file(self, tests: PolicyTests, abi: Abi, versions: tuple[str, ...]) -> None:
        from polpkg.policy.analysis.rules_in_force import rules_in_force

        linked = self._link(tests, abi)
        judge = Judge(tests, linked.assembly, linked.policy)
        problems: list[Diagnostic] = []
        for expectation in tests.expectations:
            if not satisfies(release_of(abi), expectation.common.xen):
                continue
            try:
                self._judge(judge, expectation, versions)
            except PolicyError as error:
                problems += error.diagnostics
        if problems:
            raise PolicyError.of(problems)
        name = self.manifest.name
        self.lines |= count_lines(rules_in_force(linked.policy, {}, possible=True), name)
        self.touched |= {line for rule in judge.touched if (line := own_line(rule, name))}

    def _judge(self, judge: Judge, expectation: Expectation, versions: tuple[str, ...]) -> None:
        common = expectation.common
        instances = judge.assembly.instances[self.manifest.name]
        each = for_instances(expectation, instances)
        if not each:
            message = f"no instance of {self.manifest.name} has what this expectation is about"
            raise PolicyError.of([judge.tests.finding(common, "", "test-without-instance", message)])
        for one in each:
            verdict = judge.judge(one)
            if verdict.judged:
                self.judged += 1
                self.looked_at.add((judge.tests.file, common.kind, common.number))
            self.skipped += bool(verdict.lacking)
            self.lacking.update(verdict.lacking)
            if verdict.finding is not None:
                self._fail(common.kind, verdict.finding, versions)

    def _fail(self, kind: str, finding: Diagnostic, versions: tuple[str, ...]) -> None:
        """The same failure on several hypervisors is one."""
        origin = finding.origin
        key = (origin.file if origin else "", origin.line if origin else 0, finding.message)
        before = self.failures.get(key)
        first, earlier = (before.finding, before.versions) if before else (finding, ())
        self.failures[key] = Failure(kind, first, (*earlier, *versions))

    def _link(self, tests: PolicyTests, abi: Abi) -> _Linked:
        """The policy that a file asks for; files that ask for the same share it."""
        project = tests.project
        key = repr((tests.others, project.options, project.instances))
        if key not in self._linked:
            base = () if self.manifest.own_abi else (Requirement(n) for n in Project().target.base)
            wanted = {r.name: r for r in (*base, *tests.others)} | {self.manifest.name: self.requirement}
            lock, catalog = resolve_requirements(self.context, project, tuple(wanted.values()), xen=release_of(abi))
            assembly = assemble(load_packages(self.context, lock, catalog), project)
            self._linked[key] = _Linked(assembly, link_assembly(assembly, abi)[0])
        return self._linked[key]


def run_tests(context: Context, path: str, *, xen: str = "") -> TestAnswer:
    """Runs the tests of the package at `path`, a directory or an archive.

    For `xen`, or for every ABI of the releases that the package says it is for.  Raises UsageError when there is no
    package, PolicyError when a test cannot be understood (`test-...`), when there is none (`no-tests`), and when the
    package does not link, and ResolutionError when its requirements cannot be met.
    """
    package = context.package_at(path)
    manifest = package.manifest
    files = tests_of(package)
    if not files:
        hint = "write tests/guests.toml, with [[allow]], [[deny]], [[no-flow]] and [[owner]]"
        raise PolicyError("no-tests", f"{manifest.name} has no policy tests", hint=hint)
    run = _Run(context, context.named(Requirement("", "", path)), manifest)
    abis = abis_to_check(manifest, xen, all_xen=True)
    for abi, versions in abis:
        run.run(files, abi, versions)
    if not xen:
        run.check_all_judged(files)
    tested = {option for tests in files for option in tests.project.options.get(manifest.name, ())}
    coverage = Coverage(
        tuple(sorted(Line(*place, count) for place, count in run.lines.items())),
        frozenset(run.touched),
        tuple(option for option in manifest.options if option not in tested),
    )
    return TestAnswer(
        manifest,
        tuple(tests.file for tests in files),
        tuple(versions for _, versions in abis),
        sum(len(tests.expectations) for tests in files),
        run.judged,
        run.skipped,
        tuple(sorted(run.lacking.items())),
        tuple(run.failures[key] for key in sorted(run.failures)),
        coverage,
    )
