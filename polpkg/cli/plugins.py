"""`polpkg plugins`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.console import Console
from polpkg.cli.render import visible

if TYPE_CHECKING:
    from polpkg.plugin.manager import Distribution, Plugins


def command(console: Console) -> None:
    """List the plugins and what each of them adds.

    polpkg's own parts come first; they are registered by the same hooks.  A plugin that is broken is listed with the
    reason and is not used.

    For example:
      polpkg plugins
    """
    from polpkg.plugin.manager import load_plugins

    plugins = load_plugins()
    console.answer(_document(plugins), _text(plugins))


def _document(plugins: Plugins) -> dict[str, Any]:
    return {
        "plugins": [
            {"name": d.name, "version": d.version, "builtin": d.builtin, "registers": _registered(d)}
            for d in plugins.distributions
        ],
        "broken": [broken._asdict() for broken in plugins.broken],
    }


def _registered(distribution: Distribution) -> dict[str, list[str]]:
    """Names by kind; of packages the packages themselves, since nobody types the name of a source."""
    names = {kind: sorted(value.name for value in values) for kind, values in distribution.registered.items()}
    if "packages" in names:
        sources = distribution.registered["packages"]
        names["packages"] = sorted(name for source in sources for name in source.package_names())
    return names


def _text(plugins: Plugins) -> str:
    lines: list[str] = []
    for distribution in plugins.distributions:
        lines.append(f"{distribution.name} {distribution.version}{' (built in)' * distribution.builtin}")
        names = _registered(distribution)
        lines += [f"  {kind.replace('_', ' ').ljust(12)} {', '.join(names[kind]) or 'none'}" for kind in names]
    lines += [visible(f"{name} {version} is left out: {reason}") for name, version, reason in plugins.broken]
    return "\n".join(lines)
