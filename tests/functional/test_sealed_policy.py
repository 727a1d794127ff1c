"""A policy that nobody changes once it is at work: the package `sealed-policy`, and the option `sealed` of `score`."""

import pytest

ADMIN = ("load_policy", "setenforce", "setbool", "setsecparam", "add_ocontext", "del_ocontext")
SEALED = (("sealed-policy",), ("vmv", "--option", "score:sealed"))


@pytest.fixture
def install(call, tmp_path):
    def run(*words, xen="4.17"):
        return call("install", *words, "--root", tmp_path / "host", "--xen", xen, "--yes", "--json")

    return run


@pytest.mark.parametrize("words", SEALED, ids=" ".join)
@pytest.mark.parametrize("xen", ["4.14", "4.22.0"])
def test_nobody_changes_the_policy(call, install, tmp_path, words, xen):
    done = install(*words, xen=xen)
    assert done.code == 0, done.err
    assert done.document["functions"]["policy-admin"] == "sealed-policy"
    rules = call("query", "allow", "-c", "security", "--root", tmp_path / "host", "--json").document["rules"]
    held = {rule["source"]: set(rule["permissions"]) for rule in rules}
    assert not set(ADMIN) & set().union(*held.values())
    assert "check_context" in held["dom0_t"]
    functions = call("functions", "--root", tmp_path / "host", "--json").document
    assert not any("load another policy" in text for text in functions["residuals"])
    assert "  nobody (sealed-policy): policy-admin\n" in call("functions", "--root", tmp_path / "host").out


def test_the_lock_knows_it_from_the_index_alone(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[packages]\nscore = "*"\n\n[options]\nscore = ["sealed"]\n')
    document = call("lock", "--project", tmp_path, "--json").document
    assert document["functions"]["policy-admin"] == "sealed-policy"


def test_dom0_gets_it_back(call, install, tmp_path):
    assert install("domu").code == 0
    before = (tmp_path / "host/boot/xenpolicy-4.17.7").read_bytes()
    assert install("sealed-policy").code == 0
    done = call("remove", "sealed-policy", "--root", tmp_path / "host", "--yes", "--json")
    assert done.document["functions"]["policy-admin"] == "dom0"
    assert (tmp_path / "host/boot/xenpolicy-4.17.7").read_bytes() == before


@pytest.mark.parametrize("permission", ADMIN)
def test_a_package_that_grants_it_is_refused(call, install, tmp_path, permission):
    package = tmp_path / "late"
    (package / "policy").mkdir(parents=True)
    requires = '[requires]\nxen-base = "*"\ndom0 = "*"\n'
    (package / "polpkg.toml").write_text(f'[package]\nname = "late"\nversion = "1"\nowns = ["late_*"]\n{requires}')
    (package / "policy/late.te").write_text(f"allow dom0_t security_t:security {permission};\n")
    done = install("sealed-policy", package)
    assert done.code == 5
    assert "nobody changes the rules" in done.out
    assert not (tmp_path / "host/boot/xenpolicy-4.17.7").exists()


def test_devices_that_need_labels_at_run_time_are_refused(call, install, tmp_path):
    assert install("sealed-policy").code == 0
    done = install("netdom", "--set", "pci=0000:03:00.0")
    assert done.code == 5
    assert done.document["error"]["code"] == "nobody-labels-devices"
    assert call("history", "--root", tmp_path / "host", "--json").document["generations"][-1]["generation"] == 1


def test_it_is_said_before_it_is_installed(call):
    info = call("info", "score", "--json").document
    assert info["options"]["sealed"]["requires"] == {"sealed-policy": ">=1,<2"}
    assert call("info", "sealed-policy", "--json").document["functions"]["owner"] == "nobody"
    assert "policy-admin, to nobody" in call("info", "sealed-policy").out
