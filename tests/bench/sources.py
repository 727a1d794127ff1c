"""The policy that benchmarks without a checkout of Xen use: 171 allow rules, as many as Xen's example has."""

from __future__ import annotations

import re
from pathlib import Path

from measure import POLPKG, output

XEN = "4.17"
PACKAGES = ("vmv", "netdom", "stordom")
_NEVERALLOW = re.compile(r"^neverallow\b[^;]*;\n", re.MULTILINE)


def write_conf(file: Path) -> None:
    """Write the linked policy as policy.conf, without its assertions.

    Xen's example has four of them and this policy 67, which take checkpolicy most of its time; and in polpkg the
    linker checks them, not the backend.  With them every comparison would flatter polpkg.
    """
    output([POLPKG, "link", *PACKAGES, "dom0", "--xen", XEN, "--emit", "conf", "-o", str(file)])
    file.write_text(_NEVERALLOW.sub("", file.read_text()))
