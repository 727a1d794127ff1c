"""What a change of policy means, as the `diff` of a task: packages, owners of functions, and what is allowed."""

from __future__ import annotations

_SHOWN = 400
"""Rules on each side that a person may want to read."""

_PARTS = ("types", "attributes", "roles", "users", "booleans", "role_rules", "constraints", "contexts", "levels")
"""Parts of a review besides the rules: what comes, what goes, and what has other properties."""


def describe_change(status, planned):
    """The `diff` of a task, from `polpkg status` before it and the dry run of it.

    Both texts name packages, functions and policies; of the rules only those that come or go are in them.
    """
    return {
        "before_header": _generation(status["generation"]),
        "after_header": _generation(planned["generation"]),
        "before": _text(status, planned.get("review", ()), "removed"),
        "after": _text(planned, planned.get("review", ()), "added"),
    }


def _generation(number):
    return f"generation {number}" if number else "nothing installed"


def _text(document, reviews, side):
    lines = [f"package {package['name']} {package['version']}" for package in document["packages"]]
    lines += [f"function {name}: {owner}" for name, owner in sorted(document["functions"].items())]
    for policy in document["policies"]:
        lines += [f"policy {path}: sha256 {policy['sha256']}" for path in policy["paths"]]
    for review in reviews:
        lines += _review_lines(review, side)
    return "".join(f"{line}\n" for line in lines)


def _review_lines(review, side):
    """One hypervisor's policy; the first policy there has nothing to be compared with."""
    xen = review["xen"]
    rules = review.get("allow", {}).get(side, [])
    for rule in rules[:_SHOWN]:
        yield f"Xen {xen}: {_rule(rule)}"
    if len(rules) > _SHOWN:
        yield f"Xen {xen}: and {len(rules) - _SHOWN} rules more (polpkg diff shows all)"
    for part in _PARTS:
        found = review.get(part, {"added": [], "removed": [], "changed": []})
        for name in found[side]:
            yield f"Xen {xen}: {part} {name}"
        for change in found["changed"]:
            yield f"Xen {xen}: {part} {change['name']}: {' '.join(change[side])}"


def _rule(rule):
    permissions = " ".join(rule["permissions"])
    condition = f" (while {rule['condition']})" if rule["condition"] else ""
    by = f" [{', '.join(rule['packages'])}]" if rule["packages"] else ""
    return f"allow {rule['source']} {rule['target']}:{rule['class']} {{ {permissions} }}{condition}{by}"
