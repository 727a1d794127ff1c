"""What a command costs that has nothing to do, beside Python itself."""

from __future__ import annotations

from pathlib import Path

from measure import POLPKG, PYTHON, Goal, Work, measure, output

VERSION_LIMIT = 3
NO_OP_LIMIT = 10


def goals(folder: Path) -> list[Goal]:
    target = str(folder / "up-to-date")
    install = [POLPKG, "install", "vmv", "--root", target, "--xen", "4.17"]
    output(install)
    bare, version, no_op = measure(
        [
            Work("python -c pass, in the same environment", [PYTHON, "-c", "pass"]),
            Work("polpkg --version", [POLPKG, "--version"]),
            Work("polpkg install vmv, with nothing to do", install),
        ],
        rounds=25,
    )
    return [Goal(version, bare, VERSION_LIMIT), Goal(no_op, bare, NO_OP_LIMIT)]
