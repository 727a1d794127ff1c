"""From packages in directories to a linked policy: assembly, resolution and `link`, without a target."""

from __future__ import annotations

import pytest

from polpkg.diagnostics import MANIFEST
from polpkg.errors import PolicyError, ResolutionError, TargetError, UsageError
from polpkg.ops.compiling import BuildSettings
from polpkg.ops.context import Context
from polpkg.ops.link import EMITS, LinkRequest, emit, link_requirements
from polpkg.packages.requirement import Requirement
from polpkg.policy.policydb import read_policydb

APP = {
    "polpkg.toml": """[package]
name = "app"
version = "1.0"
summary = "An application with guests"
license = "MIT"
owns = ["app_*"]

[requires]
xen-base = "*"
dom0 = "*"

[instance]
template = "app_instance"
[instance.parameters.guests]
type = "table"
default = ["guest"]
each = "app_item"

[options.extra]
fragments = ["policy/extra.te"]

[assertions]
"nobody else pauses" = "app_assert($prefix_t, $prefix_$item_t)"
""",
    "policy/app.if": """define(`app_instance', `declare_domain($1_t)')
define(`app_item', `
	declare_domain($1_$2_t)
	allow $1_t $1_$2_t:domain pause;
')
define(`app_assert', `neverallow { domain_type -$1 -dom0_t } $2:domain pause;')
""",
    "policy/app.te": "type app_shared_t;\n",
    "policy/extra.te": "type app_extra_t;\n",
}


@pytest.fixture
def app(tmp_path):
    """The package directory; `app(file=text)` changes files of it."""

    def write(**changes):
        for path, text in {**APP, **changes}.items():
            (tmp_path / "app" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "app" / path).write_text(text)
        return Context(working_directory=tmp_path)

    write()
    return write


def request(xen="4.17", **more):
    domu = Requirement("domu")  # labels what a policy must label
    return LinkRequest((Requirement("", "", "./app"), domu)[: 1 if "instance" in more else 2], xen, **more)


def names(answer):
    return {s.name for s in answer.policy.types if s.name.startswith("app") and s.name.endswith("_t")}


def test_the_default_instance(app):
    answer = link_requirements(app(), request())
    assert names(answer) == {"app_t", "app_guest_t", "app_shared_t"}
    assert {p.name for p in answer.packages} == {"app", "dom0", "domu", "xen-base"}
    named = {n.name for n in answer.policy.neverallows if n.name}
    assert "nobody else pauses" in named


def test_options_bring_fragments(app):
    answer = link_requirements(app(), request(options=(("app", "extra"),)))
    assert "app_extra_t" in names(answer)


def test_instances_and_parameters_are_for_one_package(app):
    wrong = LinkRequest((Requirement("", "", "./app"), Requirement("domu")), "4.17", parameters={"guests": "web"})
    with pytest.raises(UsageError) as caught:
        link_requirements(app(), wrong)
    assert caught.value.code == "ambiguous-settings"


def test_an_instance_with_two_guests(app):
    manifest = APP["polpkg.toml"].replace('dom0 = "*"', 'dom0 = "*"\ndomu = "*"')
    context = app(**{"polpkg.toml": manifest})
    answer = link_requirements(context, request(instance="tenant-a", parameters={"guests": "web,db"}))
    assert names(answer) == {"app_tenant_a_t", "app_tenant_a_web_t", "app_tenant_a_db_t", "app_shared_t"}
    texts = sorted(n.text for n in answer.policy.neverallows if n.name == "nobody else pauses")
    assert [text.split()[6].split(":")[0] for text in texts] == ["app_tenant_a_db_t", "app_tenant_a_web_t"]


def test_rules_of_a_template_come_from_the_macro_and_assertions_from_the_manifest(app):
    answer = link_requirements(app(), request())
    policy = answer.policy
    guest = policy.number_of_type("app_guest_t")
    rule = next(r for r in policy.rules if r.target == guest and policy.types[r.source].name == "app_t")
    origin = rule.place.origin()
    assert (origin.package, origin.file, origin.line) == ("app", "policy/app.if", 4)
    neverallow = next(n for n in policy.neverallows if n.name)
    assert neverallow.place.stack()[0].source.file == MANIFEST


def test_an_assertion_that_is_violated(app):
    text = "type app_shared_t, domain_type;\nallow app_shared_t app_guest_t:domain pause;\n"
    with pytest.raises(PolicyError) as caught:
        link_requirements(app(**{"policy/app.te": text}), request())
    (found,) = caught.value.diagnostics
    assert found.message == "allow app_shared_t app_guest_t:domain { pause } breaks assertion 'nobody else pauses'"
    assert (found.origin.file, found.origin.line) == ("policy/app.te", 2)


@pytest.mark.parametrize("form", EMITS)
def test_forms(app, form):
    context = app()
    answer = link_requirements(context, request())
    content = emit(context, answer, form)
    assert content
    if form == "policydb":
        assert read_policydb(content).version == 30
    assert emit(context, link_requirements(context, request()), form) == content


def test_version_24_and_another_backend(app):
    context = app()
    answer = link_requirements(context, request(settings=BuildSettings(policydb_version=24)))
    assert read_policydb(emit(context, answer, "policydb")).version == 24
    with pytest.raises(UsageError, match="no backend `none`"):
        emit(context, link_requirements(context, request(settings=BuildSettings("none"))), "policydb")
    with pytest.raises(UsageError, match="`pdf` cannot be emitted"):
        emit(context, answer, "pdf")


def test_no_hypervisor_and_no_such_package(app):
    with pytest.raises(TargetError) as caught:
        link_requirements(app(), request(xen=""))
    assert caught.value.code == "no-hypervisor"
    with pytest.raises(ResolutionError):
        link_requirements(app(), LinkRequest((Requirement("no-such-package"),), "4.17"))


def test_cil_fragments_are_linked(app):
    context = app(**{"policy/more.cil": "(type app_more_t)\n"})
    answer = link_requirements(context, request())
    assert b"(type app_more_t)" in emit(context, answer, "cil")


def test_a_cil_fragment_that_is_wrong(app):
    with pytest.raises(PolicyError) as caught:
        link_requirements(app(**{"policy/more.cil": "(type app_more_t)\n(block more)\n"}), request())
    assert [d.code for d in caught.value.diagnostics] == ["unsupported-statement"]
    assert (caught.value.origin.file, caught.value.origin.line) == ("policy/more.cil", 2)


def test_an_imported_tree_is_linked_alone(app, tmp_path):
    tree = {"polpkg.toml": '[package]\nname = "app"\nversion = "1.0"\nsummary = "x"\n[xen]\nabi = "own"\n'}
    with pytest.raises(PolicyError) as caught:
        link_requirements(app(**tree), request())
    assert caught.value.code == "imported-tree-not-alone"
