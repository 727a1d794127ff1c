"""`polpkg xl check` and `polpkg labels --xl`, as people type them."""

import pytest

from polpkg.errors import PolicyError
from polpkg.targets.xl.guest import read_guest

FITS = """name = "web"
seclabel = "system_u:system_r:domU_t"
disk = [ "phy:/dev/vg/web,xvda,w" ]
vif = [ "bridge=br0,backend=netdom" ]
"""


@pytest.fixture
def config(tmp_path):
    """`config(text)`: a configuration in a file."""

    def write(text, name="web.cfg"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_a_guest_that_fits(call, installed, config):
    done = call("xl", "check", config(FITS), "--root", installed)
    assert done.code == 0
    assert "vif                netdom_t\n" in done.out
    assert done.out.endswith("It fits the policy.\n")


def test_a_guest_that_does_not_fit_says_where_and_what(call, installed, config):
    path = config(FITS.replace(",backend=netdom", ""))
    done = call("xl", "check", path, "--root", installed)
    assert done.code == 1
    assert "error[vif-refused]: dom0_t may not serve a vif to domU_t" in done.out
    assert f"{path}:4:9" in done.out
    assert "    allow domU_t dom0_t:grant copy;\n" in done.out
    assert "hint: netdom_t may: backend=" in done.out


SERVED = ("--set", "services=xenstore,console,net-backend,block-backend")


@pytest.mark.parametrize("option", [(), ("--option", "vmv:sealed-guests")], ids=["plain", "sealed"])
def test_xl_in_a_verifier_builds_its_guests(call, config, tmp_path, option):
    words = ("--root", tmp_path / "host", "--xen", "4.17", "--yes")
    label = 'seclabel = "system_u:system_r:vmv_guest_t'
    text = f'{label}"\n' if not option else f'{label}"\ninit_{label}_building"\n'
    assert call("install", "vmv", "netdom", "stordom", *option, *words).code == 0
    alone = call("xl", "check", config(text), "--root", tmp_path / "host", "--json").document
    assert {"no-store", "xl-refused"} == {each["code"] for each in alone["findings"] if each["level"] != "note"}
    assert any("services=xenstore,console" in str(each["hint"]) for each in alone["findings"])
    assert call("install", "vmv", *SERVED, *words).code == 0
    text = FITS.replace('seclabel = "system_u:system_r:domU_t"\n', text)
    done = call("xl", "check", config(text.replace("xvda,w", "xvda,w,backend=stordom")), "--root", tmp_path / "host")
    assert (done.code, done.err) == (0, "")
    assert "warning" not in done.out
    assert "created by         vmv_t\n" in done.out


def test_a_verifiers_guest_without_services_is_told_how_to_get_them(call, installed, config):
    text = FITS.replace("domU_t", "vmv_guest_t")
    done = call("xl", "check", config(text), "--root", installed, "--json")
    assert done.code == 1
    hints = {each["code"]: each["hint"] for each in done.document["findings"]}
    assert "services=net-backend" in hints["vif-refused"]


def test_the_document(call, installed, config):
    done = call("xl", "check", config(FITS.replace("domU_t", "domu_t")), "--root", installed, "--json")
    document = done.document
    assert done.code == 1
    assert document["fits"] is False
    assert document["label"] is None
    (finding,) = document["findings"]
    assert (finding["level"], finding["code"]) == ("error", "unknown-label")
    assert (finding["where"]["line"], finding["where"]["column"]) == (2, 12)
    assert finding["missing"] == []
    assert "domU_t" in finding["hint"]


def test_missing_permissions_in_the_document(call, installed, config):
    label = "system_u:system_r:vmv_guest_t"
    words = ("--root", installed, "--creator", "dom0_t", "--json")
    done = call("xl", "check", config(FITS.replace("system_u:system_r:domU_t", label)), *words)
    (finding,) = done.document["findings"]
    assert finding["missing"][0] == {
        "source": "dom0_t",
        "target": "vmv_guest_t",
        "class": "domain",
        "permissions": ["create", "max_vcpus", "setdomainmaxmem", "setaddrsize", "setvcpucontext"],
    }


def test_a_policy_file_needs_no_target(call, installed, config):
    words = ("--policy", installed / "boot/xenpolicy-4.17-amd64", "--backend", "netdom=netdom_t")
    assert call("xl", "check", config(FITS), *words).code == 0


def test_backends_from_a_folder_of_configurations(call, installed, config, tmp_path):
    folder = tmp_path / "guests"
    folder.mkdir()
    (folder / "net.cfg").write_text("name = 'uplink'\nseclabel = 'system_u:system_r:netdom_t'\n")
    path = config(FITS.replace("backend=netdom", "backend=uplink"))
    policy = ("--policy", installed / "boot/xenpolicy-4.17-amd64")
    assert "which label the backend `uplink` has is not known" in call("xl", "check", path, *policy).out
    done = call("xl", "check", path, *policy, "--guests", folder)
    assert done.code == 0
    assert "uplink" not in done.out


def test_a_file_that_xl_would_not_read(call, installed, config):
    done = call("xl", "check", config("name = web\n"), "--root", installed)
    assert done.code == 5
    assert "error[xl-syntax]: a value is expected here, not `web`" in done.err


def test_a_file_that_is_not_there(call, installed, tmp_path):
    assert call("xl", "check", tmp_path / "no.cfg", "--root", installed).code == 2


def test_bytes_that_are_no_text_are_refused(call, installed, tmp_path):
    path = tmp_path / "bytes.cfg"
    path.write_bytes(b"name = \xff\xfe\x00\n")
    assert call("xl", "check", path, "--root", installed).code == 5


def test_lines_fit_a_terminal(call, installed, config):
    text = FITS.replace("domU_t", "vmv_guest_t").replace(",backend=netdom", "")
    done = call("xl", "check", config(text), "--root", installed)
    ours = [line for line in done.out.splitlines() if "web.cfg" not in line]
    assert max(map(len, ours)) <= 80


def test_sections_for_xl_cfg_are_configurations(call, installed):
    done = call("labels", "--xl", "--root", installed)
    sections = done.out.split("\n\n")
    guests = {s.splitlines()[0]: read_guest(s if s.endswith("\n") else f"{s}\n", "guest.cfg") for s in sections}
    assert guests["# vmv guest"].label.text == "system_u:system_r:vmv_guest_t"
    assert guests["# domu"].label.text == "system_u:system_r:domU_t"
    assert guests["# domu"].model_label.text == "system_u:system_r:dm_dom_t"
    assert "# dom0" not in guests


def test_every_label_key_is_one_that_xl_reads(call, installed):
    found = call("labels", "--json", "--root", installed).document["labels"]
    keys = {key for label in found for key in label["xl"]}
    assert keys == {"seclabel", "device_model_stubdomain_seclabel"}


def test_every_section_of_every_bundled_package_fits_the_policy_that_it_is_of(call, installed, config):
    packages = ("stordom", "domu-isolated", "domu-nomigrate", "xen-compat", "vmv")
    assert call("install", *packages, "--root", installed, "--yes").code == 0
    sections = call("labels", "--xl", "--root", installed).out.strip().split("\n\n")
    titles = [section.splitlines()[0] for section in sections]
    assert len(set(titles)) == len(titles) > 8
    assert "# xen-compat nomigrate_t" in titles
    for section in sections:
        done = call("xl", "check", config(f"{section}\n"), "--root", installed)
        assert done.code == 0, done.out
        assert "label-repeated" not in done.out


SEALED = {
    "polpkg.toml": """[package]
name = "vault"
version = "1.0"
owns = ["vault_*"]
[requires]
xen-base = "*"
[functions]
guests = ["vault_t"]
""",
    "policy/vault.te": "declare_domain(vault_t)\nsealed_client(vault_t)\n",
}


def test_a_guest_with_a_build_label_has_both_keys(call, installed, tmp_path):
    for name, text in SEALED.items():
        path = tmp_path / "vault" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert call("install", "./vault", "--root", installed, "--yes").code == 0
    section = next(s for s in call("labels", "--xl", "--root", installed).out.split("\n\n") if "# vault" in s)
    assert section.strip().splitlines() == [
        "# vault",
        'init_seclabel="system_u:system_r:vault_t_building"',
        'seclabel="system_u:system_r:vault_t"',
    ]
    path = tmp_path / "vault.cfg"
    path.write_text(section + "\n")
    assert call("xl", "check", path, "--root", installed).code == 0


def test_what_is_printed_can_be_read_by_the_grammar_only():
    with pytest.raises(PolicyError):
        read_guest("seclabel=system_u:system_r:domU_t\n", "guest.cfg")
