"""What a package says about itself: the values of its `polpkg.toml` (DESIGN.md 4).

`polpkg.packages.manifest_reader` reads them from text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from polpkg.packages.requirement import Requirement, canonical_specifier

if TYPE_CHECKING:
    from collections.abc import Mapping

ParameterValue: TypeAlias = tuple[str, ...] | str | bool | int
"""What a parameter can hold: item names or types, a string, true or false, a whole number."""


class ParameterType(Enum):
    """What kind of value a parameter takes."""

    TABLE = "table"
    LIST = "list"
    TYPES = "types"
    PCI = "pci"
    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"

    @property
    def is_several(self) -> bool:
        """Whether the value is a sequence of names."""
        return self in (ParameterType.TABLE, ParameterType.LIST, ParameterType.TYPES, ParameterType.PCI)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an instance.

    A `table` declares items, each of which becomes a type `<prefix>_<item>_t`; `list` is names, `types` names types
    that others declare and that the instance claims as its clients, `pci` is PCI functions, `0000:03:00.0`.  `each` is
    the macro that is called as `each(<prefix>, <item>)` for every one of them.  `choices`: what a string or an item of
    a list may be, where not everything may.
    """

    name: str
    type: ParameterType
    default: ParameterValue
    each: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceTemplate:
    """How one instance becomes policy: `template(<prefix>)`, then what each parameter calls."""

    template: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])


@dataclass(frozen=True, slots=True)
class Option:
    """A part of a package that is off unless asked for: requirements, fragments, other defaults of its booleans."""

    name: str
    requires: Mapping[str, str] = field(default_factory=dict[str, str])
    fragments: tuple[str, ...] = ()
    booleans: Mapping[str, bool] = field(default_factory=dict[str, bool])
    help: str = ""


@dataclass(frozen=True, slots=True)
class Functions:
    """What a package has to do with privileged functions.

    `provides` is claimed for the clients of its instances; when `clients` is `*`, for every client by the instances
    that name none.  `guests` are the client types that the package itself declares, besides the items of its instances.
    `is_held` is false for a package that takes its functions away from everybody.
    """

    provides: tuple[str, ...] = ()
    clients: str = ""
    guests: tuple[str, ...] = ()
    is_held: bool = True


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of a `polpkg.toml`.

    `xen` is the specifier of hypervisor releases, `own_abi` is true for an imported tree that keeps its own tables,
    `fragment_order` is empty unless the package fixes the order of its fragments, `macros` are predefined for them,
    `dialect` is `refpolicy` for a tree whose fragments are put together as refpolicy's are.
    """

    name: str
    version: str
    summary: str = ""
    license: str = ""
    role: str = ""
    owns: tuple[str, ...] = ()
    requires: Mapping[str, str] = field(default_factory=dict[str, str])
    xen: str = ""
    own_abi: bool = False
    functions: Functions = field(default_factory=Functions)
    conflicts: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, Option] = field(default_factory=dict[str, Option])
    instance: InstanceTemplate | None = None
    assertions: Mapping[str, str] = field(default_factory=dict[str, str])
    macros: Mapping[str, str] = field(default_factory=dict[str, str])
    fragment_order: tuple[str, ...] = ()
    dialect: str = ""

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What the package requires whatever its options, by name."""
        return tuple(Requirement(name, canonical_specifier(spec)) for name, spec in sorted(self.requires.items()))

    def fragments(self, files: Mapping[str, object], options: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The fragments among `files` that are read when `options` are on, in reading order.

        That is `fragment_order` where the package fixes one, else every `policy/*.{if,te,cons,cil}` by name; without
        those that belong to options which are off.
        """
        off = {path for option in self.options.values() if option.name not in options for path in option.fragments}
        order = self.fragment_order or sorted(path for path in files if is_fragment(path))
        return tuple(path for path in order if path not in off)


FRAGMENT_SUFFIXES = (".if", ".te", ".cons", ".cil")
"""What the names of policy fragments end in."""


def is_fragment(path: str) -> bool:
    """Whether `path` in a package is a policy fragment: a file directly in `policy/` with a suffix of those."""
    folder, _, name = path.rpartition("/")
    return folder == "policy" and name.endswith(FRAGMENT_SUFFIXES)
