"""Random policies through our front end, linker and builtin backend, against checkpolicy: same verdict, same policy.

Where we differ on purpose, an entry of `STRICTER` or `LOOSER` says why.
"""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from policy_meaning import differences
from policy_texts import policy_text

from polpkg.diagnostics import Source
from polpkg.errors import PolpkgError
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import link
from polpkg.policy.policydb import read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("checkpolicy") is None, reason="needs checkpolicy"),
]

STRICTER = {
    r"^missing-sid|^policy-without-rules|^bounds-too-deep|^expression-too-deep": "Xen refuses to load it",
    r"^not-for-xen": "Xen ignores or refuses it",
    r"^abi-mismatch": "Xen refuses tables other than its own",
    r"^mls-disabled": "the level would be dropped without a word",
    r"^dotted-name": "bounds of roles, users and attributes are not supported",
    r"aliases are listed by name": "checkpolicy makes aliases called `*` and `-`",
    r"^assertion-violated: .* breaks a neverallow rule": "with `self`, libsepol 3.4 forgets the other targets",
    r"^bounds-exceeded": "libsepol takes an auditallow under a condition for a permission",
}
"""What we refuse and checkpolicy takes, by our finding; the two that look away where a bug is are checked further."""

LOOSER = {
    r"syntax error' at token ';'": "an empty statement may stand anywhere",
    r"syntax error' at token 'require'": "packages say what they use",
    r"could not find process class": "checkpolicy knows no default class of role transitions for Xen",
    r"duplicate role transition": "saying the same twice is no contradiction, as with type transitions",
    r"Child type .* exceeds bounds": "checkpolicy gives `~` permissions that the class does not have",
    r"syntax error' at token 'default_\w+'": "statements need no order of sections",
    r"-self is not supported": "checkpolicy knows it from 3.6 on",
    r"syntax error' at token 'module'": "a fragment may have been a loadable module",
    r"^role: only on the left: \(roletype \w+ optional\d+_t\)$": "libsepol expands the types of a role before the "
    "attributes of optional blocks that come later",
    r"constrain empty": "a constraint on no permission constrains nothing",
}


def ours(text, abi):
    """The policydb, or None and what was found."""
    statements, problems = parse_te(PlainText(Source("policy.conf", text)))
    if problems:
        return None, problems
    try:
        policy = link((PolicyModule("p", "1", statements),), abi).policy
        return BuiltinBackend().compile(policy, CompileOptions()), ()
    except PolpkgError as error:
        return None, error.diagnostics


def theirs(text, folder):
    source, output = folder / "policy.conf", folder / "policy"
    source.write_text(text)
    output.unlink(missing_ok=True)
    command = ["checkpolicy", "-t", "Xen", "-c", "30", "-o", str(output), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (None, run.stderr) if run.returncode else (output.read_bytes(), "")


def is_justified(text, findings, complaint):
    """Whether `STRICTER` or `LOOSER` cover a difference in the verdict."""
    if findings:
        said = [f"{d.code}: {d.message}" for d in findings]
        codes = {d.code for d in findings}
        if "assertion-violated" in codes and not re.search(r"neverallow[^;]*\{[^}]*\bself\b", text):
            return False
        if "bounds-exceeded" in codes and "auditallow" not in text.lower():
            return False
        return all(any(re.search(pattern, line) for pattern in STRICTER) for line in said)
    if "exceeds bounds" in complaint and ("{  }" not in complaint or "~" not in text):
        return False
    return any(re.search(pattern, complaint) for pattern in LOOSER)


def compare(text, folder):
    """What is wrong, or None."""
    mine, findings = ours(text.text, text.abi)
    other, complaint = theirs(text.text, folder)
    if mine is None and other is None:
        return None
    if mine is None or other is None:
        if is_justified(text.text, findings, complaint):
            return None
        return [f"{d.code}: {d.message}" for d in findings] or complaint
    found = differences(read_policydb(mine), read_policydb(other))
    return [line for line in found if not any(re.search(pattern, line) for pattern in LOOSER)]


@pytest.mark.parametrize("chunk", range(6))
def test_valid_policies_compile_to_the_same(tmp_path, chunk):
    for seed in range(chunk * 50, chunk * 50 + 50):
        text, _ = policy_text(seed)
        assert not compare(text, tmp_path), f"seed {seed}\n{text.text}"


@pytest.mark.parametrize("chunk", range(12))
def test_broken_policies_have_the_same_verdict(tmp_path, chunk):
    for seed in range(chunk * 60, chunk * 60 + 60):
        text, way = policy_text(seed, broken=True)
        assert not compare(text, tmp_path), f"seed {seed}, {way}\n{text.text}"


def test_most_generated_policies_are_valid_and_most_broken_ones_are_not():
    """Otherwise the tests above would show nothing."""
    valid = [ours(text.text, text.abi)[0] for text, _ in (policy_text(seed) for seed in range(60))]
    broken = [ours(text.text, text.abi)[0] for text, _ in (policy_text(seed, broken=True) for seed in range(60))]
    assert valid.count(None) < 20
    assert 25 < broken.count(None) < 58
