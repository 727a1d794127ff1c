"""Strict dependencies: a package uses only what the packages that it directly requires declare and define.

A rule inside a macro may use what the macro's own package may use, since its author required it.  So a name is allowed
at a place when one of the packages on the macro stack that leads there requires the one that declares it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.diagnostics import Frame, Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.report import Report
    from polpkg.policy.link.symbols import Declaration


class Dependencies:
    """Answers whether a place may use what a package declares.

    `anywhere`: types that a macro may be handed by the owners of functions; they and the types named after them need no
    requirement, as long as it is a macro that uses them.
    """

    def __init__(self, modules: Iterable[PolicyModule], anywhere: frozenset[str], report: Report) -> None:
        """The requirements of `modules` are what is checked."""
        self._report = report
        self._anywhere = anywhere
        self._allowed: dict[str, frozenset[str] | None] = {
            m.package: None if m.requires is None else m.requires | {m.package} for m in modules
        }
        self._frames: dict[tuple[int, str], bool] = {}
        self._said: set[tuple[str, str, str]] = set()

    def covers(self, packages: frozenset[str], module: PolicyModule) -> bool:
        """Whether `module` may use what all of `packages` declare, wherever it stands."""
        allowed = self._allowed.get(module.package)
        return allowed is None or packages <= allowed

    def are_handed(self, names: Iterable[str]) -> bool:
        """Whether all of `names` need no requirement in a macro."""
        return all(map(self._is_handed, names))

    def check(self, name: str, declaration: Declaration, module: PolicyModule, place: Place) -> None:
        """Reports the use of `name` at `place` in `module` when its package is not required."""
        allowed = self._allowed.get(module.package)
        if allowed is None or declaration.package in allowed or self._by_stack(declaration.package, place.frame):
            return
        if place.frame.macro and self._is_handed(name):
            return
        key = (module.package, declaration.package, name)
        if key in self._said:
            return
        self._said.add(key)
        message = (
            f"package `{module.package}` uses {declaration.kind.value} `{name}` of package `{declaration.package}`, "
            "which it does not require"
        )
        hint = f'add `{declaration.package} = "*"` to [requires] in its polpkg.toml'
        note = declared_at("declared here", declaration.place)
        self._report.error(place, "undeclared-dependency", message, hint, (note,), word=name)

    def check_macros(self, module: PolicyModule) -> None:
        """Reports macros of packages that are not required."""
        for name, owner, caller, place in module.macro_uses:
            allowed = self._allowed.get(caller, frozenset())
            if owner == caller or allowed is None or owner in allowed or (caller, owner, name) in self._said:
                continue
            self._said.add((caller, owner, name))
            message = f"package `{caller}` calls macro `{name}` of package `{owner}`, which it does not require"
            hint = f'add `{owner} = "*"` to [requires] in its polpkg.toml'
            self._report.error(place, "undeclared-dependency", message, hint)

    def _by_stack(self, package: str, frame: Frame) -> bool:
        key = (id(frame), package)
        known = self._frames.get(key)
        if known is None:
            allowed = self._allowed.get(frame.source.package, frozenset())
            caller = frame.called_at
            known = (allowed is not None and package in allowed) or (
                caller is not None and self._by_stack(package, caller.frame)
            )
            self._frames[key] = known
        return known

    def _is_handed(self, name: str) -> bool:
        if name in self._anywhere:
            return True
        cut = name.rfind("_")
        while cut > 0:
            if name[:cut] in self._anywhere:
                return True
            cut = name.rfind("_", 0, cut)
        return False
