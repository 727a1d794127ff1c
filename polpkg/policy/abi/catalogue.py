"""The tables of the known Xen releases, from the files in `data/` that `polpkg.policy.abi.generate` maintains.

One table is one small file, read when it is asked for; the list of versions is another.  Nothing is read on import.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.policy.abi.model import Abi, parse_table, version_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.policy.abi.difference import Difference

DATA = Path(__file__).with_name("data")
RELEASES = "releases.txt"

_HEADER = """\
# Known Xen versions: version, fingerprint of its ABI, oldest and newest policydb version that the
# hypervisor reads, and those that Xen's own build makes.  Written by polpkg.policy.abi.generate.
"""


class Release(NamedTuple):
    """One known version of Xen.

    `policydb_min` and `policydb_max` bound what the hypervisor parses, `policydb_built` is what Xen's build makes.
    """

    version: str
    fingerprint: str
    policydb_min: int
    policydb_max: int
    policydb_built: tuple[int, ...]

    @property
    def series(self) -> str:
        """The release that this is a point release of: "4.18" of "4.18.3"."""
        return self.version.rpartition(".")[0]


@cache
def read_releases() -> tuple[Release, ...]:
    """Every known version, oldest first."""
    return parse_releases((DATA / RELEASES).read_text(encoding="ascii"))


def parse_releases(text: str) -> tuple[Release, ...]:
    """What `render_releases` wrote.  Raises ValueError for a line of another form."""
    return tuple(_parse_release(line) for line in text.splitlines() if not line.startswith("#"))


def render_releases(releases: Iterable[Release]) -> str:
    """One line for each version, oldest first."""
    ordered = sorted(releases, key=lambda release: version_numbers(release.version))
    lines = (f"{r[0]} {r[1]} {r[2]} {r[3]} {','.join(map(str, r.policydb_built))}\n" for r in ordered)
    return _HEADER + "".join(lines)


def table_file(fingerprint: str) -> str:
    """The file with the table that has this fingerprint, below `DATA`."""
    return f"tables/{fingerprint[:12]}.txt"


def known_versions() -> tuple[str, ...]:
    """The full versions of every known release, oldest first."""
    return tuple(release.version for release in read_releases())


def find_release(version: str) -> Release:
    """The known version that `version` means: itself, or for a release such as "4.18" its newest point release.

    Raises UsageError `unknown-xen-release`, with the nearest known ones in the hint.
    """
    for release in reversed(read_releases()):
        if version in {release.version, release.series}:
            return release
    raise UsageError(
        "unknown-xen-release", f"Xen {version or '(empty)'} is not a known release", hint=_nearest_versions(version)
    )


def load_abi(version: str) -> Abi:
    """The ABI of a release ("4.17": its newest known point release) or of a full version ("4.18.3").

    Raises UsageError as `find_release` does.
    """
    release = find_release(version)
    return _load_table(release.fingerprint, release.version)


def find_abi(fingerprint: str) -> Abi | None:
    """The known table with this fingerprint, as the newest version that has it; None when there is none."""
    versions = versions_of(fingerprint)
    return _load_table(fingerprint, versions[-1]) if versions else None


def versions_of(fingerprint: str) -> tuple[str, ...]:
    """The full versions that have the table with this fingerprint, oldest first; empty when it is not known."""
    return tuple(release.version for release in read_releases() if release.fingerprint == fingerprint)


def known_tables() -> tuple[Abi, ...]:
    """Every distinct known table, oldest first, each as the newest version that has it."""
    newest = {release.fingerprint: release.version for release in read_releases()}
    return tuple(_load_table(fingerprint, version) for fingerprint, version in newest.items())


def nearest(abi: Abi) -> tuple[str, Difference]:
    """The known version whose table differs least from `abi`, and what is different in `abi`.

    Of several, the newest of the series nearest to the version of `abi`, or simply the newest when that is not known.
    """
    from polpkg.policy.abi.difference import difference

    differences = {known.fingerprint: difference(known, abi) for known in known_tables()}
    best = min(
        reversed(read_releases()), key=lambda release: (len(differences[release.fingerprint]), _distance(release, abi))
    )
    return best.version, differences[best.fingerprint]


def versions_with(class_name: str, permission: str | None = None) -> tuple[str, ...]:
    """The known versions that have a class, or a permission of it, oldest first."""
    having = {known.fingerprint for known in known_tables() if _has(known, class_name, permission)}
    return tuple(release.version for release in read_releases() if release.fingerprint in having)


def since(class_name: str, permission: str | None = None) -> str | None:
    """The lowest known version that has the class or permission; None when none has.

    Later point releases of an older series may have got it too, and early ones of a newer series may lack it:
    `describe_availability` tells the whole story.
    """
    return next(iter(versions_with(class_name, permission)), None)


def until(class_name: str, permission: str | None = None) -> str | None:
    """The highest known version that has it; None when none has, and when the newest known version still has it."""
    versions = versions_with(class_name, permission)
    return versions[-1] if versions and versions[-1] != read_releases()[-1].version else None


def describe_availability(class_name: str, permission: str | None = None) -> str:
    """When a class or permission exists, to end a sentence: "since Xen 4.18.5, but not in 4.19.0 to 4.19.1".

    "in no known version of Xen" when there is none.
    """
    having = versions_with(class_name, permission)
    if not having:
        return "in no known version of Xen"
    known = known_versions()
    first, last = known.index(having[0]), known.index(having[-1])
    begin = f"since Xen {having[0]}" if last == len(known) - 1 else f"in Xen {_span(having[0], having[-1])}"
    lacking = [version for version in known[first : last + 1] if version not in having]
    return begin + (f", but not in {render_versions(lacking)}" if lacking else "")


def render_versions(versions: Sequence[str]) -> str:
    """Known versions for people, neighbours put together: "4.17.0 to 4.18.2, 4.20.1"."""
    known = known_versions()
    runs: list[list[str]] = []
    for version in versions:
        if runs and known.index(version) == known.index(runs[-1][-1]) + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(_span(run[0], run[-1]) for run in runs)


def _parse_release(line: str) -> Release:
    version, fingerprint, oldest, newest, built = line.split()
    return Release(version, fingerprint, int(oldest), int(newest), tuple(int(number) for number in built.split(",")))


@cache
def _load_table(fingerprint: str, version: str) -> Abi:
    return parse_table((DATA / table_file(fingerprint)).read_text(encoding="ascii"), version)


def _has(abi: Abi, class_name: str, permission: str | None) -> bool:
    return abi.has_class(class_name) if permission is None else abi.has_permission(class_name, permission)


def _distance(release: Release, abi: Abi) -> tuple[int, ...]:
    """How far apart the series are; point releases do not count."""
    return tuple(abs(a - b) for a, b in zip(version_numbers(release.series), abi.version_numbers, strict=False))


def _nearest_versions(version: str) -> str:
    wanted = version_numbers(version)
    known = known_versions()
    if not wanted:
        return f"known are {known[0]} to {known[-1]}; a hypervisor file is accepted too"
    older = [v for v in known if version_numbers(v) <= wanted][-1:]
    newer = [v for v in known if version_numbers(v) > wanted][:1]
    return f"nearest known: {', '.join(older + newer)}; a hypervisor file is accepted too"


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
