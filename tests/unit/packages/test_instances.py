from __future__ import annotations

import pytest

from polpkg.errors import PolicyError, UsageError
from polpkg.packages.claims import claims_of
from polpkg.packages.instances import Call, Instance, check_names, instances_of
from polpkg.packages.manifest_reader import read_manifest
from polpkg.packages.project import Project, read_project
from polpkg.packages.settings import parse_settings

VMV = read_manifest("""
[package]
name = "vmv"
version = "1.0"
[functions]
provides = ["domain-builder", "net-backend"]
[instance]
template = "vmv_instance"
[instance.parameters.guests]
type = "table"
default = ["guest"]
each = "vmv_guest"
[instance.parameters.clients]
type = "types"
each = "vmv_client"
[instance.parameters.count]
type = "integer"
default = 1
[instance.parameters.strict]
type = "boolean"
[instance.parameters.title]
type = "string"
""")


def package(name, functions="", guests=""):
    return read_manifest(
        f'package = {{ name = "{name}", version = "1" }}\n[functions]\nguests = [{guests}]\nprovides = [{functions}]\n'
        + ('clients = "*"\n' if functions else "")
    )


DOMU = package("domu", guests='"domU_t"')


def instances(text=""):
    return instances_of(VMV, read_project(text))


def claims(*manifests, project=""):
    read = read_project(project)
    return claims_of([(m, instances_of(m, read)) for m in manifests])


def problems(text):
    with pytest.raises(PolicyError) as caught:
        instances(text)
    return [(d.code, d.origin.line) for d in caught.value.diagnostics]


def test_the_default_instance_is_named_as_the_package():
    (instance,) = instances()
    assert (instance.prefix, instance.domain_type, str(instance)) == ("vmv", "vmv_t", "vmv")
    assert instance.guest_types == ("vmv_guest_t",)
    assert instance.calls == (Call("vmv_instance", ("vmv",)), Call("vmv_guest", ("vmv", "guest")))
    assert instance.parameters == {"guests": ("guest",), "clients": (), "count": 1, "strict": False, "title": ""}


def test_other_instances_carry_their_name():
    one, other = instances(
        "[instances.vmv.tenant-b]\n[instances.vmv.tenant-a.guests.web-1]\n"
        '[instances.vmv.tenant-a]\nclients = ["domU_t"]\ncount = 2'
    )
    assert (one.prefix, one.guest_types, str(one)) == ("vmv_tenant_a", ("vmv_tenant_a_web_1_t",), "vmv/tenant-a")
    assert one.named_types == ("domU_t",)
    assert one.calls == (
        Call("vmv_instance", ("vmv_tenant_a",)),
        Call("vmv_guest", ("vmv_tenant_a", "web_1")),
        Call("vmv_client", ("vmv_tenant_a", "domU_t")),
    )
    assert other.guest_types == ("vmv_tenant_b_guest_t",)


def test_a_package_without_a_template_has_one_bare_instance():
    assert instances_of(DOMU, Project()) == (Instance("domu", "domu", "domu"),)
    with pytest.raises(PolicyError) as caught:
        instances_of(DOMU, read_project("[instances.domu.a]"))
    assert caught.value.code == "project-no-instances"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[instances.vmv.a]\nguest = []", ("project-unknown-parameter", 2)),
        ("[instances.vmv.a]\nguests = 3", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nguests = ['A']", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nguests = ['a', 'a']", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nguests = ['type']", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nclients = ['a-b']", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\ncount = true", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nstrict = 1", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\ntitle = ['x']", ("project-bad-parameter", 2)),
        ("\n[instances.vmv.dom]", ("project-reserved-name", 2)),
        ("[instances.vmv.a.guests.r2]", ("project-bad-parameter", 1)),
        ("[instances.vmv.a.guests.web-t]", ("project-bad-parameter", 1)),
        ("[instances.vmv.t-self]", ("project-reserved-name", 1)),
        ("[instances.vmv.a]\nguests = ['']", ("project-bad-parameter", 2)),
        ("[instances.vmv.a]\nguests = 'web'", ("project-bad-parameter", 2)),
    ],
)
def test_says_where_a_parameter_does_not_fit(text, expected):
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "[instances.vmv.a.guests.b-c]\n[instances.vmv.a-b.guests.c]",
        "[instances.vmv.vmv.guests.a]\n[instances.vmv.a.guests.x]",
    ],
)
def test_names_that_coincide_are_refused(text):
    with pytest.raises(PolicyError) as caught:
        check_names(instances(text))
    assert caught.value.code == "names-coincide"


