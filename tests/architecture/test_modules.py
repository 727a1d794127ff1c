"""Every module by itself: it imports alone, without a warning, and knows only what it may know."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "polpkg"
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "bundled" not in file.parts)
PLUGIN_FILES = sorted((ROOT / "plugins").glob("*/src/**/*.py"))
MAY_IMPORT = {"pluggy": "polpkg.plugin", "typer": "polpkg.cli", "httpx": "polpkg.packages.transport.client"}


def module_name(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file):
    """The names of the modules that a file imports, inside functions too, and names taken from modules as `m.name`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_check():
    assert len(FILES) > 30
    assert len(PLUGIN_FILES) >= 6


IMPORT_EACH = """
import importlib, sys, traceback, warnings
before = set(sys.modules)
for name in sys.argv[1:]:
    for loaded in set(sys.modules) - before:
        if loaded.partition(".")[0] == "polpkg":
            del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException:
        print(name)
        traceback.print_exc()
        sys.exit(1)
"""


def test_each_module_imports_alone_and_without_warnings():
    names = [module_name(file) for file in FILES]
    command = [sys.executable, "-W", "error", "-c", IMPORT_EACH, *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_one_place_knows_a_library(library):
    offenders = [
        module_name(file)
        for file in FILES
        if any(name.partition(".")[0] == library for name in imports(file))
        and not f"{module_name(file)}.".startswith(f"{MAY_IMPORT[library]}.")
    ]
    assert offenders == []


def test_plugins_import_the_public_api_only():
    for file in PLUGIN_FILES:
        used = {name for name in imports(file) if name.partition(".")[0] == "polpkg"}
        assert all(name == "polpkg.api" or name.startswith("polpkg.api.") for name in used), file


def test_nothing_in_polpkg_imports_a_plugin_or_the_registry():
    for file in FILES:
        assert not [name for name in imports(file) if name.startswith("polpkg_")], file


def test_only_the_context_loads_plugins_for_operations():
    allowed = {"polpkg.ops.context"}
    for file in FILES:
        name = module_name(file)
        if (
            name.startswith(("polpkg.ops", "polpkg.targets", "polpkg.packages", "polpkg.policy"))
            and name not in allowed
        ):
            assert "polpkg.plugin.manager" not in set(imports(file)), name


def test_only_the_command_line_writes_to_the_screen():
    for file in FILES:
        name = module_name(file)
        if name.startswith("polpkg.cli.") or name in {"polpkg.__main__", "polpkg.policy.abi.generate"}:
            continue
        calls = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], name


def test_every_public_name_is_documented():
    missing = []
    for file in [*FILES, *PLUGIN_FILES]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        nodes = [tree, *tree.body, *(member for found in classes for member in found.body)]
        for node in nodes:
            name = getattr(node, "name", "the module")
            documentable = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if documentable and not name.startswith("_") and not ast.get_docstring(node):
                missing.append(f"{file.relative_to(ROOT)}: {name}")
    assert missing == []
