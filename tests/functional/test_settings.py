"""Instances, options and expectations: what was asked for is what is there, and a slip is an error."""

import pytest

DIGEST = "0" * 64


def write_project(root, text):
    (root / "etc/polpkg/policy.toml").write_text(text)


def instances(call, root):
    requested = call("status", "--root", root, "--json").document["requested"]
    return {p["name"]: [i["name"] for i in p["instances"]] for p in requested}


def test_a_new_package_has_the_instance_that_was_asked_for_and_no_other(call, empty):
    assert call("install", "vmv", "--instance", "a", "--root", empty, "--xen", "4.17").code == 0
    assert instances(call, empty) == {"dom0": [], "vmv": ["a"]}
    types = call("query", "types", "--root", empty, "--json").document["types"]
    assert "vmv_a_t" in str(types)
    assert "'vmv_t'" not in str(types)


def test_a_package_keeps_the_default_instance_that_it_had(call, installed):
    assert call("install", "vmv", "--instance", "a", "--root", installed).code == 0
    assert instances(call, installed)["vmv"] == ["vmv", "a"]


def test_the_last_instance_goes_with_its_package_only(call, empty):
    call("install", "vmv", "--instance", "a", "--root", empty, "--xen", "4.17")
    done = call("remove", "vmv", "--instance", "a", "--root", empty)
    assert done.code == 2
    assert "`a` is the only instance of `vmv`" in done.told
    assert "polpkg remove vmv" in done.told
    assert call("remove", "vmv", "--root", empty).code == 0


def test_the_default_instance_is_one_like_any_other(call, installed):
    assert "is the only instance" in call("remove", "vmv", "--instance", "vmv", "--root", installed).told
    call("install", "vmv", "--instance", "a", "--root", installed)
    assert "it has: a, vmv" in call("remove", "vmv", "--instance", "b", "--root", installed).told
    assert call("remove", "vmv", "--instance", "vmv", "--root", installed).code == 0
    assert instances(call, installed)["vmv"] == ["a"]


@pytest.mark.parametrize("name", ["", "Tenant", "a_b", "../x", "a" * 65])
@pytest.mark.parametrize("verb", ["install", "remove", "link"])
def test_the_name_of_an_instance_is_checked_as_usage(call, installed, tmp_path, verb, name):
    more = ["-o", tmp_path / "x", "--xen", "4.17"] if verb == "link" else ["--root", installed]
    done = call(verb, "vmv", "--instance", name, *more)
    assert done.code == 2
    assert "cannot be the name of an instance" in done.told


def test_an_option_of_a_package_that_is_not_there(call, installed):
    done = call("install", "vmv", "--option", "nosuch:x", "--root", installed)
    assert done.code == 2
    assert "take it out of [options]" in done.told
    assert "nosuch" not in (installed / "etc/polpkg/policy.toml").read_text()


def test_instances_of_a_package_that_is_not_there(call, installed):
    write_project(installed, '[packages]\nvmv = "*"\n[instances.vvm.a]\n')
    done = call("sync", "--root", installed)
    assert done.code == 5
    assert "policy.toml:3" in done.told
    assert "did you mean `vmv`?" in done.told


@pytest.mark.parametrize(
    ("table", "what"),
    [
        (f'[expect.abc]\nsha256 = "{DIGEST}"', "`abc` is not the fingerprint of an ABI"),
        (f'[expect.{DIGEST}]\nsha256 = "12"', "`12` is not the sha256 of a policy"),
        (f'[expect.{DIGEST}]\nsha256 = "{"F" * 64}"', "is not the sha256 of a policy"),
    ],
)
def test_an_expectation_with_a_slip_is_an_error(call, installed, table, what):
    write_project(installed, f'[packages]\nvmv = "*"\n{table}\n')
    done = call("sync", "--root", installed)
    assert done.code == 5
    assert what in done.told


def test_another_policy_than_expected_is_not_installed(call, installed):
    before = call("status", "--root", installed, "--json").document
    text = f'[packages]\nvmv = "*"\n[expect.{before["policy"]["abi"]}]\nsha256 = "{DIGEST}"\n'
    write_project(installed, text)
    done = call("sync", "--root", installed)
    assert done.code == 4
    assert "policy.toml expects 0000" in done.told
    assert call("status", "--root", installed, "--json").document["generation"] == before["generation"]


@pytest.fixture
def project(call, tmp_path, monkeypatch):
    """A locked project folder that cannot be written; root may write everywhere, so it is only said so."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "policy.toml").write_text('[packages]\nvmv = "*"\n')
    call("lock", "--project", folder)
    monkeypatch.setattr("os.access", lambda path, *_, **__: path != folder)
    return folder


def test_a_locked_sync_leaves_the_project_as_it_is(call, empty, project):
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    assert call("sync", "--locked", "--project", project, "--root", empty, "--xen", "4.17").code == 0
    assert {path.name: path.read_bytes() for path in project.iterdir()} == before
    assert 'xen = "4.17"' in (empty / "etc/polpkg/policy.toml").read_text()


def test_a_project_that_cannot_be_written_is_told_before_anything_changes(call, empty, project):
    done = call("sync", "--project", project, "--root", empty, "--xen", "4.17")
    assert done.code == 2
    assert f"{project} cannot be written" in done.told
    assert not (empty / "boot").exists()
