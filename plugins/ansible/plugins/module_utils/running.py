"""From a task of Ansible to polpkg and back."""

from __future__ import annotations

from ansible_collections.polpkg.xen.plugins.module_utils.command import Polpkg, PolpkgError
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import place_words, token_environment

_ELSEWHERE = ["/usr/local/bin", "/opt/polpkg/bin"]
_HINT = "install polpkg on the machine where the module runs, or say where it is with `executable`"


def run_task(module, task):
    """Run one of `tasks` for a module, and end it with what came of that.

    polpkg runs in `/`, so that a policy.toml which happens to lie in a home directory means nothing.
    """
    environment = {"NO_COLOR": "1", **token_environment(module.params)}

    def run(words):
        return module.run_command(words, cwd="/", environ_update=environment)

    polpkg = Polpkg(run, [_find_program(module)], place_words(module.params))
    try:
        result = task(polpkg, module.params, module.check_mode, module._diff)  # noqa: SLF001 - its documented place
    except PolpkgError as failure:
        _warn(module, polpkg)
        module.fail_json(msg=failure.message, cmd=polpkg.words, **failure.facts)
    _warn(module, polpkg)
    module.exit_json(cmd=polpkg.words, **result)


def _find_program(module):
    wanted = module.params.get("executable") or "polpkg"
    found = module.get_bin_path(wanted, required=False, opt_dirs=_ELSEWHERE)
    if found is None:
        module.fail_json(msg=f"there is no {wanted} here; {_HINT}", code="no-polpkg", hint=_HINT)
    return found


def _warn(module, polpkg):
    for warning in dict.fromkeys(polpkg.warnings):
        module.warn(f"polpkg {warning}")
