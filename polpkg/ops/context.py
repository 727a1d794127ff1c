"""Builds what the use cases work with: plugins, indexes, stores, targets, backends.  Nothing else builds them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polpkg.errors import PolpkgError, TrustError, UsageError
from polpkg.packages.index.index import BUNDLED, PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from polpkg.diagnostics import Diagnostic
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.index.index import Index
    from polpkg.packages.index.release import Release
    from polpkg.packages.lock import LockedPackage
    from polpkg.packages.project import IndexSetting, Project
    from polpkg.packages.requirement import Requirement
    from polpkg.packages.source import PackageFiles
    from polpkg.packages.store import ArchiveStore
    from polpkg.packages.transport.settings import NetworkSettings, Progress
    from polpkg.plugin.manager import Plugins
    from polpkg.policy.backends.backend import Backend
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.target import Target

_LOCAL = frozenset((BUNDLED, PATH))
"""Indexes whose archives are at hand anyway, and are not copied to the store."""

_AT_ONCE = 8
"""How many archives are fetched at the same time."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one command.

    `indexes`: those of the command line, by name.  `offline`: the network must not be used.  `say` tells a person what
    is being done, `warn` what is odd, `progress` how far the download of an archive is; `working_directory` is what
    paths in requirements are relative to.
    """

    indexes: Mapping[str, str] = field(default_factory=dict[str, str])
    offline: bool = False
    say: Callable[[str], None] = lambda _: None
    warn: Callable[[Iterable[Diagnostic]], None] = lambda _: None
    working_directory: Path = Path()
    progress: Progress | None = None

    def tell(self, text: str) -> None:
        """Say something about the target that nobody should miss, and that is no error: `--quiet` does not hide it."""
        from polpkg.diagnostics import Diagnostic, Severity

        self.warn([Diagnostic("target-state", text, severity=Severity.WARNING)])

    def in_folder(self, folder: Path) -> Context:
        """The same surroundings, with paths relative to `folder`; paths that were typed are made absolute before."""
        indexes = {name: self.located(location) for name, location in self.indexes.items()}
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

        paths = dict(self._named_paths(requirements))
        return Catalog([*self.open_indexes(project), self.bundled], mapping=project.index_map, paths=paths)

    def open_indexes(self, project: Project) -> list[Index]:
        """The indexes of the command line, then those of `project` whose names the command line does not have.

        An index of the command line is trusted as policy.toml says of the index with its name.
        """
        settings = dict(project.indexes)
        named = [self._opened(n, where, settings.pop(n, None), override=True) for n, where in self.indexes.items()]
        return [*named, *(self._opened(n, setting.location, setting) for n, setting in settings.items())]

    def _opened(self, name: str, location: str, setting: IndexSetting | None, *, override: bool = False) -> Index:
        from polpkg.packages.index.opening import open_index

        return open_index(
            name,
            self.located(location),
            trust=setting.trust if setting else "",
            override=override,
            ca_file=str(self.working_directory / setting.ca_file) if setting and setting.ca_file else "",
            network=self.network,
        )

    def located(self, location: str) -> str:
        """Where an index is: a URL as it is, a directory relative to the working directory."""
        return location if "://" in location else str(self.working_directory / location)

    @cached_property
    def network(self) -> NetworkSettings:
        """How the indexes may use the network."""
        from polpkg.packages.transport.settings import NetworkSettings

        return NetworkSettings(offline=self.offline, progress=self.progress)

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

    def package_at(self, path: str) -> PackageFiles:
        """The package in the directory or archive at `path`.  Raises UsageError, TrustError and PolicyError."""
        from polpkg.packages.source import read_archive, read_package_directory

        place = self.working_directory / path
        return read_archive(place.read_bytes(), label=path) if place.is_file() else read_package_directory(place)

    @cached_property
    def store(self) -> ArchiveStore:
        """The archives that were fetched before."""
        from polpkg.packages.store import ArchiveStore, cache_directory

        return ArchiveStore(cache_directory(), self._warn_of_cache)

    def _warn_of_cache(self, error: PolpkgError) -> None:
        from polpkg.diagnostics import Diagnostic, Severity

        hint = "archives are not kept for the next time; POLPKG_CACHE names another directory for them"
        self.warn([Diagnostic("cache-unusable", error.message, hint=hint, severity=Severity.WARNING)])

    def fetch(self, package: LockedPackage, catalog: Catalog) -> PackageFiles:
        """A locked package: from the store, where a damaged archive is fetched again, else from its index.

        Raises TrustError when it is another than the lock demands or than the index says, and PolpkgError
        `release-gone` when the index has the release no more.
        """
        return self._checked(package, self._archive(package, catalog), catalog)

    def archive(self, package: LockedPackage, catalog: Catalog) -> bytes:
        """The bytes of a locked package, which `fetch` would accept."""
        archive = self._archive(package, catalog)
        self._checked(package, archive, catalog)
        return archive

    def _checked(self, package: LockedPackage, archive: bytes, catalog: Catalog) -> PackageFiles:
        """The package in an archive, compared with its lock, and with its index where that was asked already."""
        from polpkg.packages.contradictions import check_against_lock, check_against_release
        from polpkg.packages.source import read_archive

        files = read_archive(archive, expected_sha256=package.sha256, label=str(package))
        release = catalog.seen(package.name, package.version)
        if release is not None and release.sha256 == package.sha256:
            check_against_release(files.manifest, release)
        check_against_lock(files.manifest, package)
        return files

    def _archive(self, package: LockedPackage, catalog: Catalog) -> bytes:
        if package.index in _LOCAL:
            return self._local_archive(package, catalog)
        try:
            return self.store.obtain(package.sha256, lambda: self._from_index(package, catalog), label=str(package))
        except PolpkgError as error:
            if error.code == "release-gone":
                self.store.get(package.sha256)  # when it is there and damaged, that is what to tell
            raise

    def _local_archive(self, package: LockedPackage, catalog: Catalog) -> bytes:
        """An archive that is at hand, which the store keeps for the time when it has changed: a lock means the bytes
        that it was made with, also after an upgrade of polpkg or an edit of the package.
        """
        from polpkg.packages.source import sha256_of

        if self.store.holds(package.sha256):
            return self.store.obtain(package.sha256, lambda: self._from_index(package, catalog), label=str(package))
        archive = self._from_index(package, catalog)
        if sha256_of(archive) != package.sha256:
            raise TrustError(
                "digest-mismatch",
                f"{package} of `{package.index}` is not what the lock was made with",
                hint="`polpkg upgrade` takes what is there now",
            )
        self.store.put(archive)
        return archive

    def fetch_missing(self, packages: Iterable[LockedPackage], catalog: Catalog) -> None:
        """Bring the archives of `packages` that are not there yet into the store, several at a time."""
        missing = [p for p in packages if p.index not in _LOCAL and not self.store.holds(p.sha256)]
        catalog.prefetch(tuple(package.name for package in missing))
        if len(missing) > 1:
            from polpkg.ops.at_once import do_at_once

            for package in missing:
                self._release_of(package, catalog)
            do_at_once(lambda package: self._archive(package, catalog), missing, threads=_AT_ONCE)

    def _from_index(self, package: LockedPackage, catalog: Catalog) -> bytes:
        release = self._release_of(package, catalog)
        if package.index not in _LOCAL:
            self.say(f"fetching {package.name} {package.version} from {release.index}")
        return catalog.fetch(release)

    def _release_of(self, package: LockedPackage, catalog: Catalog) -> Release:
        for release in catalog.releases(package.name):
            if release.version == package.version:
                return release
        if catalog.home(package.name) is None:
            raise PolpkgError(
                "release-gone",
                f"no index at hand has {package}, which the lock takes from `{package.index}`",
                hint=f"`--index {package.index}=DIR` or `polpkg index add` says where that index is",
            )
        raise PolpkgError(
            "release-gone",
            f"the index {package.index} has {package} no more, which the lock names",
            hint="`polpkg upgrade` chooses another version",
        )

    def backend(self, name: str) -> Backend:
        """The backend called `name`, ready to use.

        Raises UsageError when there is none, and PolpkgError when the tool it needs is missing.
        """
        from polpkg.plugin.own import BACKENDS

        if name in BACKENDS:
            return _own(BACKENDS[name])()
        known = self.plugins.backends
        if name not in known:
            from polpkg.packages.names import did_you_mean

            hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            raise UsageError("unknown-backend", f"there is no backend `{name}`", hint=hint)
        return self.plugins.load(known[name])()

    def boot_paths(self) -> tuple[BootPath, ...]:
        """Every way to boot that is registered, polpkg's own first."""
        return tuple(self.plugins.load(component)() for component in self.plugins.boot_paths.values())

    def open_target(
        self,
        root: Path | None,
        image: Path | None,
        host: str | None,
        *,
        create: bool = False,
        partition: int | None = None,
    ) -> Target:
        """The target that the options name; a tree that is not there is made when `create` is true.

        `partition`: the one of the image that is its root, when there are several.
        """
        if image is not None:
            from polpkg.targets.image.target import open_image

            return open_image(str(image), partition=partition, progress=self.progress)
        if host is not None:
            return self._open_host(host)
        if root is None:
            from polpkg.targets.host.open import open_default_host

            return open_default_host()
        from polpkg.targets.tree import open_tree

        return open_tree(str(root), create=create)

    def _open_host(self, address: str) -> Target:
        from polpkg.plugin.own import TARGETS

        scheme = address.partition("://")[0]
        if scheme in TARGETS and scheme not in {"tree", "image"}:
            return _own(TARGETS[scheme])(address)
        known = {name: found for name, found in self.plugins.targets.items() if name not in TARGETS}
        if scheme not in known:
            hint = f"plugins know {', '.join(f'{name}://...' for name in sorted(known))}" if known else ""
            raise UsageError(
                "unknown-host-kind", f"--host {address}: expected local or ssh://[user@]host[:port]", hint=hint
            )
        return self.plugins.load(known[scheme])(address)


def _own(row: tuple[str, str]) -> Any:
    """What a row of polpkg's own tables names, without looking for plugins."""
    from importlib import import_module

    module, _, attribute = row[1].partition(":")
    return getattr(import_module(module), attribute)
