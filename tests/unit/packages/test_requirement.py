from __future__ import annotations

import subprocess
import sys

import pytest

from polpkg.errors import ExitCode, UsageError
from polpkg.packages.requirement import Requirement, parse_requirement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vmv", Requirement("vmv")),
        ("vmv*", Requirement("vmv")),
        ("vmv==1.2", Requirement("vmv", "==1.2")),
        (" vmv >= 1.2, < 2 ", Requirement("vmv", ">=1.2,<2")),
        ("vmv~=1.2", Requirement("vmv", "~=1.2")),
        ("vmv>=2.0rc1", Requirement("vmv", ">=2.0rc1")),
        ("./vmv", Requirement("", "", "./vmv")),
        ("../a/b", Requirement("", "", "../a/b")),
        ("/srv/x", Requirement("", "", "/srv/x")),
        ("vmv-1.0.polpkg", Requirement("", "", "vmv-1.0.polpkg")),
    ],
)
def test_reads_requirements(text, expected):
    assert parse_requirement(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Vmv", "vmv=1", "vmv>=", "vmv>>1", "vmv 1.0", "vmv>=1;x", "vmv[audit]", "a_b", ">=1"]
)
def test_refuses_malformed_ones(text):
    with pytest.raises(UsageError) as caught:
        parse_requirement(text)
    assert caught.value.code == "malformed-requirement"
    assert caught.value.exit_code is ExitCode.USAGE


def test_prints_as_it_is_written():
    assert str(parse_requirement("vmv >=1, <2")) == "vmv>=1,<2"
    assert str(parse_requirement("./vmv")) == "./vmv"


def test_plain_requirements_do_not_import_packaging():
    code = (
        "import sys; from polpkg.packages.requirement import parse_requirement as p;"
        "assert p('vmv>=1,<2').accepts('1.5') and not p('vmv').name == 'x'; print('packaging' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
