"""The plugin by itself: what its hooks return, judged with the public names of polpkg alone."""

import tomllib

import pytest

from polpkg.api import PackageSource
from polpkg_vmv import plugin


def test_one_source_holds_exactly_its_packages():
    (source,) = plugin.polpkg_register_packages()
    assert isinstance(source, PackageSource)
    assert source.package_names() == ("score", "vmv")


@pytest.mark.parametrize("name", ["score", "vmv"])
def test_a_package_is_named_as_its_folder_and_has_a_role_that_is_registered(name):
    (source,) = plugin.polpkg_register_packages()
    manifest = tomllib.loads((source.directory / name / "polpkg.toml").read_text(encoding="utf-8"))
    assert manifest["package"]["name"] == name
    assert manifest["package"]["role"] in {role.name for role in plugin.polpkg_register_roles()}


def test_labels_of_an_instance_with_two_guests():
    role = next(role for role in plugin.polpkg_register_roles() if role.name == "vmv")
    domain, guest, model = role.labels
    assert domain.type_name("vmv_tenant_a") == "vmv_tenant_a_t"
    assert [guest.type_name("vmv_tenant_a", item) for item in ("web", "db-1")] == [
        "vmv_tenant_a_web_t",
        "vmv_tenant_a_db_1_t",
    ]
    assert guest.each == model.each == "guests"
    assert model.type_name("vmv", "web") == "vmv_web_dm_t"


def test_score_has_no_domain_of_its_own():
    role = next(role for role in plugin.polpkg_register_roles() if role.name == "score")
    assert role.labels == ()
