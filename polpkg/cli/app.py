'''The verbs of polpkg, and how a command line finds its verb.

To add a verb, write its module and add one line to `VERBS`.  The verb `move-guest` lives in `polpkg/cli/move_guest.py`
(a name that Python reserves gets a `_`: `import_.py`), which defines `command`:

    def command(
        console: Console,
        target: TargetOptions,
        guest: Annotated[str, typer.Argument(metavar="GUEST", help="The guest to move.")],
    ) -> ExitCode | None:
        """Move a guest to another owner.

        For example:
          polpkg move-guest web --root build/demo
        """
        from polpkg.ops.move_guest import move_guest

        moved = move_guest(...)
        console.answer({"guest": guest, "owner": moved.owner}, f"{guest} now belongs to {moved.owner}")

Its parameters are the arguments and options; groups that verbs share are in `options`; `console` prints.  It returns
its exit code, None for 0, and raises a `PolpkgError` for anything that is wrong.  A verb with verbs of its own
(`index add`) also defines, or instead, `SUBVERBS = {"add": add, "list": list_indexes}`, functions of the same form.

Only the module of the verb that was typed is imported, and typer only with it: `polpkg --help` needs neither.
'''

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from polpkg.plugin.manager import Plugins


class Verb(NamedTuple):
    """A verb's place in the overview, and the line that describes it there."""

    section: str
    summary: str


TARGET = "What a target has"
PACKAGES = "Packages"
AUTHORING = "Writing packages"
POLICY = "Questions to a policy"
HOUSEKEEPING = "Housekeeping"

VERBS: dict[str, Verb] = {
    "install": Verb(TARGET, "Install packages, with what they require, onto a target."),
    "remove": Verb(TARGET, "Remove packages, or one instance, and what nothing needs any more."),
    "upgrade": Verb(TARGET, "Move packages to the newest versions that policy.toml allows."),
    "sync": Verb(TARGET, "Make a target have what policy.toml and policy.lock say."),
    "refit": Verb(TARGET, "Fit the policy of a target to its hypervisors, after an upgrade."),
    "status": Verb(TARGET, "Show what a target has now."),
    "list": Verb(TARGET, "List the packages of a target."),
    "history": Verb(TARGET, "List the generations of a target."),
    "rollback": Verb(TARGET, "Go back to an earlier generation."),
    "adopt": Verb(TARGET, "Keep the policies that a target had before, as generation 0."),
    "confirm": Verb(TARGET, "Say that the current generation booted well."),
    "verify": Verb(TARGET, "See whether a target still is what was installed."),
    "doctor": Verb(TARGET, "Say in plain words what of a target will not work, and why."),
    "functions": Verb(TARGET, "Show who owns each function, what dom0 still holds, and why."),
    "labels": Verb(TARGET, "Show the labels of every role, with the lines for xl.cfg."),
    "devices": Verb(TARGET, "Find the devices of a machine, and who is to drive them."),
    "xl": Verb(TARGET, "See whether a guest configuration of xl fits the policy."),
    "boolean": Verb(TARGET, "List and set the booleans of the policy of a target."),
    "permissive": Verb(TARGET, "Let types do anything, and log it, for a learning run."),
    "lock": Verb(PACKAGES, "Resolve requirements and write policy.lock."),
    "tree": Verb(PACKAGES, "Show which package requires which."),
    "why": Verb(PACKAGES, "Show why a package is there."),
    "why-not": Verb(PACKAGES, "Show whether a package would fit, and if not, why not."),
    "outdated": Verb(PACKAGES, "Show which locked packages have newer versions."),
    "search": Verb(PACKAGES, "Find packages by name, summary and function."),
    "info": Verb(PACKAGES, "Show all about a package."),
    "export": Verb(PACKAGES, "Write all locked packages out, for a site without network."),
    "index": Verb(PACKAGES, "Manage where packages come from, and make an index."),
    "init": Verb(AUTHORING, "Begin a package."),
    "check": Verb(AUTHORING, "See whether a package parses, links and keeps its assertions."),
    "test": Verb(AUTHORING, "Run the policy tests of a package."),
    "build": Verb(AUTHORING, "Make the archive of a package."),
    "link": Verb(AUTHORING, "Link packages into one policy, without a target."),
    "import": Verb(AUTHORING, "Make packages of a policy tree, its sources unchanged."),
    "explain": Verb(POLICY, "Show which rules allow something, and where they come from."),
    "query": Verb(POLICY, "Ask a policy what is in it."),
    "diff": Verb(POLICY, "Show what one policy says that another does not."),
    "probe": Verb(POLICY, "Show what a hypervisor file or a target is."),
    "lab": Verb(POLICY, "Try a policy on a hypervisor in a box, before it touches a host."),
    "cache": Verb(HOUSEKEEPING, "Look after what was fetched before."),
    "plugins": Verb(HOUSEKEEPING, "List the plugins and what each of them adds."),
}
"""All verbs, in the order of the overview.  The summary is the first line of the function's docstring."""

_HELP = frozenset({"--help", "-h", "help"})
_MOVABLE = frozenset({"--json", "--quiet", "-q", "--verbose", "-v"})


