"""PXELINUX, SYSLINUX and EXTLINUX, which boot Xen with `mboot.c32`; modules are separated by `---`.

polpkg's entries are a block at the end of the configuration that boots the hypervisor already: kernel, ramdisk and
arguments are those of that entry.  There is no booting once and nothing is noticed after a panic, since the boot loader
can write nothing: the entry with the confirmed policy is chosen by a person (Syslinux wiki, "SYSLINUX", `DEFAULT`,
`MENU DEFAULT`; doc/syslinux.txt).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.targets.boot.configurations import (
    NETWORK_FOLDERS,
    beside,
    find_files,
    find_loader_files,
    is_same_file,
    read_text,
    statements,
    with_block,
    without_block,
)
from polpkg.targets.boot.network_tree import NetworkTree
from polpkg.targets.boot.path import BootFileContent, BootFinding, SetUp, add_options, why_not_enforced, xen_options
from polpkg.targets.layout import BOOT, POLICY_PREFIX, fallback_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

ID_PREFIX = "polpkg-xen-"
CONFIRMED = "-confirmed"


@dataclass(slots=True)
class Label:
    """An entry: what is between the words `LABEL` of a configuration."""

    name: str
    kernel: str = ""
    append: str = ""
    is_menu_default: bool = False

    @property
    def modules(self) -> list[str]:
        """What Xen gets, itself first, each with its arguments; empty when it does not boot modules."""
        is_multiboot = self.kernel.rpartition("/")[2] == "mboot.c32"
        return [each.strip() for each in re.split(r"(?:^|\s)---(?=\s|$)", self.append)] if is_multiboot else []

    @property
    def hypervisor(self) -> str:
        """What it calls the file that it boots first."""
        return next(iter(self.modules), "").partition(" ")[0]


@dataclass(slots=True)
class Menu:
    """The entries of a configuration, and the last `DEFAULT`: a label or a program."""

    labels: list[Label] = field(default_factory=list[Label])
    default: str = ""

    @property
    def chosen(self) -> Label | None:
        """The entry that boots when nobody chooses; None when it cannot be told."""
        named = [each for each in self.labels if each.name == self.default.partition(" ")[0]]
        marked = [each for each in self.labels if each.is_menu_default]
        return next(iter([*named, *marked[::-1], *self.labels]), None)


class PxelinuxBootPath(NetworkTree):
    """PXELINUX and its family: a tree that is served to other machines, or /boot/syslinux and /boot/extlinux."""

    name = "pxelinux"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """The block in each configuration, and the confirmed policies."""
        files: dict[str, BootFileContent] = {}
        notes: list[str] = []
        for path in find_loader_files(target, _is_configuration):
            text = read_text(target, path)
            menu = read_menu(without_block(text))
            boots = [(each, label) for each in served if (label := _entry(target, path, menu, each)) is not None]
            lines = [line for each, label in boots for line in _lines(each, label, menu)]
            if boots or without_block(text) != text:
                files[path] = BootFileContent(with_block(text, lines), is_last=True)
            fallbacks = {fallback_path(each.policy): each.fallback for each, _ in boots}
            files |= {place: BootFileContent(each) for place, each in fallbacks.items() if each is not None}
        return SetUp(files, tuple(notes))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """What each configuration boots by default, and entries without a policy."""
        for path in find_loader_files(target, _is_configuration):
            menu = read_menu(read_text(target, path))
            for each in served:
                if _entry(target, path, menu, each) is not None:
                    yield from _judge(target, path, menu, each)
        for path in find_files(target, NETWORK_FOLDERS, _is_configuration):
            for line in statements(read_text(target, path)):
                label = Label("", "mboot.c32", line.partition(" ")[2])
                if line.lower().startswith("append") and _names_xen(label.hypervisor) and not _names_policy(label):
                    yield _without_policy(path, label)


def _is_configuration(path: str) -> bool:
    return "/pxelinux.cfg/" in path or path.endswith(("/syslinux.cfg", "/isolinux.cfg", "/extlinux.conf"))


def read_menu(text: str) -> Menu:
    """The entries of a configuration; words are read as Syslinux does, without regard to case."""
    menu = Menu()
    for line in statements(text):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word.lower() == "default":
            menu.default = rest
        elif word.lower() == "label":
            menu.labels.append(Label(rest))
        elif menu.labels:
            _add(menu.labels[-1], word.lower(), rest)
    return menu


def _add(label: Label, word: str, rest: str) -> None:
    if word in ("kernel", "com32"):
        label.kernel = rest
    elif word == "append":
        label.append = rest
    elif word == "menu" and rest.lower() == "default":
        label.is_menu_default = True


def _entry(target: Target, path: str, menu: Menu, served: Served) -> Label | None:
    """The entry of somebody that boots a hypervisor: the default, or the first."""
    folder = path.rpartition("/")[0]
    folders = (folder, folder.rpartition("/")[0], "", BOOT)
    boots = [e for e in menu.labels if e.hypervisor and is_same_file(target, folders, e.hypervisor, served.hypervisor)]
    return menu.chosen if menu.chosen in boots else next(iter(boots), None)


def _lines(served: Served, label: Label, menu: Menu) -> Iterator[str]:
    """The block for one hypervisor."""
    policy = served.policy.rpartition("/")[2]
    name = ID_PREFIX + policy.removeprefix(POLICY_PREFIX)
    is_default = menu.chosen is label
    if is_default and (not menu.default or any(each.name == menu.default for each in menu.labels)):
        yield f"DEFAULT {name}"
    yield from _written(name, label, policy, served, is_default=is_default)
    if served.fallback is not None:
        below = fallback_path(served.policy).removeprefix(served.policy.rpartition("/")[0] + "/")
        yield from _written(name + CONFIRMED, label, below, served, is_default=False)


def _written(name: str, label: Label, policy: str, served: Served, *, is_default: bool) -> Iterator[str]:
    first, *rest = label.modules
    reference, _, said = first.partition(" ")
    options = add_options(said, xen_options(served.version))
    others = [module for module in rest if not module.rpartition("/")[2].startswith(POLICY_PREFIX)]
    yield f"LABEL {name}"
    if is_default:
        yield "  MENU DEFAULT"
    yield f"  KERNEL {label.kernel}"
    # The policy goes last: a Xen without FLASK takes the first module that it does not know for the ramdisk.
    yield f"  APPEND {' --- '.join((f'{reference} {options}', *others, beside(reference, policy)))}"


def _judge(target: Target, path: str, menu: Menu, served: Served) -> Iterator[BootFinding]:
    """Whether the default entry boots a hypervisor with its policy, when it boots that hypervisor."""
    chosen = menu.chosen
    if chosen is None or _entry(target, path, menu, served) is not chosen:
        message = f"{path} boots something else than {served.hypervisor} by default"
        yield BootFinding("boot-default-other", path, message, is_wrong=False)
        return
    last = chosen.modules[-1].partition(" ")[0]
    if last.rpartition("/")[2] != served.policy.rpartition("/")[2]:
        yield _without_policy(path, chosen)
    elif reason := why_not_enforced(chosen.modules[0].split()[1:], served.version):
        yield BootFinding("boot-default-other", path, f"the default of {path} does not enforce its policy: {reason}")


def _without_policy(path: str, label: Label) -> BootFinding:
    message = (
        f"{path} boots {label.hypervisor} without a policy: its last module has to be"
        f" `--- {beside(label.hypervisor, POLICY_PREFIX)}...`, after the ramdisk, and Xen's options"
        " xsm=flask flask=enforcing"
    )
    return BootFinding("pxelinux-without-policy", path, message, is_wrong=False)


def _names_xen(reference: str) -> bool:
    return re.match(r"xen[-.]|xen$", reference.rpartition("/")[2]) is not None


def _names_policy(label: Label) -> bool:
    return label.modules[-1].rpartition("/")[2].startswith(POLICY_PREFIX)
