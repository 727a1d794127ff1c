"""From the parameters of a task to the words of a command line."""

from __future__ import annotations

import os

from ansible_collections.polpkg.xen.plugins.module_utils.command import PolpkgError

PLACE = {
    "root": {"type": "path"},
    "image": {"type": "path"},
    "host": {"type": "str"},
    "executable": {"type": "path"},
}
"""Parameters of every module: which target, and which polpkg."""

WAITING = {"confirm_within": {"type": "str"}}
"""Parameters of modules that change a target: how long it waits to be confirmed."""

SOURCES = {
    "xen": {"type": "str"},
    "indexes": {"type": "dict", "default": {}},
    "index_tokens": {"type": "dict", "default": {}, "no_log": True},
    "offline": {"type": "bool", "default": False},
}
"""Parameters of modules that may make a policy: for which hypervisor, and where packages come from."""


def place_words(params):
    """The words that name the target: at most one of the parameters is given."""
    for name in ("root", "image"):
        if params.get(name):
            return [f"--{name}", os.path.abspath(params[name])]
    return ["--host", params["host"]] if params.get("host") else []


def source_words(params):
    """The words for the hypervisor and the indexes."""
    words = ["--xen", params["xen"]] if params.get("xen") else []
    for name in sorted(params.get("indexes") or {}):
        words += ["--index", f"{name}={params['indexes'][name]}"]
    return words + (["--offline"] if params.get("offline") else [])


def waiting_words(params):
    """The words for the time after which a running host takes a change back by itself."""
    return ["--confirm-within", params["confirm_within"]] if params.get("confirm_within") else []


def token_environment(params):
    """Environment variables that give polpkg the tokens of indexes: never on a command line, which others can see."""
    tokens = params.get("index_tokens") or {}
    return {f"POLPKG_INDEX_{name.upper().replace('-', '_')}_TOKEN": str(tokens[name]) for name in tokens}


def install_words(params):
    """`polpkg install` with the packages, options, instance and parameters of a task."""
    words = ["install", *params["packages"]]
    if params.get("instance"):
        words += ["--instance", params["instance"]]
    for key in sorted(params.get("parameters") or {}):
        words += ["--set", f"{key}={parameter_text(params['parameters'][key])}"]
    for option in params.get("options") or ():
        words += ["--option", option]
    return words


def parameter_text(value):
    """A value as `--set` takes it.  Raises `PolpkgError` for tables of tables, which only policy.toml can hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(parameter_text(each) for each in value)
    if isinstance(value, dict):
        facts = {"code": "nested-parameter", "hint": "write it below `instances` of `policy`"}
        raise PolpkgError("a parameter of an instance is a value or a list of values", facts)
    return str(value)


def names_to_remove(params, status):
    """Of the packages that shall go those that were asked for; with `instance`, those that have that instance."""
    asked = {each["name"]: each for each in status["requested"] or () if not each["base"]}
    instance = params.get("instance")
    if not instance:
        return [name for name in params["packages"] if name in asked]
    return [name for name in params["packages"] if name in asked and instance in _instances(asked[name])]


def _instances(asked):
    """The names of the instances of a package; one without any has one that is called as itself."""
    return [each["name"] for each in asked["instances"]] or [asked["name"]]
