"""The modules of the collection: from parameters to command lines, and from polpkg's documents to results."""

import json
import sys

import pytest
from ansible_collection import linked_collection


@pytest.fixture(scope="module")
def utils(tmp_path_factory):
    """`module_utils` of the collection, which need no Ansible."""
    return linked_collection(tmp_path_factory.mktemp("collection"))


class Answers:
    """A polpkg that answers as it is told, by the first words of a call."""

    def __init__(self, **answers):
        self.calls = []
        self.answers = answers
        self.folders = []

    def __call__(self, words):
        self.calls.append(words)
        verb = words[1]
        if "--project" in words:
            self.folders.append(read_folder(words[words.index("--project") + 1]))
        answer = self.answers[verb]
        if callable(answer):
            answer = answer(words)
        if isinstance(answer, tuple):
            return answer
        return 0, json.dumps({"schema": f"polpkg.{verb}/1", **answer}), ""


def read_folder(path):
    from pathlib import Path

    return {file.name: file.read_text() for file in Path(path).iterdir()}


CHANGE = {
    "generation": 2,
    "changed": True,
    "packages": [{"name": "vmv", "version": "1.0.0"}],
    "functions": {"console": "dom0"},
    "policies": [],
    "changes": {"added": []},
    "notes": ["run update-grub"],
    "overrides": {},
    "review": [],
}
STATUS = {
    "generation": 1,
    "confirmed": False,
    "confirmed_generation": None,
    "packages": [],
    "functions": {},
    "policies": [],
    "requested": [
        {"name": "dom0", "base": True, "instances": []},
        {"name": "vmv", "base": False, "instances": [{"name": "acme", "parameters": {}}]},
        {"name": "netdom", "base": False, "instances": []},
    ],
}
POLICY = {
    "state": "present",
    "packages": None,
    "instance": None,
    "parameters": {},
    "options": [],
    "policy": None,
    "lock": None,
    "project": None,
    "activate": True,
    "xen": None,
    "indexes": {},
    "offline": False,
}


def run(utils, task, params, *, check=False, diff=False, target=("--root", "/r"), **answers):
    """The result of a task, and the polpkg that it had."""
    fake = Answers(**answers)
    polpkg = utils.command.Polpkg(fake, ["polpkg"], list(target))
    return getattr(utils.tasks, task)(polpkg, params, check, diff), fake


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"packages": ["vmv>=1", "netdom"]}, "install vmv>=1 netdom --yes"),
        (
            {"packages": ["vmv"], "instance": "acme", "parameters": {"guests": ["web", "db"], "flag": True, "n": 3}},
            "install vmv --instance acme --set flag=true --set guests=web,db --set n=3 --yes",
        ),
        ({"packages": ["score"], "options": ["score:sealed"]}, "install score --option score:sealed --yes"),
        (
            {"packages": ["vmv"], "xen": "4.17", "indexes": {"b": "/b", "a": "/a"}, "offline": True, "activate": False},
            "install vmv --xen 4.17 --index a=/a --index b=/b --offline --no-activate --yes",
        ),
        ({"state": "latest"}, "upgrade --yes"),
        ({"state": "latest", "confirm_within": "10m"}, "upgrade --confirm-within 10m --yes"),
        ({"state": "latest", "packages": ["vmv"]}, "upgrade vmv --yes"),
        ({"project": "/site"}, "sync --project /site --yes"),
        ({"project": "/site", "state": "locked"}, "sync --locked --project /site --yes"),
    ],
)
def test_words(utils, params, words, tmp_path):
    answers = dict.fromkeys(("install", "upgrade", "sync"), CHANGE)
    if "project" in params:
        params = params | {"project": str(tmp_path)}
        words = words.replace("/site", str(tmp_path))
    result, fake = run(utils, "have_policy", POLICY | params, **answers)
    assert [" ".join(call) for call in fake.calls] == [f"polpkg {words} --root /r --json --quiet"]
    assert (result["changed"], result["generation"], result["notes"]) == (True, 2, ["run update-grub"])


def test_a_change_is_one_only_when_polpkg_says_so(utils):
    answer = CHANGE | {"changed": False}
    assert not run(utils, "have_policy", POLICY | {"packages": ["vmv"]}, install=answer)[0]["changed"]


