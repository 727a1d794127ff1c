"""What a target has, as far as a plan has to know it: read once, so that the comparison itself touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.targets.document import digest
from polpkg.targets.generations import Marks, generation_numbers, read_marks, usable_generation
from polpkg.targets.layout import PROJECT, PROJECT_LOCK, SYSTEM_FILES
from polpkg.targets.receipt import Receipt

if TYPE_CHECKING:
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


@dataclass(frozen=True, slots=True)
class PresentState:
    """What a target has.

    `receipt`: of the current generation.  `numbers`: all generations.  `digests`: of each file outside the generations
    that a plan may touch, by path; a file that does not exist is not in it.  `sizes`: of the same.  `hypervisors`: the
    hypervisor files of the receipt that still exist.
    """

    receipt: Receipt | None = None
    numbers: tuple[int, ...] = ()
    marks: Marks = field(default_factory=Marks)
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    hypervisors: frozenset[str] = frozenset()


def read_present(target: Target, wanted: WantedState) -> PresentState:
    """What `target` has where `wanted` would change it.  Raises TargetError."""
    receipt = usable_generation(target)
    paths = {
        PROJECT,
        PROJECT_LOCK,
        *SYSTEM_FILES,
        *(boot.path for each in wanted.artifacts for boot in each.boot_files),
    }
    known = receipt.hypervisors if receipt else ()
    found = _read_files(target, paths | set(receipt.boot_files if receipt else ()))
    return PresentState(
        receipt,
        generation_numbers(target),
        read_marks(target),
        {path: digest(content) for path, content in found.items()},
        {path: len(content) for path, content in found.items()},
        frozenset(hypervisor.path for hypervisor, _ in known if target.stat(hypervisor.path)),
    )


def _read_files(target: Target, paths: Iterable[str]) -> dict[str, bytes]:
    return {path: target.read(path) for path in sorted(paths) if target.stat(path)}
