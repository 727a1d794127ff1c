"""The hooks: everything that a plugin can add to polpkg, and the two moments that it can watch.

A plugin is a distribution with an entry point in the group `polpkg` that names a module:

    [project.entry-points.polpkg]
    acme = "polpkg_acme.plugin"

The module implements any of the hooks below as functions marked with `polpkg.api.hookimpl`.  An implementation may
leave out parameters that it does not need, and names no others.  It is called at most once per command, promises no
order and is promised none: results of all plugins are collected, and a name that two of them register is an error
that names both.  Registering is cheap: return values, import nothing heavy, touch no file and no network.

Whatever goes wrong in a plugin (it does not import, an unknown hook or parameter, an exception, a result of another
type) is reported with the name and version of its distribution.  That plugin is then left out; everything else works.
"""

# pyright: reportReturnType=false
# A specification has no body: pluggy reads its name and its parameters and never calls it.

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from polpkg.plugin.values import Component, PackageSource, Role, Veto
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import Receipt

PROJECT = "polpkg"
"""The name that hooks and implementations are marked with, and the entry-point group of plugins."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- Registration: what there is.  Asked when a command first needs plugins. -----------------------------------------


@hookspec
def polpkg_register_packages() -> tuple[PackageSource, ...]:
    """Offer packages that come with the plugin, as part of the index `bundled`.

    When: before anything is resolved.
    Parameters: none.
    Result: a tuple of `PackageSource`, each a directory that holds package folders.  The directories are read only
        when a resolution looks for their packages, and a package that does not parse is then an error with its place.
    Order: none.  A package that two sources hold is an error that names both.

    Example::

        @hookimpl
        def polpkg_register_packages():
            return (PackageSource("polpkg-acme", Path(__file__).parent / "packages"),)
    """


@hookspec
def polpkg_register_roles() -> tuple[Role, ...]:
    """Explain what a domP is for, and which labels its instances have.

    When: before `labels`, `init --role` and `info` speak of roles.
    Parameters: none.
    Result: a tuple of `Role`.  A manifest refers to it by name (`role = "acme"`).
    Order: none.

    Example::

        @hookimpl
        def polpkg_register_roles():
            labels = (RoleLabel("domain", "$prefix_t"), RoleLabel("guest", "$prefix_$item_t", each="guests"))
            return (Role("acme", "creates and watches its own guests", labels),)
    """


@hookspec
def polpkg_register_frontends() -> tuple[Component, ...]:
    """Add languages that fragments may be written in.

    When: before the fragments of a package are read.
    Parameters: none.
    Result: a tuple of `Component`; the name is the suffix without its dot.  The implementation turns the fragments of
        one package into statements of the IR: see `polpkg.policy.syntax`.
    Order: none.  A suffix has one front end.

    Example::

        @hookimpl
        def polpkg_register_frontends():
            return (Component("yaml", "policy as a table", "polpkg_acme.yaml:read_fragment"),)
    """


@hookspec
def polpkg_register_backends() -> tuple[Component, ...]:
    """Add compilers from a linked policy to policydb bytes.

    When: before a policy is compiled, and for `--backend NAME`.
    Parameters: none.
    Result: a tuple of `Component`.  Calling the implementation without arguments gives a backend, as described in
        `polpkg.policy.backends`.
    Order: none; the backend is always chosen by its name.

    Example::

        @hookimpl
        def polpkg_register_backends():
            return (Component("acme", "the compiler of Acme", "polpkg_acme.backend:AcmeBackend"),)
    """


@hookspec
def polpkg_register_link_checks() -> tuple[Component, ...]:
    """Add checks on a whole linked policy.

    When: after linking and before compiling, in `link`, `check` and every change of a target.
    Parameters: none.
    Result: a tuple of `Component`.  The implementation is a function that takes a `polpkg.api.LinkedPolicy` and
        returns an iterable of `polpkg.api.Diagnostic`; an error among them stops the work with exit code 5.
    Order: none.  All checks run, and all findings are shown.

    Example::

        @hookimpl
        def polpkg_register_link_checks():
            return (Component("two-owners", "no guest has two builders", "polpkg_acme.checks:two_owners"),)
    """


@hookspec
def polpkg_register_targets() -> tuple[Component, ...]:
    """Add kinds of places that a policy can be installed to.

    When: before a target is opened.
    Parameters: none.
    Result: a tuple of `Component`; the name is the scheme of `--host SCHEME://...`, or `tree` for the one behind
        `--root` and `image` for the one behind `--image`.  The implementation takes the address and
        returns a `polpkg.api.Target`.
    Order: none.

    Example::

        @hookimpl
        def polpkg_register_targets():
            return (Component("acme", "a host behind Acme's management plane", "polpkg_acme.target:open_target"),)
    """


@hookspec
def polpkg_register_boot_paths() -> tuple[Component, ...]:
    """Add ways in which a policy reaches a hypervisor at boot.

    When: whenever a target is changed, confirmed, probed or verified.
    Parameters: none.
    Result: a tuple of `Component`.  Calling the implementation without arguments gives a `polpkg.api.BootPath`, which
        says whether it starts a hypervisor file, where the policy for that file has to be, what its boot loader needs,
        and what is found in its configuration.
    Order: those that come with polpkg are asked first, so a plugin cannot take over a file that they know.

    Example::

        @hookimpl
        def polpkg_register_boot_paths():
            return (Component("coreboot", "a payload in the firmware image", "polpkg_acme.boot:find_payload"),)
    """


@hookspec
def polpkg_register_index_kinds() -> tuple[Component, ...]:
    """Add ways in which an index can be reached.

    When: before an index is read.
    Parameters: none.
    Result: a tuple of `Component`; the name is the scheme of the index URL.  The implementation opens an index: it
        takes the index's name and URL and returns a `polpkg.api.Index`.
    Order: none.

    Example::

        @hookimpl
        def polpkg_register_index_kinds():
            return (Component("oci", "an index in an OCI registry", "polpkg_acme.oci:open_index"),)
    """


@hookspec
def polpkg_register_commands() -> tuple[Component, ...]:
    """Add verbs to the command line.

    When: for `polpkg --help`, and when a verb is typed that polpkg itself does not have.
    Parameters: none.
    Result: a tuple of `Component`; the name is what is typed after `polpkg`, of one or more words, and the first may
        not be a verb of polpkg.  The implementation is a function whose parameters become arguments and options by
        their annotations and defaults; it returns a `polpkg.api.CommandResult` or raises a `polpkg.api.PolpkgError`.
    Order: none.

    Example::

        @hookimpl
        def polpkg_register_commands():
            return (Component("acme admit", "let a guest in", "polpkg_acme.admit:admit"),)
    """


# --- Observation: what is about to happen, and what has happened. ----------------------------------------------------


@hookspec
def plan_ready(plan: Plan) -> Veto | None:
    """Look at a plan before a person is asked to confirm it, and refuse it if it must not be.

    When: after the plan of a change is made and before anything is shown or written; also with `--dry-run`.
    Parameters: `plan`, the frozen `polpkg.api.Plan`: packages, functions and policies that will be, what changes, and
        every action in its order.
    Result: a `Veto`, which ends the command with exit code 6 and its reason, or None.
    Order: none.  Every plugin is asked, and all vetoes are shown.

    Example::

        @hookimpl
        def plan_ready(plan):
            if any(package.name == "legacy" for package in plan.packages):
                return Veto("legacy is not allowed on these hosts", hint="remove legacy from policy.toml")
    """


@hookspec
def generation_committed(receipt: Receipt) -> None:
    """Be told that a target has a new current generation.

    When: after the switch, when all files are in place; not with `--dry-run`, and not when nothing changed.
    Parameters: `receipt`, the frozen `polpkg.api.Receipt` of the generation: its number, packages, policies and files.
    Result: none.  Nothing can be changed or stopped any more; an exception is reported and the command still succeeds.
    Order: none.

    Example::

        @hookimpl
        def generation_committed(receipt):
            syslog.syslog(f"polpkg: generation {receipt.generation}")
    """