def run(words: Sequence[str]) -> int:
    """Run the command that `words` spell; its exit code.  Raises `PolpkgError` for what a person can mend."""
    leading = _leading_options(words)
    verb, rest = words[len(leading) : len(leading) + 1], [*words[len(leading) + 1 :], *leading]
    if not verb or verb[0] in _HELP:
        return _help([word for word in rest if word not in _MOVABLE], verb, json="--json" in rest)
    if verb[0].startswith("-"):
        return _version_or_refuse(verb[0], json="--json" in rest)
    if verb[0] in VERBS:
        return _run_verb(verb[0], rest)
    return _run_plugin_command([verb[0], *rest])


def _leading_options(words: Sequence[str]) -> list[str]:
    """Flags that every verb has may stand before it."""
    for count, word in enumerate(words):
        if word not in _MOVABLE:
            return list(words[:count])
    return list(words)


def _version_or_refuse(word: str, *, json: bool) -> int:
    from polpkg import __version__
    from polpkg.cli.console import Console

    if word not in {"--version", "-V"}:
        raise UsageError("usage", f"{word} is no verb; options come after the verb", hint="see `polpkg --help`")
    Console("version", json=json).answer({"version": __version__}, f"polpkg {__version__}")
    return 0


def _run_verb(name: str, words: Sequence[str]) -> int:
    module = import_verb(name)
    subverbs: Mapping[str, Callable[..., Any]] = getattr(module, "SUBVERBS", {})
    for length in (2, 1):
        typed = " ".join(words[:length])
        if typed in subverbs:
            return _run_function(f"{name} {typed}", subverbs[typed], words[length:])
    if hasattr(module, "command"):
        return _run_function(name, module.command, words)
    return _subverb_overview(name, subverbs, words)


def import_verb(name: str) -> Any:
    """The module of the verb `name`."""
    from importlib import import_module
    from keyword import iskeyword

    stem = name.replace("-", "_")
    return import_module(f"polpkg.cli.{stem}{'_' if iskeyword(stem) else ''}")


def _run_function(name: str, function: Callable[..., Any], words: Sequence[str]) -> int:
    from polpkg.cli.binding import run_function

    return run_function(name, function, words)


def _run_plugin_command(words: Sequence[str]) -> int:
    plugins = _plugins()
    commands = plugins.commands
    for length in range(len(words), 0, -1):
        component = commands.get(" ".join(words[:length]))
        if component is not None:
            return _run_function(component.name, plugins.load(component), words[length:])
    known = [*VERBS, *commands]
    raise UsageError("unknown-verb", f"there is no verb {words[0]}", hint=_nearest(words[0], known))


def _plugins() -> Plugins:
    """All plugins, after a warning on stderr for each that is left out."""
    from polpkg.cli.console import Console
    from polpkg.plugin.manager import load_plugins

    plugins = load_plugins()
    Console("plugins").warn(plugins.warnings())
    return plugins


def _nearest(typed: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(typed, known, n=1)
    return f"did you mean `polpkg {near[0]}`?" if near else "`polpkg --help` lists all verbs"


def _help(topic: Sequence[str], verb: Sequence[str], *, json: bool = False) -> int:
    """`polpkg --help` and `polpkg help VERB`; without any word at all, the overview and exit code 2."""
    from polpkg.cli.console import Console

    if topic:
        return run([*topic, "--help"])
    if not verb and json:
        raise UsageError("usage", "a verb is missing", hint="see `polpkg --help`")
    Console("help").answer({}, overview(VERBS, _plugins()))
    return 0 if verb else 2


def overview(verbs: Mapping[str, Verb], plugins: Plugins) -> str:
    """The text of `polpkg --help`: all verbs by section, then those of plugins."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for name, verb in verbs.items():
        sections.setdefault(verb.section, []).append((name, verb.summary))
    if plugins.commands:
        sections["From plugins"] = [(c.name, c.summary) for c in plugins.commands.values()]
    size = max(len(name) for rows in sections.values() for name, _ in rows)
    lines = ["The package manager for Xen XSM/FLASK policy.", "", "Usage: polpkg VERB [OPTIONS] [ARGUMENTS]"]
    for title, rows in sections.items():
        lines += ["", f"{title}:", *(f"  {name.ljust(size)}  {summary}" for name, summary in rows)]
    return "\n".join([*lines, "", "`polpkg VERB --help` tells all about a verb, `polpkg --version` the version."])


def _subverb_overview(name: str, subverbs: Mapping[str, Callable[..., Any]], words: Sequence[str]) -> int:
    from polpkg.cli.console import Console
    from polpkg.cli.render import wrapped

    typed = [word for word in words if word not in _MOVABLE]
    if typed and typed[0] not in _HELP:
        raise UsageError("unknown-verb", f"there is no verb {name} {typed[0]}", hint=f"see `polpkg {name} --help`")
    if not typed and "--json" in words:
        raise UsageError("usage", f"{name} needs a verb of its own: {', '.join(subverbs)}")
    size = max(map(len, subverbs))
    lines = [f"Usage: polpkg {name} VERB [OPTIONS] [ARGUMENTS]", ""]
    for sub, function in subverbs.items():
        summary = (function.__doc__ or "").splitlines()[0]
        lines += wrapped(f"{sub.ljust(size)}  {summary}", 80, "  ", " " * (size + 4))
    lines += ["", f"`polpkg {name} VERB --help` tells all about a verb."]
    Console(name).answer({}, "\n".join(lines))
    return 0 if typed else 2
