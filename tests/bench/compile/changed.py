"""Many packages, of which one changed since all of them were last linked, beside secilc on what polpkg links.

Each package has 10 verifiers with 10 guests.  What a package comes to is kept, so that only the changed one is
expanded.  secilc compiles the policy as CIL, without assertions.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from cost import cost_of

CHANGED = "changed"
PACKAGES = 100
ROUNDS = 3
GOAL = 0.3
_WORK = Path(__file__).with_name("work.py")
_MANIFEST = """[package]
name = "{0}"
version = "1.0.0"
summary = "Verifiers of one tenant"
license = "MIT"
owns = ["{0}_*"]

[requires]
xen-base = "*"
"""


def measure_changed(folder: Path) -> None:
    """Prints the cost of linking and compiling with one new rule, the best of some runs, beside secilc."""
    packages, cil = folder / "packages", folder / "policy.cil"
    for number in range(PACKAGES):
        _write_package(packages, f"tenant{number}")
    work = ["env", f"POLPKG_CACHE={folder / 'cache'}", sys.executable, str(_WORK), "folder", str(packages)]
    first = cost_of([*work, str(folder / "policy.conf"), str(cil)])
    costs = [_with_one_changed(packages / f"tenant{number}", work) for number in range(ROUNDS)]
    print(f"{PACKAGES} packages with 10 verifiers each: {first.seconds:.2f} s at first, written in both languages too")
    line = f"    one of them changed       {min(costs):7.2f} s"
    if shutil.which("secilc"):
        command = ["secilc", "-t", "xen", "-c", "30", "-o", str(folder / "policy.out"), "-f", os.devnull, str(cil)]
        peer = min(cost_of(command).seconds for _ in range(ROUNDS))
        line += f"   {min(costs) / peer:5.2f} x secilc (goal {GOAL:g}), which takes {peer:.2f} s"
    print(line, flush=True)


def _with_one_changed(package: Path, work: list[str]) -> float:
    with (package / "policy" / "verifiers.te").open("a", encoding="ascii") as fragment:
        fragment.write(f"allow {package.name}_v0_t {package.name}_v0_g0_t:domain trigger;\n")
    return cost_of(work).seconds


def _write_package(packages: Path, name: str) -> None:
    policy = packages / name / "policy"
    policy.mkdir(parents=True)
    (packages / name / "polpkg.toml").write_text(_MANIFEST.format(name), encoding="ascii")
    lines: list[str] = []
    for verifier in (f"{name}_v{number}" for number in range(10)):
        lines += [f"declare_client_domain({verifier}_t)", f"domain_self_comms({verifier}_t)"]
        for guest in (f"{verifier}_g{number}_t" for number in range(10)):
            lines += [f"declare_client_domain({guest})", f"domain_self_comms({guest})"]
            lines += [f"{power}({verifier}_t, {guest})" for power in ("create_domain", "manage_domain", "domain_comms")]
    (policy / "verifiers.te").write_text("\n".join(lines) + "\n", encoding="ascii")
