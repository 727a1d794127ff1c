"""The collection `polpkg.xen` for tests: its code without Ansible, and Ansible where there is one."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

COLLECTION = Path(__file__).parents[1] / "plugins/ansible"
_UTILS = ("command", "difference", "policy_toml", "tasks", "wishes")


def link_collection(folder: Path) -> Path:
    """A directory for `ANSIBLE_COLLECTIONS_PATH` that has the collection as it is in this repository."""
    place = folder / "ansible_collections/polpkg"
    place.mkdir(parents=True)
    (place / "xen").symlink_to(COLLECTION, target_is_directory=True)
    return folder


def linked_collection(folder: Path) -> SimpleNamespace:
    """The `module_utils` of the collection, imported under the name that they have with Ansible."""
    if "ansible_collections" not in sys.modules:
        sys.path.insert(0, str(link_collection(folder)))
    package = "ansible_collections.polpkg.xen.plugins.module_utils"
    return SimpleNamespace(**{name: import_module(f"{package}.{name}") for name in _UTILS})


def find_ansible() -> list[Path]:
    """The directories with an `ansible-playbook`: that of this Python, and that of the machine."""
    own, machine = Path(sys.executable).parent, shutil.which("ansible-playbook")
    found = [own] if (own / "ansible-playbook").is_file() else []
    more = os.environ.get("POLPKG_ANSIBLE", "")
    folders = [*found, *([Path(more)] if more else []), *([Path(machine).parent] if machine else [])]
    return list(dict.fromkeys(folders))
