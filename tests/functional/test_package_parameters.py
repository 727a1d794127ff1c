"""Parameters of the bundled packages from the command line: what is installed, what labels say, what is refused."""

from __future__ import annotations


def install(call, tmp_path, *words):
    return call("install", *words, "--root", tmp_path / "host", "--xen", "4.17", "--yes")


def contexts(call, tmp_path):
    labels = call("labels", "--root", tmp_path / "host", "--json").document["labels"]
    return {label["context"]: label for label in labels}


def test_labels_of_groups(call, tmp_path):
    words = ("domu-isolated", "--set", "separation=user", "--set", "users=red,blue-1", "--set", "guests=web")
    assert install(call, tmp_path, *words).code == 0
    found = contexts(call, tmp_path)
    for user in ("red", "blue_1"):
        label = found[f"domu_isolated_{user}_u:vm_r:domu_isolated_web_t"]
        assert (label["kind"], label["package"], *label["xl"]) == ("guest", "domu-isolated", "seclabel")
    assert "system_u:system_r:domu_isolated_web_t" not in found


def test_sealed_guests_have_a_label_to_be_built_under(call, tmp_path):
    words = ("vmv", "--set", "separation=user", "--set", "users=red", "--option", "vmv:sealed-guests")
    assert install(call, tmp_path, *words).code == 0
    found = contexts(call, tmp_path)
    assert found["vmv_red_u:vm_r:vmv_guest_t_building"]["xl"] == {
        "init_seclabel": "vmv_red_u:vm_r:vmv_guest_t_building"
    }
    assert found["vmv_red_u:vm_r:vmv_guest_t"]["xl"] == {"seclabel": "vmv_red_u:vm_r:vmv_guest_t"}


def test_a_device_model_has_a_label_only_where_there_is_one(call, tmp_path):
    assert install(call, tmp_path, "vmv", "--set", "builds=hvm", "--set", "device-model=stubdom").code == 0
    assert "device_model_stubdomain_seclabel" in contexts(call, tmp_path)["system_u:system_r:vmv_guest_dm_t"]["xl"]
    assert install(call, tmp_path, "vmv", "--set", "builds=pv", "--set", "device-model=none").code == 0
    assert "system_u:system_r:vmv_guest_dm_t" not in contexts(call, tmp_path)


def test_a_device_that_nothing_isolates_is_warned_of(call, tmp_path):
    done = install(call, tmp_path, "netdom", "--set", "isolation=none")
    assert done.code == 0
    assert "said-by-package" in done.err
    assert "nothing isolates the devices of netdom" in " ".join(done.err.split())


def test_a_device_labelled_by_the_policy(call, tmp_path):
    assert install(call, tmp_path, "netdom", "--set", "pci=0000:03:00.0").code == 0
    policy = tmp_path / "host/boot/xenpolicy-4.17.7"
    emitted = call("link", "netdom", "--xen", "4.17", "--emit", "conf", "-o", tmp_path / "plain.conf")
    assert emitted.code == 0
    assert "pcidevicecon" not in (tmp_path / "plain.conf").read_text()
    assert policy.read_bytes() != b""
    done = install(call, tmp_path, "netdom", "--set", "pci=03:00.0")
    assert done.code == 2
    assert "0000:03:00.0" in done.err


def test_what_does_not_go_together_changes_nothing(call, tmp_path):
    assert install(call, tmp_path, "vmv").code == 0
    before = (tmp_path / "host/boot/xenpolicy-4.17.7").read_bytes()
    done = install(call, tmp_path, "vmv", "--set", "migration=true", "--option", "vmv:sealed-guests")
    assert done.code == 5
    assert "refused-by-package" in done.err
    assert "policy/vmv.if" in done.err
    assert (tmp_path / "host/boot/xenpolicy-4.17.7").read_bytes() == before


def test_guests_that_cannot_be_labelled_are_an_error(call, tmp_path):
    done = call("link", "dom0less", "--xen", "4.16", "-o", tmp_path / "policy")
    assert done.code == 3
    assert "`dom0less` needs a hypervisor of Xen >=4.17" in done.err
    assert call("link", "dom0", "dom0less", "--xen", "4.17", "-o", tmp_path / "policy").code == 0
    assert call("link", "dom0less", "vmv", "--xen", "4.17", "-o", tmp_path / "policy").code == 3


def test_the_store_under_its_old_name(call, tmp_path):
    done = call("link", "xen-compat", "--option", "xen-compat:xenstore", "--xen", "4.17", "-o", tmp_path / "policy")
    assert done.code == 0
    asked = call(
        "query", "allow", "-s", "xenstoredom_t", "-t", "domU_t", "-c", "grant", "--policy", tmp_path / "policy"
    )
    assert "map_read" in asked.out
