"""`polpkg link`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import BuildOptions, IndexOptions, InstanceOptions, Xen

if TYPE_CHECKING:
    from polpkg.ops.link import LinkAnswer


def command(
    console: Console,
    requirements: Annotated[list[str], typer.Argument(metavar="REQ...", help="Packages: a name, name>=1, or a path.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    indexes: IndexOptions,
    build: BuildOptions,
    instance: InstanceOptions,
    xen: Xen = None,
    emit: Annotated[
        str, typer.Option(metavar="FORM", help="policydb, cil, conf, map (rules and their origins) or modules.")
    ] = "policydb",
) -> None:
    """Link packages into one policy, without a target.

    Nothing is added to what is asked for and required.

    For example:
      polpkg link vmv netdom --xen 4.17 -o policy.bin
      polpkg link vmv --xen 4.17 --emit conf -o policy.conf
    """
    from polpkg.cli.session import make_context, parse_requirements
    from polpkg.ops.compiling import DEFAULT_BACKEND, DEFAULT_POLICYDB_VERSION, BuildSettings
    from polpkg.ops.link import LinkRequest, link_requirements
    from polpkg.ops.link import emit as emit_policy
    from polpkg.ops.output import write_output

    context = make_context(console, indexes)
    settings = BuildSettings(
        build.backend or DEFAULT_BACKEND, build.policydb_version or DEFAULT_POLICYDB_VERSION, build.mls
    )
    request = LinkRequest(
        parse_requirements(requirements),
        xen or "",
        settings,
        instance.instance or "",
        instance.parameters,
        instance.options,
    )
    answer = link_requirements(context, request)
    content = emit_policy(context, answer, emit)
    write_output(output, content)
    console.warn(answer.warnings)
    console.answer(_document(answer, output, content, emit), _text(answer, output, content))


def _document(answer: LinkAnswer, output: Path, content: bytes, form: str) -> dict[str, Any]:
    from hashlib import sha256

    from polpkg.cli.render import diagnostic_document
    from polpkg.ops.artifacts import count_allow_rules

    policy = answer.policy
    attributes = sum(1 for symbol in policy.types if symbol.is_attribute)
    return {
        "policy": {
            "path": str(output),
            "form": form,
            "sha256": sha256(content).hexdigest(),
            "size": len(content),
            "policydb_version": answer.settings.policydb_version,
            "backend": answer.settings.backend,
            "abi": policy.abi.fingerprint,
            "xen": policy.abi.version,
            "types": len(policy.types) - attributes,
            "attributes": attributes,
            "allow_rules": count_allow_rules(policy),
        },
        "packages": [
            {"name": p.name, "version": p.version, "index": p.index, "sha256": p.sha256} for p in answer.packages
        ],
        "functions": answer.assembly.claims.summary(),
        "warnings": [diagnostic_document(w) for w in answer.warnings],
    }


def _text(answer: LinkAnswer, output: Path, content: bytes) -> str:
    packages = ", ".join(f"{p.name} {p.version}" for p in answer.packages)
    return f"{output}: {len(content):,} bytes for Xen {answer.policy.abi.version}, from {packages}"
