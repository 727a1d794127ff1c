"""What hooks return: frozen values that a person can print and a test can compare.

Code stands behind most registrations.  It is named, not passed: `Component.implementation` is a reference such as
`polpkg_vmv.checks:creators`, as in an entry point, and is imported when it is first needed.  So asking every plugin
what it has costs next to nothing, and a plugin whose backend needs a missing library still offers its packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Component:
    """A named piece of code: a front end, backend, target, boot path, index kind, link check or command.

    `name` is what people type: lowercase letters and digits, joined by `-` or `.`; for a front end the suffix of its
    fragments without the dot; for a command the words after `polpkg`, `vmv admit`.  `summary` is one line without a
    full stop.
    `implementation` is `module:attribute`; what it must be is said by the hook that registers it.
    """

    name: str
    summary: str
    implementation: str

    def load(self) -> Any:
        """The object behind `implementation`.  Whatever the import raises is passed on."""
        from importlib import import_module

        module, _, attributes = self.implementation.partition(":")
        found: Any = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
        return found


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A directory whose subdirectories are packages, each with its `polpkg.toml`.

    All package sources together are the index `bundled`.  `name` is the owner's, usually that of its distribution.
    """

    name: str
    directory: Path

    def package_names(self) -> tuple[str, ...]:
        """The names of the package folders, sorted.  Raises `OSError` when the directory cannot be read."""
        return tuple(sorted(path.parent.name for path in self.directory.glob("*/polpkg.toml")))


class XlKey(Enum):
    """The option of `xl.cfg` that takes a label; see xl.cfg(5)."""

    SECLABEL = "seclabel"
    INIT_SECLABEL = "init_seclabel"
    DEVICE_MODEL = "device_model_stubdomain_seclabel"


@dataclass(frozen=True, slots=True)
class RoleLabel:
    """One label that every instance of a role has.

    `kind` says whose label it is: `domain` for the domP itself, `guest` for a domain it looks after.  `type` is the
    type's name with `$prefix` for the prefix of the instance and `$item` for the key of a table parameter; `each`
    names that parameter, and the label exists once per key.  `xl` is the option of `xl.cfg` that the label goes to,
    None for a domain that xl does not create.  `users` names a list parameter: where it has items the label exists once
    for each of them too, with the user `<prefix>_<item>_u`, which keeps domains of one type apart.  A
    label whose type a policy does not have, because an option is off, does not exist there.
    """

    kind: str
    type: str
    each: str = ""
    xl: XlKey | None = XlKey.SECLABEL
    users: str = ""

    def type_name(self, prefix: str, item: str = "") -> str:
        """The type for the instance with `prefix`, and with `each` for one `item` of it.

        >>> RoleLabel("guest", "$prefix_$item_t", each="guests").type_name("vmv_tenant_a", "web-1")
        'vmv_tenant_a_web_1_t'
        """
        return self.type.replace("$prefix", prefix).replace("$item", item.replace("-", "_"))


@dataclass(frozen=True, slots=True)
class Role:
    """What a domP is for, and the labels that an instance of it has.

    `name` is what a manifest says under `role`.
    """

    name: str
    summary: str
    labels: tuple[RoleLabel, ...] = (RoleLabel("domain", "$prefix_t"),)


@dataclass(frozen=True, slots=True)
class Veto:
    """A plugin's refusal of a plan; `reason` is one line, `hint` says what would make it acceptable."""

    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command of a plugin returns: `document` is printed with `--json`, `text` without it."""

    document: Mapping[str, object]
    text: str
    exit_code: int = 0
