"""The values that hooks return."""

from polpkg.plugin.values import PackageSource, Role, RoleLabel


def test_a_label_of_an_instance():
    assert RoleLabel("domain", "$prefix_t").type_name("vmv_tenant_a") == "vmv_tenant_a_t"


def test_hyphens_of_an_item_become_underscores():
    assert RoleLabel("guest", "$prefix_$item_t", each="guests").type_name("vmv", "db-1") == "vmv_db_1_t"


def test_a_role_has_its_domain_unless_it_says_otherwise():
    assert [(label.kind, label.type) for label in Role("x", "y").labels] == [("domain", "$prefix_t")]


def test_a_source_names_the_folders_that_are_packages(tmp_path):
    for name in ("beta", "alpha"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "polpkg.toml").touch()
    (tmp_path / "notes").mkdir()
    assert PackageSource("x", tmp_path).package_names() == ("alpha", "beta")
