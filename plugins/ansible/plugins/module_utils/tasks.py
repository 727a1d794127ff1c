"""What the modules do, as functions from a polpkg and the parameters of a task to its result.

All have the form `task(polpkg, params, check, diff)`; `check`: change nothing; `diff`: tell what changes.  They raise
`PolpkgError`.  A result says that something changed if and only if polpkg's document does.
"""

from __future__ import annotations

import os
import shutil
import tempfile

from ansible_collections.polpkg.xen.plugins.module_utils.command import PolpkgError
from ansible_collections.polpkg.xen.plugins.module_utils.difference import describe_change
from ansible_collections.polpkg.xen.plugins.module_utils.policy_toml import render_policy
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import (
    install_words,
    names_to_remove,
    source_words,
    waiting_words,
)

_RETURNED = ("generation", "packages", "functions", "policies", "changes", "notes", "overrides", "live")

LOOKS = {
    "history": ["history"],
    "functions": ["functions"],
    "labels": ["labels"],
    "booleans": ["boolean", "list"],
    "probe": ["probe"],
    "verify": ["verify"],
}
"""What can be gathered besides the status, with the words of the verb that tells it."""


def have_policy(polpkg, params, check, diff):
    """Packages, or a whole policy.toml: present, the newest, absent, or exactly as locked."""
    if params["state"] == "absent":
        return _remove(polpkg, params, check, diff)
    if params["state"] == "latest":
        words = ["upgrade", *(params.get("packages") or ())]
        return _change(polpkg, words + _options_of_change(params), check, diff)
    if params.get("packages"):
        return _change(polpkg, install_words(params) + _options_of_change(params), check, diff)
    return _sync(polpkg, params, check, diff)


def have_boolean(polpkg, params, check, diff):
    """A boolean of the policy with the value that is wanted."""
    value = {True: "on", False: "off", None: "default"}[params["value"]]
    words = ["boolean", "set", params["name"], value, *source_words(params), *waiting_words(params)]
    return _change(polpkg, words, check, diff)


def have_confirmed(polpkg, params, check, diff):
    """The current generation confirmed, when it is the one that is meant and the target is as it was installed.

    In check mode a generation that does not exist is one that a task before would have made.
    """
    status = polpkg.ask("status")
    trial = _waiting_trial(status)
    current = trial["becomes"] or status["generation"] if trial else status["generation"]
    meant = params.get("generation")
    if check and (current is None or (meant or 0) > current):
        return {"changed": True, "generation": meant, "confirmed_before": status["confirmed_generation"]}
    if meant is not None and current != meant:
        hint = "look at `polpkg history` there: it may have gone back by itself, or somebody else changed it"
        raise PolpkgError(
            f"generation {current} is current, not {meant}: nothing was confirmed",
            {"code": "another-generation", "hint": hint},
        )
    if params["verify"] and not trial:  # what is being tried is put in place only when it is confirmed
        _check_verified(polpkg.ask("verify"))
    words = ["confirm"] + (["--force"] if params["force"] else []) + (["--dry-run"] if check else [])
    done = polpkg.ask(*words)
    result = {"changed": done["changed"], "generation": done["generation"], "confirmed_before": done["before"]}
    if diff:
        result["diff"] = {
            "before": f"confirmed generation: {done['before']}\n",
            "after": f"confirmed generation: {done['generation']}\n",
        }
    return result


def _waiting_trial(status):
    """The policy that a running host tries until somebody confirms it; None when there is none."""
    trial = (status.get("live") or {}).get("trial")
    return trial if trial and trial["waits"] else None


def _check_verified(found):
    """Raise `PolpkgError` when a target is not what was installed."""
    if not found["ok"]:
        lines = [f"{each['message']} [{each['kind']}]" for each in found["drift"]]
        raise PolpkgError(
            f"not confirmed, the target is not what was installed: {'; '.join(lines)}",
            {"code": "drift", "hint": "`polpkg sync` mends it; `verify: false` confirms all the same"},
        )


def have_rolled_back(polpkg, params, check, diff):
    """What an earlier generation had; without a number, what the confirmed one had."""
    number = params.get("generation")
    if number is None:
        status = polpkg.ask("status")
        trial = _waiting_trial(status)
        if status["confirmed"] or trial:
            notes = [f"the host takes back what it tries within {trial['seconds']} seconds"] if trial else []
            current = status["generation"]
            return {"changed": False, "generation": current, "rolled_back_to": current, "notes": notes}
        number = status["confirmed_generation"]
        if number is None:
            hint = "name the generation to go back to"
            raise PolpkgError("no generation was ever confirmed", {"code": "nothing-confirmed", "hint": hint})
    words = ["rollback", str(number), *waiting_words(params)]
    return {**_change(polpkg, words, check, diff), "rolled_back_to": number}


def gather_facts(polpkg, params, check, diff):  # noqa: ARG001 - looking is the same in check mode
    """The facts `polpkg`: the status, and what else is asked for."""
    facts = _without_schema(polpkg.ask("status"))
    facts["package_versions"] = {package["name"]: package["version"] for package in facts["packages"]}
    for name in params["gather"]:
        found = _without_schema(polpkg.ask(*LOOKS[name]))
        facts[name] = found[name] if set(found) == {name} else found
    return {"changed": False, "ansible_facts": {"polpkg": facts}}


def _without_schema(document):
    return {key: value for key, value in document.items() if key != "schema"}


def _remove(polpkg, params, check, diff):
    status = polpkg.ask("status")
    names = names_to_remove(params, status)
    if not names:
        return {"changed": False, **_returned(status)}
    instance = ["--instance", params["instance"]] if params.get("instance") else []
    return _change(polpkg, ["remove", *names, *instance, *_options_of_change(params)], check, diff)


def _sync(polpkg, params, check, diff):
    """Make the target have what a policy.toml says, in a folder that is given, or made for this."""
    words = ["sync", *(["--locked"] if params["state"] == "locked" else []), *_options_of_change(params)]
    if params.get("project"):
        return _change(polpkg, [*words, "--project", os.path.abspath(params["project"])], check, diff)
    folder = tempfile.mkdtemp(prefix="polpkg-")
    try:
        _write(folder, "policy.toml", _rendered(params["policy"]))
        if params.get("lock"):
            _write(folder, "policy.lock", params["lock"])
        return _change(polpkg, [*words, "--project", folder], check, diff)
    finally:
        shutil.rmtree(folder)


def _rendered(policy):
    try:
        return render_policy(policy)
    except ValueError as error:
        raise PolpkgError(str(error), {"code": "not-toml"}) from None


def _write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
        file.write(text)


def _options_of_change(params):
    return source_words(params) + waiting_words(params) + ([] if params["activate"] else ["--no-activate"])


def _change(polpkg, words, check, diff):
    """Change the target, or with `check` find out what would change; the review is part of a dry run only."""
    planned = status = None
    if diff:
        status = polpkg.ask("status")
    if check or diff:
        planned = polpkg.ask(*words, "--dry-run")
    done = planned if check or (planned and not planned["changed"]) else polpkg.ask(*words, "--yes")
    result = {"changed": done["changed"], **_returned(done)}
    if check:
        result["review"] = planned["review"]
    if diff and done["changed"]:
        result["diff"] = describe_change(status, planned)
    return result


def _returned(document):
    return {name: document[name] for name in _RETURNED if name in document}
