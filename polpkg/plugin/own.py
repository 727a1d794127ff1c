"""polpkg's own backends and kinds of targets, as tables that cost nothing to read.

Names of polpkg's own components win over those of plugins, so what is found here need not be looked for elsewhere; a
command that changes nothing is then spared the search for plugins.
"""

from __future__ import annotations

BACKENDS: dict[str, tuple[str, str]] = {
    "builtin": ("pure Python, needs no other tool", "polpkg.policy.backends.builtin:BuiltinBackend"),
    "checkpolicy": ("SELinux's compiler of policy.conf", "polpkg.policy.backends.checkpolicy:CheckpolicyBackend"),
    "secilc": ("SELinux's compiler of CIL", "polpkg.policy.backends.secilc:SecilcBackend"),
}
"""Summary and implementation of each, by name (DESIGN.md 6); see `polpkg.plugin.values.Component`."""

TARGETS: dict[str, tuple[str, str]] = {
    "tree": ("a directory tree: chroot or build root", "polpkg.targets.tree:open_tree"),
    "image": ("a disk image: raw or qcow2", "polpkg.targets.image.target:open_image"),
    "local": ("this machine, when it is a Xen dom0", "polpkg.targets.host.open:open_local_host"),
    "ssh": ("a host that ssh reaches", "polpkg.targets.host.open:open_ssh_host"),
}
"""The same of each kind of target: `tree` is behind `--root`, `image` behind `--image`; the others are the scheme of
`--host`."""