def test_check_mode_asks_for_a_dry_run_only(utils):
    def answer(words):
        return 10, json.dumps({"schema": "polpkg.install/1", **CHANGE}), ""

    result, fake = run(utils, "have_policy", POLICY | {"packages": ["vmv"]}, check=True, install=answer)
    assert [call[1:4] for call in fake.calls] == [["install", "vmv", "--dry-run"]]
    assert result["changed"]
    assert result["review"] == []


def test_diff_mode_looks_before_it_changes(utils):
    rule = {"kind": "allow", "source": "a_t", "target": "b_t", "class": "grant", "permissions": ["copy", "setup"]}
    named = {"condition": "c", "packages": ["vmv 1.0.0"], "function": "console"}
    types = {"added": ["x_t"], "removed": [], "changed": [{"name": "y_t", "added": ["new"], "removed": ["old"]}]}
    review = {"xen": "4.17.7", "allow": {"added": [rule | named], "removed": [rule | named | {"condition": None}]}}
    planned = CHANGE | {"review": [review | {"types": types}]}
    params = POLICY | {"packages": ["vmv"]}
    result, fake = run(utils, "have_policy", params, diff=True, status=STATUS, install=planned)
    assert [call[1] for call in fake.calls] == ["status", "install", "install"]
    assert ["--dry-run" in call for call in fake.calls] == [False, True, False]
    assert result["diff"] == {
        "before_header": "generation 1",
        "after_header": "generation 2",
        "before": "Xen 4.17.7: allow a_t b_t:grant { copy setup } [vmv 1.0.0]\nXen 4.17.7: types y_t: old\n",
        "after": "package vmv 1.0.0\nfunction console: dom0\n"
        "Xen 4.17.7: allow a_t b_t:grant { copy setup } (while c) [vmv 1.0.0]\n"
        "Xen 4.17.7: types x_t\nXen 4.17.7: types y_t: new\n",
    }


def test_diff_mode_does_nothing_more_when_there_is_nothing_to_do(utils):
    answers = {"status": STATUS, "install": CHANGE | {"changed": False}}
    result, fake = run(utils, "have_policy", POLICY | {"packages": ["vmv"]}, diff=True, **answers)
    assert [call[1] for call in fake.calls] == ["status", "install"]
    assert "diff" not in result


def test_a_difference_of_thousands_of_rules_is_bounded(utils):
    rule = {"source": "a", "target": "b", "class": "c", "permissions": ["p"], "condition": None, "packages": []}
    planned = CHANGE | {"review": [{"xen": "4.17.7", "allow": {"added": [rule] * 1000, "removed": []}}]}
    found = utils.difference.describe_change(STATUS, planned)
    assert "and 600 rules more" in found["after"]
    assert len(found["after"].splitlines()) < 410


def test_a_whole_policy_goes_through_a_folder_that_is_gone_after(utils, tmp_path):
    policy = {"packages": {"vmv": ">=1"}, "instances": {"vmv": {"acme": {"guests": ["web"]}}}}
    fake = run(utils, "have_policy", POLICY | {"policy": policy, "lock": "format = 1\n"}, sync=CHANGE)[1]
    assert fake.folders == [
        {
            "policy.toml": '[instances.vmv.acme]\nguests = ["web"]\n\n[packages]\nvmv = ">=1"\n',
            "policy.lock": "format = 1\n",
        }
    ]
    (call,) = fake.calls
    from pathlib import Path

    assert not Path(call[call.index("--project") + 1]).exists()


def test_a_lock_is_demanded_when_locked(utils):
    fake = run(utils, "have_policy", POLICY | {"policy": "[packages]\n", "state": "locked"}, sync=CHANGE)[1]
    assert "--locked" in fake.calls[0]
    assert fake.folders == [{"policy.toml": "[packages]\n"}]


@pytest.mark.parametrize(
    ("params", "removed"),
    [
        ({"packages": ["vmv", "stordom"]}, ["remove", "vmv", "--yes"]),
        ({"packages": ["stordom", "dom0"]}, None),
        ({"packages": ["vmv"], "instance": "acme"}, ["remove", "vmv", "--instance", "acme", "--yes"]),
        ({"packages": ["vmv"], "instance": "other"}, None),
        ({"packages": ["netdom"], "instance": "netdom"}, ["remove", "netdom", "--instance", "netdom", "--yes"]),
    ],
)
def test_only_what_is_there_is_removed(utils, params, removed):
    params = POLICY | {"state": "absent"} | params
    result, fake = run(utils, "have_policy", params, status=STATUS, remove=CHANGE)
    assert [call[1:-4] for call in fake.calls[1:]] == ([removed] if removed else [])
    assert result["changed"] is (removed is not None)


