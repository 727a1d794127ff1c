"""What polpkg brings has nothing that lint would find, but for what a comment in it justifies."""

from __future__ import annotations

from pathlib import Path

import pytest

_MAIN = Path(__file__).parents[2]
PACKAGES = sorted(
    manifest.parent
    for folder in ("polpkg/bundled", "plugins")
    for manifest in (_MAIN / folder).rglob("polpkg.toml")
    if "build" not in manifest.relative_to(_MAIN).parts and ".venv" not in manifest.parts
)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_findings(call, package):
    done = call("check", package, "--level", "note")
    assert (done.code, done.err) == (0, "")


def test_levels_and_explanations(call, tmp_path):
    (tmp_path / "polpkg.toml").write_text('[package]\nname = "app"\nversion = "1"\nlicense = "MIT"\n')
    assert "no-summary" in call("check", ".", "--level", "warning").err
    assert call("check", ".", "--level", "error").err == ""
    assert [w["level"] for w in call("check", ".", "--json").document["warnings"]] == ["warning", "warning"]
    assert call("check", "--explain", "no-summary").out.startswith("no-summary (warning)\n\n")
    assert call("check", "--explain", "nothing").code == 2
    assert call("check", ".", "--level", "most").code == 2
