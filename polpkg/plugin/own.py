"""polpkg's own backends, as a table that costs nothing to read.

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
