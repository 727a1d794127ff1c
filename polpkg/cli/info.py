"""`polpkg info`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions, Project
from polpkg.packages.functions import NOBODY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.ops.info import PackageInfo
    from polpkg.packages.manifest import Manifest, Option, Parameter, ParameterValue


def command(
    console: Console,
    package: Annotated[str, typer.Argument(metavar="PKG", help="The package: a name, name>=1, or a path.")],
    place: PlaceOptions,
    indexes: IndexOptions,
    project: Project = None,
) -> None:
    """Show all about a package.

    Installed or not: it is looked for in the indexes of the command line and of policy.toml, and in the bundled one.

    For example:
      polpkg info vmv
      polpkg info ./my-role
    """
    from polpkg.cli.requirements import known_project
    from polpkg.cli.session import make_context
    from polpkg.ops.info import describe_package
    from polpkg.packages.requirement import parse_requirement

    context = make_context(console, indexes)
    known = known_project(context, place.target._replace(project=project))
    info = describe_package(context, parse_requirement(package), known)
    console.answer(_document(info), "\n".join(_lines(info, console.width)))


def _document(info: PackageInfo) -> dict[str, Any]:
    manifest, release = info.manifest, info.release
    functions = manifest.functions
    return {
        "name": manifest.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "license": manifest.license,
        "role": manifest.role or None,
        "index": release.index,
        "sha256": release.sha256,
        "size": release.size,
        "yanked": release.yanked or False,
        "versions": [{"version": r.version, "yanked": r.yanked or False} for r in info.releases],
        "xen": manifest.xen or "*",
        "requires": _specifiers(manifest.requires),
        "conflicts": _specifiers(manifest.conflicts),
        "functions": {
            "provides": list(functions.provides),
            "clients": functions.clients or None,
            **({} if functions.is_held else {"owner": NOBODY}),
        },
        "options": {name: _option_values(option) for name, option in manifest.options.items()},
        "parameters": [_parameter_values(each) for each in _parameters(manifest)],
        "owns": list(manifest.owns),
        "assertions": dict(manifest.assertions),
        "readme": info.readme,
    }


def _specifiers(table: Mapping[str, str]) -> dict[str, str]:
    return {name: specifier or "*" for name, specifier in sorted(table.items())}


def _option_values(option: Option) -> dict[str, Any]:
    return {
        "requires": _specifiers(option.requires),
        "fragments": list(option.fragments),
        "booleans": dict(option.booleans),
        "help": option.help or None,
    }


def _parameters(manifest: Manifest) -> tuple[Parameter, ...]:
    return tuple(manifest.instance.parameters.values()) if manifest.instance else ()


def _parameter_values(parameter: Parameter) -> dict[str, Any]:
    default = parameter.default
    return {
        "name": parameter.name,
        "type": parameter.type.value,
        "default": list(default) if isinstance(default, tuple) else default,
        "choices": list(parameter.choices) or None,
        "each": parameter.each or None,
        "help": parameter.help or None,
    }


def _lines(info: PackageInfo, width: int) -> Iterator[str]:
    from polpkg.cli.render import wrapped

    manifest, release = info.manifest, info.release
    yield from wrapped(f"{manifest.name} {manifest.version}: {manifest.summary}", width, others="")
    if info.readme:
        yield from ("", *wrapped(info.readme, width, others=""), "")
    yanked = f", yanked: {release.yanked}" if release.yanked else ""
    facts = [
        ("versions", ", ".join(each.version for each in info.releases)),
        ("index", f"{release.index}{yanked}"),
        ("archive", f"{release.size:,} bytes, sha256 {release.sha256[:12]}"),
        ("license", manifest.license),
        ("role", manifest.role),
        ("for Xen", manifest.xen or "any"),
        ("requires", _requirements(manifest.requires)),
        ("conflicts", _requirements(manifest.conflicts)),
        ("provides", _provides(manifest)),
        ("owns", ", ".join(manifest.owns)),
        *(("option", _option(option)) for option in manifest.options.values()),
        *(("parameter", _parameter(each)) for each in _parameters(manifest)),
        *(("asserts", name) for name in manifest.assertions),
    ]
    for title, text in facts:
        if text:
            yield from wrapped(f"{title.ljust(10)} {text}", width, others=" " * 11)


def _requirements(table: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {'' if spec == '*' else spec}".rstrip() for name, spec in _specifiers(table).items())


def _provides(manifest: Manifest) -> str:
    functions = manifest.functions
    if not functions.provides:
        return ""
    names = ", ".join(functions.provides)
    if not functions.is_held:
        return f"{names}, to nobody: it takes them away"
    clients = "every guest" if functions.clients == "*" else "the guests of its instances"
    return f"{names} for {clients}"


def _option(option: Option) -> str:
    settings = (f"{name}={'on' if value else 'off'}" for name, value in option.booleans.items())
    requires = f"requires {_requirements(option.requires)}" if option.requires else ""
    text = ", ".join(filter(None, (option.name, requires, *settings)))
    return f"{text}: {option.help}" if option.help else text


def _parameter(parameter: Parameter) -> str:
    text = f"{parameter.name} ({parameter.type.value}), default {_default(parameter.default)}"
    number = "any" if parameter.type.is_several else "one"
    choices = f"; {number} of {', '.join(parameter.choices)}" if parameter.choices else ""
    return f"{text}{choices}: {parameter.help}" if parameter.help else f"{text}{choices}"


def _default(value: ParameterValue) -> str:
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
