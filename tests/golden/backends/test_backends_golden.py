"""What the emitters and the builtin backend write for the sample policy."""

from __future__ import annotations

import pytest

from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.conf import emit_conf


def hex_dump(policy):
    data = BuiltinBackend().compile(policy, CompileOptions())
    return "".join(data[n : n + 32].hex(" ", 4) + "\n" for n in range(0, len(data), 32))


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(("suffix", "render"), [("conf", emit_conf), ("cil", emit_cil), ("hex", hex_dump)])
def test_sample_policy(samples, golden, suffix, render, mls):
    golden(f"backends/{'mls' if mls else 'plain'}.{suffix}", render(samples.sample(mls=mls)))
