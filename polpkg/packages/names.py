"""How packages, functions, instances, items and options are named, and what becomes of a name in policy source.

One rule serves all of them: lowercase letters, digits and single hyphens, beginning with a letter, at most 64
characters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.packages.words import POLICY_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 64
"""The longest name there may be."""

NAME_RULE = "lowercase letters, digits and single hyphens, beginning with a letter, at most 64 characters"
"""The rule, as messages put it."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*")


def is_name(text: str) -> bool:
    """Whether `text` may name a package, function, instance, item or option."""
    return len(text) <= MAX_LENGTH and _NAME.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """Whether `text` can be an identifier of the policy language, such as a type."""
    return _IDENTIFIER.fullmatch(text) is not None and text not in POLICY_WORDS


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 as polpkg writes it: 64 hexadecimal digits, in lower case."""
    return len(text) == 64 and not text.strip("0123456789abcdef")


def identifier_of(name: str) -> str:
    """What `name` is called in identifiers and macro names: `tenant-a` becomes `tenant_a`."""
    return name.replace("-", "_")


def is_policy_word(name: str) -> bool:
    """Whether `name`, as an identifier, is a word that the policy language or the macro processor owns."""
    return identifier_of(name) in POLICY_WORDS


def why_reserved(name: str) -> str:
    """Why an instance or an item cannot be called so though the name is well formed, in words; empty when it can.

    With `t` among its words, the types of one would read like those that belong to another: `vmv_web_t_self` is the
    label that a guest `web` has for itself.
    """
    if is_policy_word(name):
        return "it is a word of the policy language"
    return "`t` is what the names of types end in" if "t" in name.split("-") else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name, another than `name`, that it was most likely meant to be, or nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, sorted({*known} - {name}), n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that offers the nearest known name; empty when none is near."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else ""
