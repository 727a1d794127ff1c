"""iPXE: a script with `kernel` and then a `module` or `initrd` for each file; x86 only.

polpkg writes a script of its own, `polpkg.ipxe`, beside the one that boots the hypervisor already, from which it has
kernel, ramdisk and arguments; somebody's script has to `chain` it.  What cannot be fetched or started leads on to the
confirmed policy (`||`, iPXE's scripting page); a panic does not, since iPXE can write nothing.  iPXE does not
decompress the modules, nor, as it is usually built, the hypervisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.boot.configurations import (
    NETWORK_FOLDERS,
    beside,
    find_files,
    find_loader_files,
    is_same_file,
    read_text,
    statements,
)
from polpkg.targets.boot.network_tree import NetworkTree
from polpkg.targets.boot.path import BootFileContent, BootFinding, SetUp, add_options, xen_options
from polpkg.targets.layout import BOOT, IPXE_SCRIPT, POLICY_PREFIX, fallback_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

_LOADS = ("kernel", "imgload", "imgselect")
_MODULES = ("module", "initrd", "imgfetch")


class _Script(NamedTuple):
    """What a script boots: words after `kernel`, and of each module, options such as `--name` left out."""

    path: str
    kernel: tuple[str, ...]
    modules: tuple[tuple[str, ...], ...]


class IpxeBootPath(NetworkTree):
    """iPXE: the same tree and the same names of policies as PXELINUX's."""

    name = "ipxe"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """The script, and the confirmed policies."""
        files: dict[str, BootFileContent] = {}
        notes: list[str] = []
        for each in served:
            script = next(_scripts_for(target, each), None)
            if script is None:
                continue
            path = f"{script.path.rpartition('/')[0]}/{IPXE_SCRIPT}"
            if path in files:
                notes.append(f"{each.hypervisor} has no script of polpkg for iPXE: {path} boots another one")
                continue
            files[path] = BootFileContent(_render(each, script).encode("latin-1"), is_last=True)
            if each.fallback is not None:
                files[fallback_path(each.policy)] = BootFileContent(each.fallback)
            if script.kernel[0].endswith(".gz"):
                notes.append(f"iPXE as it is usually built boots no {script.kernel[0]}: give it the file unpacked")
            if not _is_chained(target, path):
                notes.append(f"{script.path} does not boot the policy yet: have it say `chain {IPXE_SCRIPT}`")
        return SetUp(files, tuple(notes))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Scripts that boot Xen without a policy, and a script of polpkg's that nobody uses."""
        for each in served:
            for script in _scripts_for(target, each):
                if not _is_chained(target, f"{script.path.rpartition('/')[0]}/{IPXE_SCRIPT}"):
                    message = f"{script.path} does not `chain {IPXE_SCRIPT}`, which boots {each.policy}"
                    yield BootFinding("ipxe-not-chained", script.path, message, is_wrong=not _has_policy(script, each))
        for path in find_files(target, (*NETWORK_FOLDERS, BOOT), lambda name: name.endswith(".ipxe")):
            script = _read(target, path)
            if script.kernel and script.kernel[0].rpartition("/")[2].startswith("xen") and not _has_policy(script):
                message = (
                    f"{path} boots {script.kernel[0]} without a policy: its last line before `boot` has to be"
                    f" `module {POLICY_PREFIX}...`, and Xen's options xsm=flask flask=enforcing; iPXE does not"
                    " decompress it"
                )
                yield BootFinding("ipxe-without-policy", path, message, is_wrong=False)


def _scripts_for(target: Target, served: Served) -> Iterator[_Script]:
    """Somebody's scripts that boot a hypervisor."""
    for path in find_loader_files(target, lambda name: name.endswith(".ipxe")):
        folder, _, name = path.rpartition("/")
        script = _read(target, path)
        boots = script.kernel and is_same_file(target, (folder, ""), script.kernel[0], served.hypervisor)
        if boots and name != IPXE_SCRIPT:
            yield script


def _read(target: Target, path: str) -> _Script:
    kernel: tuple[str, ...] = ()
    modules: list[tuple[str, ...]] = []
    for line in statements(read_text(target, path)):
        command, *words = line.split()
        plain = tuple(_plain(words))
        if command in _LOADS and plain:
            kernel, modules = plain, []
        elif command in _MODULES and plain:
            modules.append(plain)
    return _Script(path, kernel, tuple(modules))


def _plain(words: Sequence[str]) -> Iterator[str]:
    """The words of a command without what comes before the file, and without what is done when it fails."""
    rest = iter(words)
    for word in rest:
        if word in ("--name", "-n", "--timeout", "-t"):
            next(rest, None)
        elif not word.startswith("--"):
            yield word
            break
    for word in rest:
        if word in ("||", "&&"):
            return
        yield word


def _render(served: Served, script: _Script) -> str:
    lines = ["#!ipxe", "# Written by polpkg, and made again with every change."]
    policy = served.policy.rpartition("/")[2]
    if served.fallback is None:
        return "\n".join((*lines, *_boot(served, script, policy, ""), ""))
    confirmed = fallback_path(served.policy).removeprefix(served.policy.rpartition("/")[0] + "/")
    lines += ["# `set polpkg confirmed` before it is chained boots the policy that was confirmed last."]
    lines += ["iseq ${polpkg} confirmed && goto confirmed ||"]
    lines += [*_boot(served, script, policy, " || goto confirmed"), ":confirmed"]
    return "\n".join((*lines, *_boot(served, script, confirmed, ""), ""))


def _boot(served: Served, script: _Script, policy: str, otherwise: str) -> Iterator[str]:
    reference, *said = script.kernel
    yield "imgfree"
    yield f"kernel {reference} {add_options(' '.join(said), xen_options(served.version))}{otherwise}"
    for module in script.modules:
        if not module[0].rpartition("/")[2].startswith(POLICY_PREFIX):
            yield f"module {' '.join(module)}{otherwise}"
    yield f"module {beside(reference, policy)}{otherwise}"
    yield f"boot{otherwise}"


def _is_chained(target: Target, path: str) -> bool:
    """Whether a script in the same folder leads on to polpkg's."""
    folder = path.rpartition("/")[0]
    others = find_files(target, (folder,), lambda name: name.endswith(".ipxe") and name != path, depth=0)
    return any(IPXE_SCRIPT in line for other in others for line in statements(read_text(target, other)))


def _has_policy(script: _Script, served: Served | None = None) -> bool:
    last = script.modules[-1][0].rpartition("/")[2] if script.modules else ""
    return last == served.policy.rpartition("/")[2] if served else last.startswith(POLICY_PREFIX)
