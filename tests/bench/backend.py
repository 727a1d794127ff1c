"""The builtin backend inside the process beside the whole process of checkpolicy, on the same linked policy."""

from __future__ import annotations

from pathlib import Path

from measure import PYTHON, Goal, Sample, Work, measure, output
from sources import PACKAGES, XEN, write_conf

LIMIT = 1

COMPILE = """
import sys, time
from polpkg.ops.context import Context
from polpkg.ops.compiling import BuildSettings, compile_policy
from polpkg.ops.link import LinkRequest, link_requirements
from polpkg.packages.requirement import parse_requirement

context = Context({}, offline=True)
request = LinkRequest(tuple(map(parse_requirement, sys.argv[2:])), sys.argv[1])
policy = link_requirements(context, request).policy
begin = time.process_time()
compile_policy(policy, context.backend("builtin"), BuildSettings())
print(time.process_time() - begin)
"""
"""Prints the CPU seconds of a first compilation: the imports that only the backend needs are part of it."""


def goals(folder: Path) -> list[Goal]:
    source, made = folder / "linked.conf", folder / "policy"
    write_conf(source)
    checkpolicy = Work(
        "checkpolicy, its whole process", ["checkpolicy", "-t", "Xen", "-c", "30", str(source), "-o", str(made)]
    )
    rounds = 9
    (peer,) = measure([checkpolicy], rounds=rounds)
    seconds = tuple(float(output([PYTHON, "-c", COMPILE, XEN, *PACKAGES, "dom0"])) for _ in range(rounds))
    return [Goal(Sample("the builtin backend, in the process", seconds), peer, LIMIT)]