def test_names_that_coincide_across_packages_are_refused():
    other = package("vmv-a")
    with pytest.raises(PolicyError) as caught:
        check_names([*instances("[instances.vmv.a]"), *instances_of(other, Project())])
    assert "`vmv_a`" in caught.value.message


def test_names_that_differ_pass():
    check_names(instances("[instances.vmv.a.guests.b]\n[instances.vmv.b.guests.b]"))


def test_the_short_form():
    values = parse_settings(["guests=web,db", "clients=domU_t", "count=-3", "strict=true", "title=a=b"], VMV)
    assert values == {"guests": ("web", "db"), "clients": ("domU_t",), "count": -3, "strict": True, "title": "a=b"}
    assert parse_settings(["guests="], VMV) == {"guests": ()}


@pytest.mark.parametrize(
    "text",
    [
        "guests",
        "guest=a",
        "guests=a,,b",
        "guests=a,",
        "guests=self",
        "guests=t",
        "guests=a-t-b",
        "guests=A",
        "guests=a,a",
        "clients=a-b",
        "count=x",
        f"count={'9' * 5000}",
        "strict=yes",
        "=1",
    ],
)
def test_the_short_form_refuses_what_does_not_fit(text):
    with pytest.raises(UsageError):
        parse_settings([text], VMV)


def test_a_setting_given_twice_is_refused():
    with pytest.raises(UsageError):
        parse_settings(["count=1", "count=2"], VMV)


def test_dom0_owns_what_nobody_claims():
    found = claims(DOMU)
    assert found.owners("console", "domU_t") == ("dom0_t",)
    assert found.clients("console", "dom0_t") == ("domU_t",)
    assert set(found.summary().values()) == {"dom0"}
    assert claims().summary() == found.summary()


def test_a_package_owns_its_functions_for_its_own_guests_only():
    found = claims(DOMU, VMV)
    assert found.owners("domain-builder", "vmv_guest_t") == ("vmv_t",)
    assert found.owners("domain-builder", "domU_t") == ("dom0_t",)
    assert found.owners("console", "vmv_guest_t") == ("dom0_t",)
    assert found.clients("domain-builder", "vmv_t") == ("vmv_guest_t",)
    assert found.is_owner("domain-builder", "vmv_t", "vmv_guest_t")
    assert found.summary()["domain-builder"] == "dom0"


def test_a_claim_for_every_client_takes_it_from_dom0():
    found = claims(DOMU, package("netdom", '"net-backend"'))
    assert found.owners("net-backend", "domU_t") == ("netdom_t",)
    assert found.clients("net-backend", "dom0_t") == ()
    assert found.summary()["net-backend"] == "netdom"


def test_a_claim_for_named_clients():
    found = claims(DOMU, VMV, project='[instances.vmv.vmv]\nclients = ["domU_t"]')
    assert found.owners("domain-builder", "domU_t") == ("vmv_t",)
    assert found.summary()["domain-builder"] == "vmv"


def test_who_declares_a_guest_goes_before_a_claim_for_every_client():
    found = claims(DOMU, VMV, package("builder", '"domain-builder"'))
    assert found.owners("domain-builder", "vmv_guest_t") == ("vmv_t",)
    assert found.owners("domain-builder", "domU_t") == ("builder_t",)


def test_shared_functions_have_several_owners():
    found = claims(DOMU, VMV, package("netdom", '"net-backend"'), package("othernet", '"net-backend"'))
    assert found.owners("net-backend", "domU_t") == ("netdom_t", "othernet_t")
    assert found.owners("net-backend", "vmv_guest_t") == ("netdom_t", "othernet_t", "vmv_t")
    assert found.summary()["net-backend"] == "netdom, othernet"


def contested(*manifests, project=""):
    with pytest.raises(PolicyError) as caught:
        claims(*manifests, project=project)
    return [(d.code, d.message) for d in caught.value.diagnostics]


