"""Lint: what compiles and is probably not what was meant.

    unused-requirement         a package is required, and nothing of it is used
    unused-type                no rule, context or assertion is about a type
    unused-attribute           no rule, context or assertion is about an attribute
    undocumented-macro         a macro of a `.if` file has no comment above it
    redundant-rule             another rule allows all that a rule allows
    unguarded-permission       a class or permission is missing in a release of Xen that the package is for
    over-broad-rule            a dangerous permission is given on, or to, every type of an attribute that others join
    permissive-type            the denials of a type are logged and allowed
    no-summary, no-license     the manifest does not say what the package is, or under which terms it may be used
    owns-nothing               the package may declare any name
    suppression-without-reason a suppression does not say why
    unused-suppression         a suppression suppresses nothing
    unknown-lint               a suppression names no lint

`table.LINTS` has the level of each and an explanation.  A finding is suppressed by a comment on its line or the line
before it, with a reason:

    # polpkg: allow(over-broad-rule) the toolstack manages every guest

`lint` takes a `Subject`, one package in its linked policy, and returns findings; it raises nothing.
"""

from polpkg.policy.lint.run import lint
from polpkg.policy.lint.subject import Release, Subject
from polpkg.policy.lint.table import LINTS, Lint

__all__ = ["LINTS", "Lint", "Release", "Subject", "lint"]
