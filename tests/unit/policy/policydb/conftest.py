from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[3] / "golden" / "backends" / "sample_policy.py"


@pytest.fixture(scope="session")
def samples():
    """The module with the sample policy of the golden tests."""
    spec = importlib.util.spec_from_file_location("sample_policy", SAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