def test_two_claims_for_every_client_are_refused():
    found = contested(DOMU, package("a", '"console"'), package("b", '"console"'))
    assert ("contested-client", "a and b both claim console for `domU_t`") in found


def test_a_named_client_and_a_claim_for_every_client_are_refused():
    found = contested(
        DOMU, VMV, package("builder", '"domain-builder"'), project='[instances.vmv.vmv]\nclients = ["domU_t"]'
    )
    assert found == [("contested-client", "builder and vmv both claim domain-builder for `domU_t`")]


def test_two_instances_cannot_name_one_client():
    text = '[instances.vmv.a]\nclients = ["domU_t"]\n[instances.vmv.b]\nclients = ["domU_t"]'
    assert contested(DOMU, VMV, project=text) == [
        ("contested-client", "vmv/a and vmv/b both claim domain-builder for `domU_t`")
    ]


def test_a_client_that_nobody_declares_is_refused():
    found = contested(DOMU, VMV, project='[instances.vmv.vmv]\nclients = ["domu_t"]')
    assert found == [("unknown-client", "vmv names the client `domu_t`, which no package declares as a guest")]


def test_host_wide_functions_have_one_owner():
    found = claims(DOMU, package("admin", '"policy-admin"'))
    assert found.owners("policy-admin", "*") == found.owners("policy-admin", "domU_t") == ("admin_t",)
    assert found.clients("policy-admin", "admin_t") == ("*",)
    assert found.owners("platform", "*") == ("dom0_t",)
    assert contested(package("a", '"platform"'), package("b", '"platform"')) == [
        ("contested-client", "a and b both claim platform for every client")
    ]


def test_a_function_may_be_taken_away_from_everybody():
    keys = 'provides = ["policy-admin", "migration"]\nclients = "*"\nowner = "nobody"\n'
    nobody = read_manifest(f'package = {{ name = "none", version = "1" }}\n[functions]\n{keys}')
    found = claims(DOMU, VMV, nobody)
    assert found.owners("policy-admin", "*") == found.owners("migration", "domU_t") == ()
    assert found.owners("platform", "*") == ("dom0_t",)
    assert (found.summary()["policy-admin"], found.summary()["migration"]) == ("none", "none")
    assert contested(DOMU, nobody, package("admin", '"policy-admin"')) == [
        ("contested-client", "admin and none both claim policy-admin for every client")
    ]


def test_what_a_parameter_takes_is_told_as_it_is_written():
    with pytest.raises(PolicyError) as caught:
        instances("[instances.vmv.a]\nguests = 'web'\n")
    assert caught.value.message == '`guests` takes a list, such as guests = ["web", "db"]'
    with pytest.raises(PolicyError) as caught:
        instances("[instances.vmv.a]\nguests = ['Web']\n")
    assert caught.value.hint.startswith("a name is lowercase letters")
    with pytest.raises(UsageError) as wrong:
        parse_settings(["guests=a,"], VMV)
    assert wrong.value.message == "`guests` has an empty name"


def test_a_service_is_nobodys_guest_and_stays_with_dom0():
    found = claims(DOMU, VMV, project='[instances.vmv.vmv]\nclients = ["domU_t"]')
    assert found.owners("domain-builder", "domU_t") == ("vmv_t",)
    assert found.owners("domain-builder", "some_service_t") == ("dom0_t",)


def test_instances_that_name_clients_leave_the_others_alone():
    backend = read_manifest(
        'package = { name = "nic", version = "1" }\n[functions]\nprovides = ["net-backend"]\nclients = "*"\n'
        '[instance]\ntemplate = "nic_instance"\n[instance.parameters.clients]\ntype = "types"\n'
    )
    two = package("two", guests='"one_t", "two_t"')
    named = '[instances.nic.named]\nclients = ["two_t"]\n'
    found = claims(two, backend, project=named)
    assert found.owners("net-backend", "one_t") == ("dom0_t",)
    assert found.owners("net-backend", "two_t") == ("nic_named_t",)
    found = claims(two, backend, project=named + "[instances.nic.nic]\n")
    assert found.owners("net-backend", "one_t") == ("nic_t",)
    assert found.owners("net-backend", "two_t") == ("nic_named_t", "nic_t")
