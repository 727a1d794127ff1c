"""Who owns a privileged function for a client, as fragments ask for it.

Owners are data: the linker has them before it expands anything (DESIGN.md 5).  This module turns them into the macros
`for_each_owner`, `for_each_client` and `ifowner`, and the parameters of instances into `parameter`.  With `refuse` a
fragment says that what it was asked for does not go together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from polpkg.policy.syntax.m4 import NativeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Owners(Protocol):
    """Answers who owns what.  Functions are named as in manifests (`net-backend`), domains by type (`dom0_t`)."""

    def owners(self, function: str, client: str) -> tuple[str, ...]:
        """The types that own `function` for the guest type `client`."""
        ...

    def clients(self, function: str, owner: str) -> tuple[str, ...]:
        """The guest types for which the type `owner` owns `function`."""
        ...

    def functions(self) -> tuple[str, ...]:
        """Every function there is."""
        ...


SHOWN_MACROS = frozenset({"for_each_owner", "for_each_client"})
"""Those of the macros below that are seen in the macro stack of a rule, with the function that they were called for."""


def function_of(macros: Sequence[str]) -> str:
    """The function on whose behalf a rule was written, by its macro stack, outermost first; "" when for none.

    It is named as in manifests.
    """
    for name in reversed(macros):
        macro, _, function = name.partition("(")
        if macro in SHOWN_MACROS:
            return function.removesuffix(")").replace("_", "-")
    return ""


def function_named(word: str, functions: Iterable[str]) -> str:
    """The function that a fragment calls `word`, `net_backend` say.  Raises NativeError when there is none."""
    known = {name.replace("-", "_"): name for name in functions}
    name = word.strip()
    if name not in known:
        from difflib import get_close_matches

        close = get_close_matches(name, known, 1)
        hint = f"did you mean `{close[0]}`?" if close else f"functions: {', '.join(known)}"
        raise NativeError("unknown-function", f"`{name}` is not a privileged function", hint=hint)
    return known[name]


def owner_macros(owners: Owners) -> dict[str, Callable[[Sequence[str]], str]]:
    """`for_each_owner(FUNCTION, CLIENT, MACRO)`, `for_each_client(FUNCTION, OWNER, MACRO)`, `ifowner(FUNCTION, OWNER,
    CLIENT, THEN, ELSE)`; each call of MACRO gets the owner and the client, and stands on a line of its own.
    """
    functions = owners.functions()

    def find(arguments: Sequence[str], macro: str, count: int) -> str:
        if len(arguments) < count:
            raise NativeError("too-few-arguments", f"`{macro}` needs {count} arguments, and has {len(arguments)}")
        return function_named(arguments[0], functions)

    def for_each_owner(arguments: Sequence[str]) -> str:
        function = find(arguments, "for_each_owner", 3)
        client, macro = arguments[1].strip(), arguments[2]
        return "\n".join(f"{macro}({owner}, {client})" for owner in owners.owners(function, client))

    def for_each_client(arguments: Sequence[str]) -> str:
        function = find(arguments, "for_each_client", 3)
        owner, macro = arguments[1].strip(), arguments[2]
        return "\n".join(f"{macro}({owner}, {client})" for client in owners.clients(function, owner))

    def ifowner(arguments: Sequence[str]) -> str:
        function = find(arguments, "ifowner", 4)
        owner, client = arguments[1].strip(), arguments[2].strip()
        branches = [*arguments[3:5], ""]
        return branches[0] if owner in owners.owners(function, client) else branches[1]

    return {"for_each_owner": for_each_owner, "for_each_client": for_each_client, "ifowner": ifowner}


def refuse(arguments: Sequence[str]) -> str:
    """`refuse(MESSAGE, HINT)`: parameters, options or the hypervisor do not fit; the place is where it is called."""
    message, hint = (*(" ".join(a.split()) for a in arguments), "", "")[:2]
    raise NativeError("refused-by-package", message, hint=hint)


def parameter_macro(parameters: Mapping[tuple[str, str], str]) -> Callable[[Sequence[str]], str]:
    """`parameter(PREFIX, NAME)`: the value of a parameter of the instance with that prefix."""

    def parameter(arguments: Sequence[str]) -> str:
        prefix, name = (*(a.strip() for a in arguments), "", "")[:2]
        try:
            return parameters[prefix, name]
        except KeyError:
            message = f"no instance with prefix `{prefix}` has a parameter `{name}`"
            raise NativeError("unknown-parameter", message) from None

    return parameter


class NoOwners:
    """Nobody owns anything: for what is linked without packages."""

    def owners(self, function: str, client: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None."""
        return ()

    def clients(self, function: str, owner: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None."""
        return ()

    def functions(self) -> tuple[str, ...]:
        """None."""
        return ()
