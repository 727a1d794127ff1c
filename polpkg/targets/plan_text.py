"""A plan for people, a line each, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from polpkg.targets.layout import PLAN_FILE
from polpkg.targets.plan import (
    Action,
    Plan,
    PruneGeneration,
    RemoveBootConfiguration,
    RemoveBootFile,
    RemoveSystemFile,
    SwitchCurrent,
    WriteBootConfiguration,
    WriteBootFile,
    WriteConfiguration,
    WriteGeneration,
    WriteMarks,
    WriteSystemFile,
)
from polpkg.targets.receipt import package_document, policy_document

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1

_NAMES: dict[type[Action], str] = {
    WriteGeneration: "write-generation",
    WriteBootFile: "write-boot-file",
    RemoveBootFile: "remove-boot-file",
    WriteConfiguration: "write-configuration",
    WriteSystemFile: "write-system-file",
    RemoveSystemFile: "remove-system-file",
    WriteBootConfiguration: "write-boot-configuration",
    RemoveBootConfiguration: "remove-boot-configuration",
    WriteMarks: "write-marks",
    SwitchCurrent: "switch-current",
    PruneGeneration: "prune-generation",
}


def plan_document(plan: Plan) -> dict[str, Any]:
    """`plan` as a JSON object: also what its generation keeps as `plan.json`."""
    return {
        "format": FORMAT,
        "action": plan.action,
        "generation": plan.generation,
        "previous": plan.previous,
        "changes": plan.changes.document,
        "packages": [package_document(package) for package in plan.packages],
        "functions": dict(plan.functions),
        "policies": [policy_document(policy) for policy in plan.policies],
        "actions": [{"do": _NAMES[type(each)], **each._asdict()} for each in plan.actions],
        "notes": list(plan.notes),
    }


def plan_lines(plan: Plan) -> list[str]:
    """`plan` for a person: the packages, then what is done in order, then what else to know."""
    if plan.is_empty:
        return [f"nothing to do: generation {plan.generation} is what is wanted"]
    return [*plan.changes.lines, *_action_lines(plan.actions), *(f"note: {note}" for note in plan.notes)]


def _action_lines(actions: Sequence[Action]) -> list[str]:
    return [_action_line(action) for action in actions]


def _action_line(action: Action) -> str:
    match action:
        case WriteGeneration(number, size=size):
            return f"write generation {number} ({size} bytes, with its {PLAN_FILE})"
        case WriteBootFile(path, size=size, replaces=replaces):
            told = {"nothing": "new", "ours": "replaces ours", "foreign": "replaces one that polpkg did not write"}
            return f"write {path} ({size} bytes, {told[replaces]})"
        case RemoveBootFile(path):
            return f"remove {path}: nothing boots with it any more"
        case WriteConfiguration(path) | WriteSystemFile(path) | WriteBootConfiguration(path):
            return f"write {path}"
        case WriteMarks(_, confirmed):
            return f"mark generation {confirmed} as confirmed"
        case RemoveSystemFile(path) | RemoveBootConfiguration(path):
            return f"remove {path}: nothing needs it any more"
        case SwitchCurrent(previous, number):
            return f"make generation {number} current" + ("" if previous is None else f" instead of {previous}")
        case PruneGeneration(number):
            return f"delete generation {number}"
        case _:
            assert_never(action)
