"""Static labels: the object contexts by which a policy labels a device from boot on.

The numbers are those of one machine as its firmware set it up: another slot, another card or a new firmware may move
them, and the labels then lie on something else.  So they go into a package of the site, made anew after such a change.
A device that is plugged in later gets a label only by lying at numbers that have one.

Seen on Xen 4.17.7: dom0 needs *use* of a device that has a label when it boots, or it does not even find it; and once a
policy was loaded, flask-label-pci refuses a device that the policy labels, even with the same label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.devices.function import PciFunction, Span


def object_contexts(function: PciFunction, context: str) -> Iterator[str]:
    """The statements that label a function, its interrupt line, its memory (by page) and its ports."""
    yield f"pcidevicecon {function.address.number:#x} {context}"
    if function.line:
        yield f"pirqcon {function.line} {context}"
    for pages in _joined(span.pages for span in function.memory):
        yield f"iomemcon {_range(pages)} {context}"
    for ports in _joined(iter(function.ports)):
        yield f"ioportcon {_range(ports)} {context}"


def _joined(spans: Iterator[Span]) -> list[Span]:
    """Ranges without overlap: two BARs may lie in one page."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.low <= joined[-1].high:
            joined[-1] = joined[-1]._replace(high=max(joined[-1].high, span.high))
        else:
            joined.append(span)
    return joined


def _range(span: Span) -> str:
    return f"{span.low:#x}" if span.low == span.high else f"{span.low:#x}-{span.high:#x}"
