"""Policy tests: the expectations of a package about the policies that it is linked into, `tests/*.toml`.

    with = ["netdom"]                      # packages besides this one and what it requires
    xen = ">=4.17"                         # releases that the file is about; default all that the package is for
    [options]                              # options, instances: as in policy.toml
    vmv = ["services"]
    [instances.vmv.tenant-a]
    guests = ["web"]
    [booleans]                             # values of booleans; default see below
    guest_writeconsole = false

    [[allow]]                              # every source may do all of this to every target
    source = "$prefix_t"
    target = "$prefix_$item_t"
    class = "domain"
    permissions = ["create", "pause"]

    [[deny]]                               # no source may do any of this to any target
    source = ["*", "-$prefix_t"]
    target = "$prefix_$item_t"
    class = ["mmu", "grant"]               # "*" is every class; without permissions, all of them

    [[no-flow]]                            # no information gets from here to there, but through these
    from = "domU_t"
    to = "$prefix_$item_t"
    through = "dom0_t"

    [[owner]]                              # who owns a function for a client
    function = "domain-builder"
    client = "$prefix_$item_t"
    owners = "$prefix_t"                   # or nobody

Sources and targets are types or attributes, one or a list; `*` is every type, `-NAME` takes out, `self` as the target
is the source itself.  They may be labels as well (`red_u:vm_r:app_t`), all of them: then constraints count, which rules
about types know nothing of.  An expectation with `$prefix` holds for each instance of the package, with `$item` for
each item of each instance.  Each may have a `name`, `xen` and `booleans` of its own.  Booleans that nobody sets have
their defaults in `allow`, and may have any value in `deny` and `no-flow`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from polpkg.diagnostics import Diagnostic, Origin
from polpkg.errors import UsageError
from polpkg.packages.functions import FUNCTIONS
from polpkg.packages.manifest import Manifest
from polpkg.packages.names import did_you_mean
from polpkg.packages.project import Project, read_instances, read_options
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.tables import Document, Table, read_toml
from polpkg.packages.toml_places import find_listed_place
from polpkg.packages.versions import is_specifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.packages.instances import Instance
    from polpkg.packages.source import PackageFiles

EVERYTHING = "*"
"""As a type: every type.  As a class: every class.  As a permission: all of the class."""

SELF = "self"
"""As a target: each source itself."""


@dataclass(frozen=True, slots=True)
class Common:
    """What every expectation has: where it is (`kind` and number in the file), and when it applies."""

    kind: str
    number: int
    name: str = ""
    xen: str = ""
    booleans: Mapping[str, bool] = field(default_factory=dict[str, bool])


@dataclass(frozen=True, slots=True)
class Access:
    """`allow` or `deny`; `permissions` is empty for all of them."""

    common: Common
    source: tuple[str, ...]
    target: tuple[str, ...]
    classes: tuple[str, ...]
    permissions: tuple[str, ...]

    @property
    def is_allowed(self) -> bool:
        """Whether the access is expected to be possible."""
        return self.common.kind == "allow"


@dataclass(frozen=True, slots=True)
class NoFlow:
    """No information gets from one set of types to another, but through a third."""

    common: Common
    source: tuple[str, ...]
    target: tuple[str, ...]
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns a function for a client."""

    common: Common
    function: str
    client: str
    owners: tuple[str, ...]


Expectation: TypeAlias = Access | NoFlow | Ownership


@dataclass(frozen=True, slots=True)
class PolicyTests:
    """One file of tests.

    `others`: the packages it asks for besides.  `project`: the options and instances, as if policy.toml said so.
    """

    package: str
    version: str
    file: str
    text: str = field(repr=False)
    xen: str
    others: tuple[Requirement, ...]
    project: Project
    expectations: tuple[Expectation, ...]

    def finding(self, common: Common, key: str, code: str, message: str, hint: str = "") -> Diagnostic:
        """A finding at a key of an expectation, or at the expectation itself."""
        path = (common.kind, str(common.number), *((key,) if key else ()))
        place = find_listed_place(self.text, path)
        origin = Origin(self.package, self.version, self.file, place.line, place.column)
        line = self.text.split("\n")[place.line - 1] if place.line else ""
        return Diagnostic(code, message, origin, hint, line, place.column)


def tests_of(package: PackageFiles) -> tuple[PolicyTests, ...]:
    """All tests of a package, by file name.  Raises `PolicyError` (`test-...`) with every problem in a file."""
    paths = sorted(p for p in package.files if p.rpartition("/")[0] == "tests" and p.endswith(".toml"))
    return tuple(read_tests(package.text(path), path, package.manifest) for path in paths)


def read_tests(text: str, file: str, manifest: Manifest) -> PolicyTests:
    """The tests that `text` is.  Raises `PolicyError` (`test-...`) with every problem found."""
    document = Document(text, file, "test", package=manifest.name, locate=find_listed_place)
    root = read_toml(document)
    booleans = root.boolean_map("booleans")
    xen = _specifier(root)
    tests = PolicyTests(
        manifest.name,
        manifest.version,
        file,
        text,
        xen,
        tuple(_others(root)),
        Project(options=read_options(root), instances=read_instances(root), file=file, text=text),
        tuple(each for kind in _READERS for each in _expectations(root, kind, booleans)),
    )
    root.finish()
    if not tests.expectations and not document.problems:
        hint = f"write one: {', '.join(f'[[{kind}]]' for kind in _READERS)}"
        document.report((), "empty", "the file has no expectation", hint=hint)
    document.check()
    return replace(tests, expectations=tuple(sorted(tests.expectations, key=lambda each: _line(tests, each))))


