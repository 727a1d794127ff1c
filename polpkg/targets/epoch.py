"""SOURCE_DATE_EPOCH: the moment that stands for now where two builds are to give the same bytes.

As in the specification of reproducible-builds.org: a whole number of seconds since 1970, in decimal.
"""

from __future__ import annotations

import os

from polpkg.errors import TargetError

_LATEST = 8**11
"""What an entry of a tar archive can hold, in seconds: builders pack what they build."""


def source_date_epoch(text: str | None = None) -> int | None:
    """What `text` says, or SOURCE_DATE_EPOCH without one; None when that is not set or empty.

    Raises TargetError `source-date-epoch` when it is no number of seconds.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "") if text is None else text
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < _LATEST):
        raise TargetError("source-date-epoch", f"SOURCE_DATE_EPOCH is {text[:40]!r}, not a number of seconds")
    return int(text)
