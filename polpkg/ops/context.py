"""Builds what the use cases work with: plugins, indexes, stores, targets, backends.  Nothing else builds them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.errors import NetworkError, PolpkgError, TargetError, UsageError
from polpkg.packages.index.index import BUNDLED, PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from polpkg.diagnostics import Diagnostic
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.index.index import Index
    from polpkg.packages.lock import LockedPackage
    from polpkg.packages.manifest import Manifest
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement
    from polpkg.packages.source import PackageFiles
    from polpkg.packages.store import ArchiveStore
    from polpkg.plugin.manager import Plugins
    from polpkg.policy.backends.backend import Backend
    from polpkg.targets.target import Target

_LOCAL = frozenset((BUNDLED, PATH))
"""Indexes whose archives are at hand anyway, and are not copied to the store."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one command.

    `indexes`: those of the command line, by name.  `offline`: the network must not be used.  `say` tells a person what
    is being done, `warn` what is odd, `working_directory` is what paths in requirements are relative to.
    """

    indexes: Mapping[str, str] = field(default_factory=dict[str, str])
    offline: bool = False
    say: Callable[[str], None] = lambda _: None
    warn: Callable[[Iterable[Diagnostic]], None] = lambda _: None
    working_directory: Path = Path()

    def in_folder(self, folder: Path) -> Context:
        """The same surroundings, with paths relative to `folder`; paths that were typed are made absolute before."""
        indexes = {name: self._located(name, location) for name, location in self.indexes.items()}
        return replace(self, indexes=indexes, working_directory=folder)

    def locate(self, path: str) -> Path:
        """The full path of what is called `path` here."""
        return (self.working_directory / path).resolve()

    @cached_property
    def plugins(self) -> Plugins:
        """Everything that is registered."""
        from polpkg.plugin.manager import load_plugins

        plugins = load_plugins()
        self.warn(plugins.warnings())
        return plugins

    @cached_property
    def bundled(self) -> Index:
        """The packages that polpkg and its plugins bring along, as one index."""
        from polpkg.packages.index.directories import DirectoryIndex, package_directories

        folders = [f for source in self.plugins.package_sources for f in package_directories(source.directory)]
        return DirectoryIndex(BUNDLED, folders)

    def catalog(self, project: Project, requirements: Iterable[Requirement] = ()) -> Catalog:
        """The indexes of the command line, of `project`, and `bundled`, with the packages that paths name.

        Raises what opening an index raises.
        """
        from polpkg.packages.index.catalog import Catalog
        from polpkg.packages.index.opening import open_index

        indexes = [open_index(n, self._located(n, where), override=True) for n, where in self.indexes.items()]
        for name, setting in project.indexes.items():
            if name not in self.indexes:
                indexes.append(open_index(name, self._located(name, setting.location), trust=setting.trust))
        paths = dict(self._named_paths(requirements))
        return Catalog([*indexes, self.bundled], mapping=project.index_map, paths=paths)

    def _located(self, name: str, location: str) -> str:
        """Where an index is: a URL as it is, a directory relative to the working directory."""
        if self.offline and location.startswith(("http://", "https://")):
            raise NetworkError("offline", f"index {name} is on the network, and --offline forbids using it")
        return location if "://" in location else str(self.working_directory / location)

    def _named_paths(self, requirements: Iterable[Requirement]) -> Iterable[tuple[str, Index]]:
        from polpkg.packages.index.opening import open_path

        for requirement in requirements:
            if requirement.is_path:
                index = open_path(self.working_directory / requirement.path)
                for name in index.names():
                    yield name, index

    def named(self, requirement: Requirement) -> Requirement:
        """A path requirement with the name of the package that is there; any other as it is."""
        if not requirement.is_path or requirement.name:
            return requirement
        from polpkg.packages.index.opening import open_path

        names = open_path(self.working_directory / requirement.path).names()
        return requirement.named(names[0])

    def manifest_at(self, path: str) -> Manifest:
        """The manifest of the package directory or archive at `path`.  Raises UsageError and PolicyError."""
        from polpkg.packages.source import read_archive, read_manifest_in

        place = self.working_directory / path
        return read_manifest_in(place) if place.is_dir() else read_archive(place.read_bytes(), label=path).manifest

    @cached_property
    def store(self) -> ArchiveStore:
        """The archives that were fetched before."""
        from polpkg.packages.store import ArchiveStore, cache_directory

        return ArchiveStore(cache_directory())

    def fetch(self, package: LockedPackage, catalog: Catalog) -> PackageFiles:
        """A locked package: from the store or its index, with the digest that the lock demands.

        Raises TrustError when it is another, and ResolutionError when the index has the release no more.
        """
        from polpkg.packages.source import read_archive

        label = f"{package.name} {package.version}"
        if package.index in _LOCAL:
            return read_archive(self._from_index(package, catalog), expected_sha256=package.sha256, label=label)
        archive = self.store.get(package.sha256)
        if archive is None:
            self.say(f"fetching {label} from {package.index}")
            archive = self._from_index(package, catalog)
            read = read_archive(archive, expected_sha256=package.sha256, label=label)
            self.store.put(archive)
            return read
        return read_archive(archive, expected_sha256=package.sha256, label=label)

    def _from_index(self, package: LockedPackage, catalog: Catalog) -> bytes:
        for release in catalog.releases(package.name):
            if release.version == package.version:
                return catalog.fetch(release)
        raise PolpkgError(
            "release-gone",
            f"index {package.index} no longer has {package.name} {package.version}, which the lock names",
            hint="`polpkg upgrade` chooses another version",
        )

    def backend(self, name: str) -> Backend:
        """The backend called `name`, ready to use.

        Raises UsageError when there is none, and PolpkgError when the tool it needs is missing.
        """
        from polpkg.plugin.own import BACKENDS

        if name in BACKENDS:
            from importlib import import_module

            module, _, attribute = BACKENDS[name][1].partition(":")
            return getattr(import_module(module), attribute)()
        known = self.plugins.backends
        if name not in known:
            from polpkg.packages.names import did_you_mean

            hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            raise UsageError("unknown-backend", f"there is no backend `{name}`", hint=hint)
        return self.plugins.load(known[name])()

    def open_target(self, root: Path | None, image: Path | None, host: str | None, *, create: bool = False) -> Target:
        """The target that the options name; a tree that is not there is made when `create` is true."""
        if image is not None:
            raise TargetError("unsupported-target", "images are not supported yet", hint="use --root on a mounted tree")
        if host is not None:
            raise TargetError("unsupported-target", "hosts are not supported yet", hint="use --root DIR")
        if root is None:
            hint = "pass --root DIR: a directory tree such as a build root"
            raise TargetError("no-target", "this machine is not a Xen dom0 that polpkg can change yet", hint=hint)
        from polpkg.targets.tree import open_tree

        return open_tree(str(root), create=create)
