"""Where archives and derived data are kept between calls: by digest, written whole or not at all, checked when read.

What the use cases call:

`ArchiveStore(cache).obtain(sha256, fetch, label=...) -> bytes`
    The archive from the store, else from `fetch()`, which is then kept.  A damaged entry heals by being fetched again;
    when that fails the error names the entry.  `get`, `put` and `path` are the single steps.
`polpkg.packages.housekeeping`, for `polpkg cache`
    `cache_info(cache) -> tuple[CacheSection, ...]`: what is kept, how many, bytes, oldest and newest.
    `prune_cache(cache, *, now, keep=digests, unused_for=seconds, dry_run=False) -> Pruned`: removes what was not used
    for that long, and archives only when no lock names them: `keep` are the digests of the locks that the caller knows.
    `verify_cache(cache, *, remove=False) -> tuple[Damaged, ...]`: reads every entry and names those that are damaged.

The layout, each part with a version in its path so that versions of polpkg live side by side:

    <cache>/store/v1/sha256/<hex>      archives
    <cache>/store/v1/partial/<hex>     archives on their way (transport/partial.py)
    <cache>/index/v1/<sha256 of url>/  files of http indexes (transport/cache.py)
    <cache>/derived/<kind>-<version>/  what can be computed again
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from polpkg.errors import NetworkError, PolpkgError, TrustError, UsageError
from polpkg.packages.source import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

STORE_VERSION = "v1"
"""The layout of the store; in its path, so that versions live side by side."""

TEMPORARY_SUFFIX = ".tmp"
"""How the names of files end that are being written; a killed process may leave one, and nobody reads it."""

_NEW_SECONDS = 2.0


def cache_directory() -> Path:
    """Where polpkg keeps what it could get again: `POLPKG_CACHE`, or `polpkg` in the cache directory of the user.

    Raises `UsageError` (`no-home`) for a user who has none.
    """
    from pathlib import Path

    if own := os.environ.get("POLPKG_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "polpkg"
    except RuntimeError:
        raise UsageError(
            "no-home", "this user has no home directory, where the cache would be", hint="set POLPKG_CACHE or HOME"
        ) from None


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that readers see all of it or nothing; `durable` also outlives a power cut.

    A durable file that is replaced keeps its mode: who may read it was somebody's choice.  What a killed process left
    beside it is cleared away.  Raises `PolpkgError` (`cannot-write`).
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if durable:
            _clear_left_over(path)
        with temporary.open("wb") as file:
            _hold(file)
            if durable:
                _keep_mode(path, file)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        _remove(temporary)
        raise PolpkgError("cannot-write", f"{path} cannot be written: {error.strerror}") from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(temporary: Path) -> None:
    from contextlib import suppress

    with suppress(OSError):
        temporary.unlink()


def _hold(file: BinaryIO) -> bool:
    """Lock a file until it is closed; false when another process has it, or the file system has no locks."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _keep_mode(path: Path, file: BinaryIO) -> None:
    from stat import S_IMODE

    try:
        mode = S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    if mode != S_IMODE(os.fstat(file.fileno()).st_mode):  # some file systems know one mode, and refuse the call
        os.fchmod(file.fileno(), mode)


