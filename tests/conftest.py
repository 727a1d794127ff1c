"""Fixtures that all tests may use: golden files, and a place to install fake plugins."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

GOLDEN = Path(__file__).parent / "golden"


# A test that passes passes again: properties try the same examples each time, and others when somebody explores.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


def pytest_addoption(parser):
    parser.addoption(
        "--update-goldens", action="store_true", help="write what tests produce into tests/golden instead of comparing"
    )


def pytest_configure(config):
    if config.getoption("--update-goldens") and os.environ.get("CI"):
        raise pytest.UsageError("golden files are not updated in CI: a person reads the difference first")


@pytest.fixture
def golden(request):
    """`golden("cli/errors/one.txt", text)`: the text equals that file below tests/golden."""
    update = request.config.getoption("--update-goldens")

    def compare(name, text):
        file = GOLDEN / name
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert file.exists(), f"{name} is missing; look at the output and run again with --update-goldens"
        assert text == file.read_text(encoding="utf-8"), f"{name} differs; --update-goldens accepts the new text"

    return compare


class Site:
    """A directory like site-packages, into which a test installs plugins without any tool."""

    def __init__(self, path):
        self.path = path

    def install(self, distribution, code, *, version="1.0", module=None, entry=None):
        """Install a distribution whose plugin module has this code; the name of the module."""
        module = module or distribution.replace("-", "_") + "_plugin"
        (self.path / f"{module}.py").write_text(code, encoding="utf-8")
        info = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        text = f"[console_scripts]\nx = y:z\n\n[polpkg]\n{distribution} = {entry or module}\n"
        (info / "entry_points.txt").write_text(text)
        return module


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty site directory at the front of `sys.path`; modules that were imported from it are forgotten after."""
    import sys

    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    before = set(sys.modules)
    yield Site(path)
    for name in set(sys.modules) - before:
        if str(path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
