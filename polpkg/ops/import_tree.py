"""`polpkg import`: a policy tree that somebody has, as packages, its sources byte for byte as they are.

Two kinds of input: a Xen `tools/flask/policy` tree, laid out as its Makefile has it (4.6 and 4.7: one folder
`policy/modules/xen`; since 4.8: `modules/`), and one file: a `policy.conf`, or CIL when its name ends in `.cil`.  The
order of the sections is that of `tools/flask/policy/Makefile.common`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, UsageError
from polpkg.ops.import_refpolicy import DIALECT, is_refpolicy, read_refpolicy
from polpkg.ops.output import make_folder, write_output
from polpkg.packages.archive import archive_time, pack
from polpkg.packages.manifest_reader import MANIFEST_FILE, read_manifest
from polpkg.packages.names import NAME_RULE, is_name
from polpkg.packages.source import archive_name, sha256_of
from polpkg.packages.toml_writer import toml_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MACROS = {"self_contained_policy": "", "mls_num_sens": "16", "mls_num_cats": "256"}
"""What Xen's Makefile defines on the command line of m4."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The sections of a policy tree, as (path in the package, path on disk), in the order in which m4 reads them.

    `tables` are classes, initial SIDs and access vectors, `support` macros and MLS declarations, `modules` the `.te` of
    each enabled module with its `.if` and `.cons`, `labels` users, constraints and contexts.
    """

    tables: tuple[tuple[str, Path], ...]
    support: tuple[tuple[str, Path], ...]
    tunables: tuple[tuple[str, Path], ...]
    modules: tuple[Module, ...]
    users: tuple[tuple[str, Path], ...]
    labels: tuple[tuple[str, Path], ...]


@dataclass(frozen=True, slots=True)
class Module:
    """One enabled module of a tree."""

    name: str
    interfaces: tuple[tuple[str, Path], ...]
    rules: tuple[tuple[str, Path], ...]
    constraints: tuple[tuple[str, Path], ...]


class WrittenPackage(NamedTuple):
    """An archive that was written."""

    path: Path
    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ImportedPackage:
    """One package to be written."""

    name: str
    version: str
    summary: str
    files: tuple[tuple[str, Path], ...]
    requires: tuple[str, ...] = ()
    macros: dict[str, str] = field(default_factory=dict[str, str])
    dialect: str = ""

    def archive(self) -> bytes:
        """The archive of the package."""
        files = {path: file.read_bytes() for path, file in self.files}
        manifest = self._manifest()
        read_manifest(manifest, MANIFEST_FILE)
        return pack(dict(sorted({**files, MANIFEST_FILE: manifest.encode()}.items())), mtime=archive_time())

    def _manifest(self) -> str:
        dialect = {"dialect": self.dialect} if self.dialect else {}
        sections: list[tuple[str, dict[str, object]]] = [
            ("package", {"name": self.name, "version": self.version, "summary": self.summary}),
            ("requires", dict.fromkeys(self.requires, f"=={self.version}")),
            ("xen", {"abi": "own"}),
            ("macros", dict(self.macros)),
            ("fragments", {**dialect, "order": [path for path, _ in self.files]}),
        ]
        return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in toml_lines(v)) for name, v in sections if v)


def import_tree(
    tree: Path, output: Path, name: str, version: str, *, flask: Path | None = None, split: bool = False
) -> tuple[WrittenPackage, ...]:
    """Writes the archives of the packages that `tree` becomes into the directory `output`, and names them.

    Raises UsageError when `tree` is neither kind of input, or `name` cannot be the name of a package, and PolicyError
    for a file that is no policy.conf.
    """
    if not is_name(name):
        raise UsageError("bad-package-name", f"`{name}` cannot be the name of a package", hint=NAME_RULE)
    if tree.is_file():
        packages: tuple[ImportedPackage, ...] = (_monolith(tree, name, version),)
    elif is_refpolicy(tree):
        packages = (_refpolicy(tree, name, version, split=split),)
    else:
        found = read_tree(tree, flask)
        packages = _split(found, name, version) if split else (_whole(found, name, version),)
    archives = [(package, package.archive()) for package in packages]
    return tuple(_write(output, package, archive) for package, archive in archives)


def _write(output: Path, package: ImportedPackage, archive: bytes) -> WrittenPackage:
    path = output / archive_name(package.name, package.version)
    make_folder(output)
    write_output(path, archive)
    return WrittenPackage(path, package.name, package.version, sha256_of(archive))


def read_tree(tree: Path, flask: Path | None = None) -> Tree:
    """Finds the sections of a Xen policy tree.

    `tree` is the `tools/flask/policy` folder, or the root of Xen's sources; `flask` is its `xen/xsm/flask/policy`,
    found beside it when not given.  Raises UsageError that names what is missing.
    """
    root = tree / "tools/flask/policy" if (tree / "tools/flask/policy").is_dir() else tree
    flask = flask or root / "../../../xen/xsm/flask/policy"
    if not (root / "policy").is_dir():
        hint = "pass Xen's tools/flask/policy folder, or a policy.conf or .cil file"
        raise UsageError("not-a-policy-tree", f"{tree} is not a policy tree: it has no folder `policy`", hint=hint)
    if not (flask / "security_classes").is_file():
        hint = "pass it with --flask-dir: it holds security_classes, initial_sids and access_vectors"
        raise UsageError("no-flask-dir", f"there is no xen/xsm/flask/policy beside {tree}", hint=hint)
    tables = (
        ("policy/flask/security_classes", flask / "security_classes"),
        ("policy/policy/security_classes", root / "policy/security_classes"),
        ("policy/flask/initial_sids", flask / "initial_sids"),
        ("policy/flask/access_vectors", flask / "access_vectors"),
        ("policy/policy/access_vectors", root / "policy/access_vectors"),
    )
    support = [*sorted((root / "policy/support").glob("*.spt")), root / "policy/mls"]
    return Tree(
        tuple(_existing(tables)),
        tuple(_relative(root, support)),
        tuple(_relative(root, [root / "policy/global_tunables"])),
        _modules(root),
        tuple(_relative(root, [root / "policy/users", root / "policy/constraints"])),
        tuple(_relative(root, [root / "policy/initial_sids", root / "policy/device_contexts"])),
    )


def _existing(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    return ((path, file) for path, file in files if file.is_file())


def _relative(root: Path, files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    return _existing((f"policy/{file.relative_to(root).as_posix()}", file) for file in files)


def _modules(root: Path) -> tuple[Module, ...]:
    """The enabled modules: in the order of modules.conf since 4.8, by path before."""
    new = root / "modules/modules.conf"
    conf = new if new.is_file() else root / "policy/modules.conf"
    if not conf.is_file():
        raise UsageError("no-modules-conf", f"there is no modules.conf in {root}")
    enabled = list(_enabled(conf.read_text(encoding="utf-8")))
    if conf == new:
        sources = [root / "modules" / f"{name}.te" for name in enabled]
    else:
        sources = [te for te in sorted((root / "policy/modules").glob("*/*.te")) if te.stem in enabled]
    for te in sources:
        if not te.is_file():
            raise UsageError("missing-module", f"{conf} enables `{te.stem}`, and there is no {te}")
    return tuple(
        Module(
            te.stem,
            tuple(_relative(root, [te.with_suffix(".if")])),
            tuple(_relative(root, [te])),
            tuple(_relative(root, [te.with_suffix(".cons")])),
        )
        for te in sources
    )


def _enabled(text: str) -> Iterator[str]:
    """Lines `name = on`, as the Makefile's awk reads them."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[2] == "on" and words[0][0].islower():
            yield words[0]