def _line(tests: PolicyTests, expectation: Expectation) -> int:
    common = expectation.common
    return find_listed_place(tests.text, (common.kind, str(common.number))).line


def _others(root: Table) -> Iterator[Requirement]:
    for text in root.texts("with"):
        try:
            requirement = parse_requirement(text)
        except UsageError as error:
            root.report("with", "bad-requirement", error.message, hint=error.hint)
            continue
        if requirement.is_path:
            root.report("with", "bad-requirement", f"`{text}` is a path: tests name packages, `--index` finds them")
        else:
            yield requirement


def _specifier(table: Table) -> str:
    specifier = table.text("xen")
    if not is_specifier(specifier):
        hint = 'write versions as in ">=4.17"'
        table.report("xen", "bad-specifier", f"`{specifier}` is not a version specifier", hint=hint)
        return ""
    return specifier


def _expectations(root: Table, kind: str, booleans: Mapping[str, bool]) -> Iterator[Expectation]:
    """The `[[kind]]` of the file, each read to its end so that all problems are found."""
    for number, table in enumerate(root.table_list(kind)):
        numbered = Table(root.document, (kind, str(number)), table.values)
        common = Common(
            kind, number, numbered.text("name"), _specifier(numbered), {**booleans, **numbered.boolean_map("booleans")}
        )
        yield _READERS[kind](numbered, common)
        numbered.finish()


def _one_or_more(table: Table, key: str, *, required: bool = True) -> tuple[str, ...]:
    """A string or a list of strings."""
    found = (table.text(key),) if isinstance(table.values.get(key), str) else table.texts(key)
    if key not in table and required:
        table.report("", "missing-key", f"`{key}` is missing")
    elif key in table and not all(found):
        table.report(key, "wrong-value", f"`{key}` has an empty name")
    elif key in table and not found and not isinstance(table.values[key], (list, str)):
        table.report(key, "wrong-type", f"`{key}` must be a string or a list of strings")
    elif not found and required:
        table.report(key, "wrong-value", f"`{key}` names nothing")
    return found


def _types(table: Table, key: str, *, required: bool = True) -> tuple[str, ...]:
    """The same for types, of which some may be taken out again."""
    found = _one_or_more(table, key, required=required)
    if found and all(name.startswith("-") for name in found):
        hint = f'begin with "{EVERYTHING}" to take from every type'
        table.report(key, "wrong-value", f"`{key}` takes types out of nothing", hint=hint)
    return found


def _access(table: Table, common: Common) -> Access:
    allowed = common.kind == "allow"
    access = Access(
        common,
        _types(table, "source"),
        _types(table, "target"),
        _one_or_more(table, "class"),
        _one_or_more(table, "permissions", required=allowed),
    )
    if allowed and EVERYTHING in access.classes:
        table.report("class", "wrong-value", "nothing is allowed in every class", hint="name the class")
    if EVERYTHING in access.permissions:
        if allowed:
            table.report("permissions", "wrong-value", "no domain needs every permission", hint="name those it needs")
        access = replace(access, permissions=())
    elif len(access.classes) > 1 and access.permissions:
        hint = "write one expectation for each class"
        table.report("permissions", "wrong-value", "permissions can be named for a single class only", hint=hint)
    return access


def _no_flow(table: Table, common: Common) -> NoFlow:
    through = _types(table, "through", required=False)
    return NoFlow(common, _types(table, "from"), _types(table, "to"), through)


def _ownership(table: Table, common: Common) -> Ownership:
    function = table.text("function", required=True)
    if function and function not in FUNCTIONS:
        hint = did_you_mean(function, FUNCTIONS) or f"functions are: {', '.join(FUNCTIONS)}"
        table.report("function", "unknown-function", f"there is no function `{function}`", hint=hint)
    return Ownership(common, function, table.text("client", EVERYTHING), _one_or_more(table, "owners"))


_READERS = {"allow": _access, "deny": _access, "no-flow": _no_flow, "owner": _ownership}


def for_instances(expectation: Expectation, instances: tuple[Instance, ...]) -> tuple[Expectation, ...]:
    """An expectation once for each instance and item that its `$prefix` and `$item` stand for.

    Empty when there is none of them; the expectation itself when it has no such word.
    """
    text = " ".join(_type_texts(expectation))
    if "$item" in text:
        stems = [(i.prefix, g.removeprefix(f"{i.prefix}_")) for i in instances for g in i.guest_prefixes]
        return tuple(_filled(expectation, {"$prefix": prefix, "$item": item}) for prefix, item in stems)
    if "$prefix" in text:
        return tuple(_filled(expectation, {"$prefix": instance.prefix}) for instance in instances)
    return (expectation,)


def _type_texts(expectation: Expectation) -> tuple[str, ...]:
    """Everything in an expectation that names types."""
    match expectation:
        case Access(_, source, target):
            return (*source, *target)
        case NoFlow(_, source, target, through):
            return (*source, *target, *through)
        case Ownership(_, _, client, owners):
            return (client, *owners)


def _filled(expectation: Expectation, words: Mapping[str, str]) -> Expectation:
    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    def fill_all(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(fill, texts))

    match expectation:
        case Access(_, source, target):
            return replace(expectation, source=fill_all(source), target=fill_all(target))
        case NoFlow(_, source, target, through):
            return replace(expectation, source=fill_all(source), target=fill_all(target), through=fill_all(through))
        case Ownership(_, _, client, owners):
            return replace(expectation, client=fill(client), owners=fill_all(owners))
