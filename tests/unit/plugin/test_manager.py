"""Loading plugins: what they register, and every way in which they can be broken."""

import pytest

from polpkg.errors import PolpkgError
from polpkg.plugin.manager import load_plugins
from polpkg.plugin.values import Component, Veto

HEAD = "from pathlib import Path\nfrom polpkg.api import *\n"
BACKEND = HEAD + (
    "@hookimpl\n"
    "def polpkg_register_backends():\n"
    "    return (Component('acme', 'a compiler', 'acme_backend_code:Backend.make'),)\n"
)


def load(site):
    return load_plugins([str(site.path)])


def only_broken(site):
    plugins = load(site)
    assert [d.name for d in plugins.distributions] == ["polpkg"]
    (broken,) = plugins.broken
    return broken


def test_built_in_parts_are_registered_by_the_same_hooks(site):
    (own,) = load(site).distributions
    assert own.builtin
    assert set(own.registered) == {"packages", "roles", "backends", "targets", "boot_paths"}
    assert set(load(site).backends) == {"builtin", "checkpolicy", "secilc"}


def test_a_plugin_adds_to_what_is_there(site):
    site.install("polpkg-acme", BACKEND, version="2.1")
    plugins = load(site)
    assert plugins.broken == ()
    assert set(plugins.backends) == {"acme", "builtin", "checkpolicy", "secilc"}
    assert [(d.name, d.version, d.builtin) for d in plugins.distributions][1:] == [("polpkg-acme", "2.1", False)]
    assert plugins.owner(plugins.backends["acme"]) == "polpkg-acme"


def test_code_is_imported_when_it_is_needed_and_not_before(site):
    site.install("polpkg-acme", BACKEND)
    plugins = load(site)
    code = "class Backend:\n    @staticmethod\n    def make(): return 'made'\n"
    (site.path / "acme_backend_code.py").write_text(code)
    assert plugins.load(plugins.backends["acme"])() == "made"


def test_code_that_does_not_import_is_an_error_with_the_plugins_name(site):
    site.install("polpkg-acme", BACKEND)
    plugins = load(site)
    with pytest.raises(PolpkgError) as caught:
        plugins.load(plugins.backends["acme"])
    assert caught.value.code == "broken-plugin"
    assert "polpkg-acme" in caught.value.message
    assert "acme_backend_code" in caught.value.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("def broken(:\n", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (HEAD + "@hookimpl\ndef polpkg_register_magic(): return ()", "polpkg_register_magic"),
        (HEAD + "def polpkg_register_magic(): return ()", "is no hook of this version"),
        (HEAD + "def polpkg_register_roles(): return ()", "is not marked with @hookimpl"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(config): return ()", "config"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(): return 1/0", "ZeroDivisionError"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(): return [Role('x', 'y')]", "not a tuple of Role"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(): return (Veto('x'),)", "not only Role"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(): return (Role('Big Name', 'y'),)", "is no name"),
        (HEAD + "@hookimpl\ndef polpkg_register_roles(): return (Role('x', 'y'), Role('x', 'z'))", "registered twice"),
        (HEAD + "@hookimpl\ndef polpkg_register_backends(): return (Component('x', 'y', 'nowhere'),)", "nowhere"),
    ],
)
def test_a_broken_plugin_is_named_and_left_out(site, code, reason):
    site.install("polpkg-bad", code, version="0.3")
    broken = only_broken(site)
    assert (broken.name, broken.version) == ("polpkg-bad", "0.3")
    assert reason in broken.reason
    assert "\n" not in broken.reason


def test_a_broken_plugin_does_not_take_others_with_it(site):
    site.install("polpkg-bad", "raise RuntimeError('no')")
    site.install("polpkg-acme", BACKEND)
    plugins = load(site)
    assert "acme" in plugins.backends
    (warning,) = plugins.warnings()
    assert "polpkg-bad 1.0" in warning.message


def test_a_name_that_two_plugins_register_names_both(site):
    site.install("polpkg-one", BACKEND)
    site.install("polpkg-two", BACKEND)
    plugins = load(site)
    assert plugins.owner(plugins.backends["acme"]) == "polpkg-one"
    (broken,) = plugins.broken
    assert broken.name == "polpkg-two"
    assert broken.reason == "acme in backends is registered by both polpkg-one and polpkg-two"


def test_nobody_replaces_a_built_in_part(site):
    site.install("aaa", BACKEND.replace("'acme'", "'builtin'"))
    assert "registered by both polpkg and aaa" in only_broken(site).reason


def test_what_a_plugin_prints_does_not_reach_stdout(site, capsys):
    site.install("polpkg-acme", BACKEND + "    \nprint('hello')\n")
    load(site)
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "hello\n"


def test_vetoes_come_with_their_owner(site):
    site.install("polpkg-acme", HEAD + "@hookimpl\ndef plan_ready(plan):\n    return Veto(f'never {plan}')\n")
    site.install("polpkg-calm", HEAD + "@hookimpl\ndef plan_ready():\n    return None\n")
    refusals, warnings = load(site).plan_ready("today")
    assert [(r.distribution, r.veto) for r in refusals] == [("polpkg-acme", Veto("never today"))]
    assert warnings == ()


def test_an_observer_that_fails_is_a_warning(site):
    site.install("polpkg-acme", HEAD + "@hookimpl\ndef generation_committed(receipt):\n    raise ValueError(receipt)\n")
    (warning,) = load(site).generation_committed("seven")
    assert "polpkg-acme 1.0 is left out: generation_committed failed: ValueError: seven" in warning.message


def test_an_entry_point_may_name_an_object(site):
    code = (
        HEAD + "class Plugin:\n    @hookimpl\n    def polpkg_register_roles(self):\n        return (Role('x', 'y'),)\n"
    )
    site.install("polpkg-acme", code + "plugin = Plugin()\n", entry="polpkg_acme_plugin:plugin")
    assert {"dom0", "domu", "x"} <= set(load(site).roles)


def test_everything_that_polpkg_registers_can_be_loaded():
    plugins = load_plugins([])
    for components in (plugins.backends, plugins.targets, plugins.boot_paths):
        for component in components.values():
            assert callable(plugins.load(component))


def test_a_component_is_loaded_by_its_reference():
    assert Component("x", "y", "polpkg.errors:ExitCode.OK").load() == 0
