"""Documentation that modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """The parameters that name a target, those that say where packages come from, and what is true of every change."""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - The host to work on, C(local) or C(ssh://[user@]host[:port]).
      - C(local) is for modules that run on the Xen host itself, which then needs polpkg.
      - An C(ssh://) address is for modules that are delegated to the controller; the host then needs a POSIX shell
        only. It is the system's C(ssh) that connects, with its own configuration and known hosts.
      - Without I(host), I(root) and I(image) it is the machine where the module runs, when that is a Xen dom0.
    type: str
  root:
    description:
      - A directory tree to work on instead of a host, such as the root of an image that is being built.
    type: path
  image:
    description:
      - A raw or qcow2 image to work on instead of a host.
    type: path
  executable:
    description:
      - The program polpkg, when it is not on the C(PATH) of the machine where the module runs.
    type: path
requirements:
  - polpkg on the machine where the module runs
author:
  - The authors of polpkg (@polpkg)
"""

    SOURCES = r"""
options:
  xen:
    description:
      - The hypervisor that the policy is for, as a release (C(4.17)), a version (C(4.18.3)) or its file.
      - Not needed where the target has hypervisor files.
    type: str
  indexes:
    description:
      - Indexes to take packages from, besides those that policy.toml names. Name to URL or absolute path.
    type: dict
    default: {}
  index_tokens:
    description:
      - Tokens for indexes that want one. Name of the index to token.
      - They are given to polpkg in its environment and show up nowhere.
    type: dict
    default: {}
  offline:
    description:
      - Use only what was fetched before.
    type: bool
    default: false
"""

    CHANGE = r"""
options:
  confirm_within:
    description:
      - On a running host, take the change back by itself unless it is confirmed within this time, such as
        C(90s), C(10m) or C(1h), see M(polpkg.xen.confirm). The host does that also when nobody can reach it any more.
      - Without it the change stays when polpkg finds that the host works with it.
      - It means nothing for directory trees and images.
    type: str
attributes:
  check_mode:
    description: Runs polpkg with C(--dry-run), which changes nothing.
    support: full
  diff_mode:
    description: Tells which packages, owners of functions and rules come and go.
    support: full
notes:
  - A change is a new generation, made at one instant; whatever fails leaves the target as it was.
  - A change is reported exactly when polpkg says that there is something to do.
"""