def _clear_left_over(path: Path) -> None:
    """Remove temporary files of `path` whose writers are no more: nobody holds them, and they are not brand-new."""
    from glob import escape
    from time import time

    for stray in path.parent.glob(f".{escape(path.name)}.*{TEMPORARY_SUFFIX}"):
        try:
            with stray.open("rb") as file:
                if time() - stray.stat().st_mtime > _NEW_SECONDS and _hold(file):
                    stray.unlink()
        except OSError:
            continue


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArchiveStore:
    """Archives by SHA-256, below `<cache>/store/v1/sha256/`.

    `on_unusable` is told, once, that something there cannot be read or written: because of permissions, or because the
    device is full.  Archives are then kept in memory.  Without it that is an error.
    """

    def __init__(self, cache: Path, on_unusable: Callable[[PolpkgError], None] | None = None) -> None:
        self._on_unusable = on_unusable
        self._told = False
        self._in_memory: dict[str, bytes] = {}
        self._folder = cache / "store" / STORE_VERSION / "sha256"
        self._partial = cache / "store" / STORE_VERSION / "partial"

    def partial_path(self, sha256: str) -> Path:
        """Where the archive with that digest is while it is being fetched."""
        return self._partial / sha256

    def path(self, sha256: str) -> Path:
        """Where the archive with that digest is, or would be."""
        return self._folder / sha256

    def holds(self, sha256: str) -> bool:
        """Whether there is an archive with that digest; it may be damaged."""
        return sha256 in self._in_memory or os.path.exists(self.path(sha256))  # noqa: PTH110 - denied counts as no

    def get(self, sha256: str) -> bytes | None:
        """The archive with that digest; None when it is not in the store.

        Raises `TrustError` (`store-corrupt`) when the file has another digest than its name says.
        """
        path = self.path(sha256)
        try:
            archive = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PolpkgError("cannot-read", f"{path} cannot be read: {error.strerror}") from error
        if sha256_of(archive) != sha256:
            raise TrustError(
                "store-corrupt",
                f"the archive {path} in the store is damaged",
                hint="remove the file; it will be fetched again",
            )
        return archive

    def obtain(self, sha256: str, fetch: Callable[[], bytes], *, label: str) -> bytes:
        """The archive with that digest: from the store, else from `fetch`, after which it is kept.

        An entry that is damaged is fetched again and replaced.  Raises `TrustError`: `store-corrupt`, naming the entry,
        when it cannot be; `digest-mismatch` when `fetch` hands out something else.  `label` names the archive.
        """
        damage: TrustError | None = None
        try:
            held = self._in_memory.get(sha256) or self.get(sha256)
        except TrustError as error:
            held, damage = None, error
        except PolpkgError as error:
            self._tell(error)
            held = None
        if held is not None:
            return held
        archive = fetch() if damage is None else _healed(fetch, damage)
        if sha256_of(archive) != sha256:
            raise TrustError("digest-mismatch", f"{label} has another digest than {sha256}, which is expected")
        self.put(archive)
        return archive

    def put(self, archive: bytes) -> str:
        """Keep `archive`; its digest.  A damaged file of that digest is replaced."""
        sha256 = sha256_of(archive)
        if not self._has_intact(sha256):
            try:
                write_atomically(self.path(sha256), archive)
            except PolpkgError as error:
                self._tell(error)
                self._in_memory[sha256] = archive
        return sha256

    def _has_intact(self, sha256: str) -> bool:
        try:
            return self.get(sha256) is not None
        except PolpkgError:
            return False

    def _tell(self, error: PolpkgError) -> None:
        if self._on_unusable is None:
            raise error
        if not self._told:
            self._told = True
            self._on_unusable(error)


def _healed(fetch: Callable[[], bytes], damage: TrustError) -> bytes:
    """What `fetch` hands out in place of a damaged entry."""
    try:
        return fetch()
    except NetworkError as error:
        raise TrustError(damage.code, f"{damage.message}, and {error.message}", hint=damage.hint) from error


class DerivedStore:
    """Data that were computed and can be computed again, by the digest of what they were computed from.

    `kind` and `version` are in the path: a new version of the code that computes them never sees old data.  A damaged
    entry counts as absent.
    """

    def __init__(self, cache: Path, kind: str, version: str) -> None:
        self._folder = cache / "derived" / f"{kind}-{version}"

    def path(self, key: str) -> Path:
        """Where the entry for `key`, a digest in hexadecimal, is or would be."""
        return self._folder / key[:2] / key

    def get(self, key: str) -> bytes | None:
        """The data kept for `key`; None when there are none, or they are damaged."""
        try:
            return read_derived(self.path(key).read_bytes())
        except OSError:
            return None

    def get_own(self, key: str) -> bytes | None:
        """As `get`, but only what this user wrote and nobody else can write: for data that decide what is allowed.

        Their digest tells damage, and not who wrote them.
        """
        try:
            with self.path(key).open("rb") as file:
                status = os.fstat(file.fileno())
                is_own = status.st_uid == os.geteuid() and not status.st_mode & 0o022
                return read_derived(file.read()) if is_own else None
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` for `key`.  Raises `PolpkgError` (`cannot-write`)."""
        from hashlib import sha256

        path = self.path(key)
        write_atomically(path, sha256(data).digest() + data, durable=False)
        try:
            path.chmod(0o600)
        except OSError as error:
            raise PolpkgError("cannot-write", f"{path} cannot be written: {error.strerror}") from error


def read_derived(stored: bytes) -> bytes | None:
    """The data that a `DerivedStore` kept as the bytes `stored`: their digest, then they; None when it differs."""
    from hashlib import sha256

    digest, data = stored[:32], stored[32:]
    return data if sha256(data).digest() == digest else None