@pytest.mark.parametrize(("value", "word"), [(True, "on"), (False, "off"), (None, "default")])
def test_boolean(utils, value, word):
    params = {"name": "b", "value": value, "xen": None, "indexes": {}, "offline": False}
    fake = run(utils, "have_boolean", params, boolean=CHANGE)[1]
    assert fake.calls[0][1:-4] == ["boolean", "set", "b", word, "--yes"]


CONFIRM = {"generation": None, "verify": True, "force": False}
CONFIRMED = {"generation": 1, "before": None, "changed": True}


def test_confirm_verifies_first(utils):
    answers = {"status": STATUS, "verify": {"ok": True, "drift": []}, "confirm": CONFIRMED}
    result, fake = run(utils, "have_confirmed", CONFIRM | {"generation": 1}, diff=True, **answers)
    assert [call[1] for call in fake.calls] == ["status", "verify", "confirm"]
    assert result["changed"]
    assert result["diff"] == {"before": "confirmed generation: None\n", "after": "confirmed generation: 1\n"}


def test_drift_is_not_confirmed(utils):
    drift = [{"kind": "changed", "path": "/boot/x", "message": "/boot/x is not what was installed"}]
    answers = {"status": STATUS, "verify": (1, json.dumps({"schema": "s", "ok": False, "drift": drift}), "")}
    with pytest.raises(utils.command.PolpkgError, match=r"/boot/x is not what was installed \[changed\]") as caught:
        run(utils, "have_confirmed", CONFIRM, **answers)
    assert caught.value.facts["code"] == "drift"
    result = run(utils, "have_confirmed", CONFIRM | {"verify": False}, confirm=CONFIRMED, **answers)[0]
    assert result["changed"]


def test_another_generation_is_not_confirmed(utils):
    with pytest.raises(utils.command.PolpkgError, match="generation 1 is current, not 2") as caught:
        run(utils, "have_confirmed", CONFIRM | {"generation": 2}, status=STATUS)
    assert caught.value.facts["code"] == "another-generation"


def test_what_a_host_tries_is_confirmed_as_the_generation_that_it_becomes(utils):
    status = STATUS | {"live": {"trial": {"waits": True, "becomes": 2, "seconds": 60}}}
    answers = {"status": status, "confirm": CONFIRMED | {"generation": 2}}
    result, fake = run(utils, "have_confirmed", CONFIRM | {"generation": 2}, **answers)
    assert (result["changed"], [call[1] for call in fake.calls]) == (True, ["status", "confirm"])
    with pytest.raises(utils.command.PolpkgError, match="generation 2 is current, not 1"):
        run(utils, "have_confirmed", CONFIRM | {"generation": 1}, **answers)
    result, fake = run(utils, "have_rolled_back", {"generation": None}, **answers)
    assert (result["changed"], len(fake.calls)) == (False, 1)
    assert result["notes"] == ["the host takes back what it tries within 60 seconds"]


def test_check_mode_confirms_what_would_have_come(utils):
    result, fake = run(utils, "have_confirmed", CONFIRM | {"generation": 2}, check=True, status=STATUS)
    assert (result["changed"], [call[1] for call in fake.calls]) == (True, ["status"])


def test_rollback_goes_to_what_is_confirmed(utils):
    status = STATUS | {"generation": 3, "confirmed_generation": 2}
    result, fake = run(utils, "have_rolled_back", {"generation": None}, status=status, rollback=CHANGE)
    assert fake.calls[-1][1:4] == ["rollback", "2", "--yes"]
    assert result["rolled_back_to"] == 2
    result, fake = run(utils, "have_rolled_back", {"generation": None}, status=status | {"confirmed": True})
    assert (result["changed"], len(fake.calls)) == (False, 1)
    with pytest.raises(utils.command.PolpkgError) as caught:
        run(utils, "have_rolled_back", {"generation": None}, status=STATUS)
    assert caught.value.facts["code"] == "nothing-confirmed"


