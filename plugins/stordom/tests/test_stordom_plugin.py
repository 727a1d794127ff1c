"""The plugin by itself: what its hooks return, judged with the public names of polpkg alone."""

import tomllib

import pytest

from polpkg.api import PackageSource, XlKey
from polpkg_stordom import plugin


def test_one_source_holds_exactly_its_packages():
    (source,) = plugin.polpkg_register_packages()
    assert isinstance(source, PackageSource)
    assert source.package_names() == ("stordom",)


@pytest.mark.parametrize("name", ["stordom"])
def test_a_package_is_named_as_its_folder_and_has_a_role_that_is_registered(name):
    (source,) = plugin.polpkg_register_packages()
    manifest = tomllib.loads((source.directory / name / "polpkg.toml").read_text(encoding="utf-8"))
    assert manifest["package"]["name"] == name
    assert manifest["package"]["role"] in {role.name for role in plugin.polpkg_register_roles()}


def test_its_domain_is_labelled_after_the_instance():
    (role,) = plugin.polpkg_register_roles()
    assert [(label.kind, label.type_name("stordom"), label.xl) for label in role.labels] == [
        ("domain", "stordom_t", XlKey.SECLABEL)
    ]
