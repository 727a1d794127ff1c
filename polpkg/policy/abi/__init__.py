"""Hypervisor ABIs: which classes, permissions and initial SIDs, at which numbers.

In goes a release ("4.18.3") or a hypervisor file, out comes an `Abi`.  `catalogue` has the tables of the known
releases, `difference` compares two, `hypervisor` reads the one that a hypervisor file was built with, `probe` reports
on such a file, and `generate` maintains the catalogue.  What compares tables and what reads hypervisor files is
imported from modules of their own, `difference` and `hypervisor`, because most commands do without.  Knows nothing of
policies beyond that.
"""

from __future__ import annotations

from polpkg.policy.abi.catalogue import (
    Release,
    describe_availability,
    find_abi,
    find_release,
    known_tables,
    known_versions,
    load_abi,
    nearest,
    read_releases,
    render_versions,
    since,
    until,
    versions_of,
    versions_with,
)
from polpkg.policy.abi.model import Abi, SecurityClass, parse_table, version_numbers

__all__ = [
    "Abi",
    "Release",
    "SecurityClass",
    "describe_availability",
    "find_abi",
    "find_release",
    "known_tables",
    "known_versions",
    "load_abi",
    "nearest",
    "parse_table",
    "read_releases",
    "render_versions",
    "since",
    "until",
    "version_numbers",
    "versions_of",
    "versions_with",
]