def test_rollback_to_a_number(utils):
    fake = run(utils, "have_rolled_back", {"generation": 7}, rollback=CHANGE)[1]
    assert [call[1:3] for call in fake.calls] == [["rollback", "7"]]


def test_facts(utils):
    status = STATUS | {"packages": [{"name": "vmv", "version": "1.0.0"}]}
    answers = {"status": status, "boolean": {"booleans": [1]}, "verify": {"ok": True, "drift": []}}
    result = run(utils, "gather_facts", {"gather": ["booleans", "verify"]}, **answers)[0]
    facts = result["ansible_facts"]["polpkg"]
    assert facts["package_versions"] == {"vmv": "1.0.0"}
    assert facts["booleans"] == [1]
    assert facts["verify"] == {"ok": True, "drift": []}
    assert "schema" not in facts


def test_an_error_of_polpkg_keeps_its_code_and_hint(utils):
    error = {"code": "a-code", "message": "it is so", "hint": "do that", "exit": 3, "where": None, "derivation": ["1."]}
    answer = (3, json.dumps({"schema": "s", "error": error, "errors": [error, error | {"message": "and so"}]}), "")
    with pytest.raises(utils.command.PolpkgError) as caught:
        run(utils, "have_policy", POLICY | {"packages": ["x"]}, install=answer)
    assert caught.value.message == "it is so [a-code]\nand so [a-code]\n1.\nhint: do that"
    assert caught.value.facts == {key: value for key, value in error.items() if key != "message"}


@pytest.mark.parametrize("output", ["", "no JSON", "[1]", "{}"])
def test_an_answer_that_is_none(utils, output):
    with pytest.raises(utils.command.PolpkgError, match="status 70 and without an answer: Traceback") as caught:
        run(utils, "gather_facts", {"gather": []}, status=(70, output, "Traceback"))
    assert (caught.value.facts["code"], caught.value.facts["exit"]) == ("no-answer", 70)


def test_warnings(utils):
    errors = "warning[a]: one\n  --> file:1\nhint: mend it\nwarning[b]: two\n\nsome talk\n"
    assert utils.command.find_warnings(errors) == ["[a]: one --> file:1 hint: mend it", "[b]: two"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, []),
        ({"host": "ssh://a"}, ["--host", "ssh://a"]),
        ({"root": "/r/"}, ["--root", "/r"]),
        ({"image": "/i"}, ["--image", "/i"]),
    ],
)
def test_targets(utils, params, words):
    assert utils.wishes.place_words({"root": None, "image": None, "host": None} | params) == words


def test_tokens_go_through_the_environment(utils):
    params = POLICY | {"index_tokens": {"my-site": "secret"}}
    assert utils.wishes.token_environment(params) == {"POLPKG_INDEX_MY_SITE_TOKEN": "secret"}
    assert "secret" not in " ".join(utils.wishes.source_words(params))
    assert utils.wishes.SOURCES["index_tokens"]["no_log"] is True


def test_a_table_is_no_parameter(utils):
    with pytest.raises(utils.command.PolpkgError, match="value or a list"):
        utils.wishes.parameter_text({"a": 1})


def test_policy_toml_says_what_the_mapping_says(utils):
    import tomllib

    policy = {
        "packages": {"vmv": ">=1", 'odd "name"': "*"},
        "instances": {"vmv": {"acme": {"guests": {"web": {"memory": 3, "pci": ["0000:03:00.0"]}, "db": {}}}}},
        "booleans": {"b": False},
        "target": {"keep": 4, "base": [], "xen": "4.17", "text": 'tab\t"quote" \\ \x7f ü'},
    }
    text = utils.policy_toml.render_policy(policy)
    assert tomllib.loads(text) == policy
    assert utils.policy_toml.render_policy(dict(reversed(policy.items()))) == text
    assert utils.policy_toml.render_policy("as = 'it is'") == "as = 'it is'"


def test_policy_toml_refuses_what_toml_has_not(utils):
    with pytest.raises(ValueError, match=r"target\.xen: None"):
        utils.policy_toml.render_policy({"target": {"xen": None}})
    with pytest.raises(utils.command.PolpkgError, match=r"target\.xen"):
        run(utils, "have_policy", POLICY | {"policy": {"target": {"xen": None}}}, sync=CHANGE)


def test_nothing_of_ansible_is_needed_for_these(utils):
    assert "ansible.module_utils" not in sys.modules
