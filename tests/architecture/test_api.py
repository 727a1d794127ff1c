"""The public names: a change of this list is a decision, so it is written down twice."""

import inspect

import polpkg.api
from polpkg.plugin import hookspecs
from polpkg.plugin.manager import REGISTRATIONS

PUBLIC = """
    ApplyError BootPath CommandResult Component Diagnostic ExitCode Guest Index LinkedPolicy MacroUse NetworkError
    Note Origin PackageSource PendingError Plan PolicyError PolpkgError Receipt ResolutionError Role RoleLabel
    Severity Surroundings Target TargetError TrustError UsageError Verdict Veto XlKey check_guest hookimpl
    read_guest
""".split()

HOOKS = [function for name, function in vars(hookspecs).items() if hasattr(function, "polpkg_spec")]


def test_the_public_names_are_these():
    assert polpkg.api.__all__ == PUBLIC
    assert dir(polpkg.api) == PUBLIC


def test_every_public_name_exists_and_is_documented():
    for name in PUBLIC:
        assert inspect.getdoc(getattr(polpkg.api, name)), name


def test_other_names_do_not_exist():
    assert not hasattr(polpkg.api, "load_plugins")


def test_every_kind_of_registration_has_its_hook():
    names = {function.__name__ for function in HOOKS}
    assert names == {f"polpkg_register_{kind}" for kind in REGISTRATIONS} | {"plan_ready", "generation_committed"}


def test_every_hook_says_when_with_what_and_in_which_order():
    for function in HOOKS:
        document = inspect.getdoc(function)
        for part in ("When:", "Parameters:", "Result:", "Order:", "Example::", "@hookimpl"):
            assert part in document, f"{function.__name__}: {part}"
        assert f"def {function.__name__}(" in document.partition("Example::")[2]
        for parameter in inspect.signature(function).parameters:
            assert f"`{parameter}`" in document, f"{function.__name__}: {parameter}"