def _whole(tree: Tree, name: str, version: str) -> ImportedPackage:
    files = (
        *tree.tables,
        *tree.support,
        *(f for m in tree.modules for f in m.interfaces),
        *tree.tunables,
        *(f for m in tree.modules for f in m.rules),
        *tree.users,
        *(f for m in tree.modules for f in m.constraints),
        *tree.labels,
    )
    return ImportedPackage(name, version, "A policy tree, imported unchanged", files, macros=MACROS)


def _split(tree: Tree, name: str, version: str) -> tuple[ImportedPackage, ...]:
    """`NAME-tables`, a package for each module that requires those before it, and `NAME`, which requires them all.

    The interfaces of all modules are in the first: a module may use those of one that comes later.
    """
    interfaces = [f for m in tree.modules for f in m.interfaces]
    files = (*tree.tables, *tree.support, *interfaces, *tree.tunables)
    summary = "Classes, permissions and macros of an imported policy tree"
    packages = [ImportedPackage(f"{name}-tables", version, summary, files, macros=MACROS)]
    for module in tree.modules:
        own = f"{name}-{module_name(module.name)}"
        files = (*module.rules, *module.constraints)
        before = tuple(p.name for p in packages)
        packages.append(
            ImportedPackage(own, version, f"Module {module.name} of an imported policy tree", files, before, MACROS)
        )
    before = tuple(p.name for p in packages)
    everything = (*tree.users, *tree.labels)
    packages.append(
        ImportedPackage(name, version, "A policy tree, imported unchanged, in parts", everything, before, MACROS)
    )
    names = [p.name for p in packages]
    if len(set(names)) != len(names):
        double = next(n for n in names if names.count(n) > 1)
        raise UsageError("duplicate-module", f"two modules of the tree would both become package `{double}`")
    return tuple(packages)


def module_name(name: str) -> str:
    """A module's name brought to the name rule: lower case, anything else than letters and digits one hyphen."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split()
    return "-".join(words)


def _refpolicy(tree: Path, name: str, version: str, *, split: bool) -> ImportedPackage:
    if split:
        message = "a refpolicy-style tree is put together as a whole, and cannot be split into packages"
        raise UsageError("cannot-split", message, hint="leave out --split")
    files, macros = read_refpolicy(tree)
    summary = "A refpolicy-style policy tree, imported unchanged"
    return ImportedPackage(name, version, summary, files, macros=macros, dialect=DIALECT)


def _monolith(file: Path, name: str, version: str) -> ImportedPackage:
    """One package of a policy.conf or CIL file, which is read once so that nothing else is taken for one."""
    from polpkg.diagnostics import Source
    from polpkg.policy.syntax.cil import CilContext, read_cil
    from polpkg.policy.syntax.te import PlainText, parse_te
    from polpkg.policy.syntax.te.sections import find_disorder

    kind = "policy.cil" if file.suffix == ".cil" else "policy.conf"
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise PolicyError("not-utf-8", f"{file} is not UTF-8 at byte {error.start}, and no {kind}") from None
    source = Source(str(file), text)
    is_cil = kind == "policy.cil"
    statements, problems = read_cil((source,), CilContext(mls=True)) if is_cil else parse_te(PlainText(source))
    if problems := problems or (() if is_cil else find_disorder(statements)):
        raise PolicyError.of(problems)
    if not statements:
        raise PolicyError("empty-policy", f"{file} has no statement")
    return ImportedPackage(name, version, f"A {kind}, imported unchanged", ((f"policy/{kind}", file),))
