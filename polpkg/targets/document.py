"""The JSON of the files that polpkg keeps in a target: one way to write it, and one way for it to be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from polpkg.errors import TargetError


def digest(content: bytes) -> str:
    """SHA-256 of `content`, in hexadecimal."""
    return sha256(content).hexdigest()


def render_document(document: Mapping[str, Any]) -> bytes:
    """`document` as JSON for people and programs: keys sorted, two spaces, so that equal values are equal bytes."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_document(content: bytes, name: str, code: str, newest: int) -> Mapping[str, Any]:
    """The JSON object that `content` is, in a format up to `newest`.

    Raises TargetError: `code` when it is none, `newer-format` when its format is above `newest`.
    """
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TargetError(code, f"{name} is damaged: {error}") from None
    if not isinstance(document, dict):
        raise TargetError(code, f"{name} is damaged: it is not a JSON object")
    values = cast("dict[str, Any]", document)
    found = values.get("format")
    if not isinstance(found, int):
        raise TargetError(code, f"{name} is damaged: it does not say its format")
    if found > newest:
        raise TargetError(
            "newer-format", f"{name} has format {found}; this polpkg reads up to {newest}", hint="use a newer polpkg"
        )
    return values
