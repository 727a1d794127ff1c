#!/usr/bin/python
"""The module `polpkg.xen.confirm`."""

DOCUMENTATION = r"""
module: confirm
short_description: Say that the policy of a Xen host does its work
version_added: 0.1.0
description:
  - Confirms the current generation, so that it is what a later one that fails comes back to. A generation that nobody
    confirms is given up, by the boot loader or by the host itself.
  - Fails when the host is not as it was installed, when another generation is current than the one that is meant, and
    when the boot loader gave the new policy up. With C(serial) and C(max_fail_percentage=0) the first such host stops
    a rollout.
options:
  generation:
    description:
      - The generation that is meant, such as the one that a task before has returned. Another one is not confirmed.
    type: int
  verify:
    description:
      - Compare the host with what was installed first, and build its policy once more, see C(polpkg verify).
    type: bool
    default: true
  force:
    description:
      - Confirm also what the boot loader has tried and given up.
    type: bool
    default: false
extends_documentation_fragment:
  - polpkg.xen.target
attributes:
  check_mode:
    description: Looks only.
    support: full
  diff_mode:
    description: Tells which generation was confirmed before.
    support: full
seealso:
  - module: polpkg.xen.rollback
"""

EXAMPLES = r"""
- name: The host is there and says who it is
  ansible.builtin.wait_for_connection:

- name: So its policy stays
  polpkg.xen.confirm:
    generation: "{{ upgraded.generation }}"
"""

RETURN = r"""
generation:
  description: The generation that is confirmed.
  returned: success
  type: int
confirmed_before:
  description: The generation that was confirmed before, if any.
  returned: success
  type: int
cmd:
  description: The last command line of polpkg.
  returned: always
  type: list
  elements: str
code:
  description: The code of polpkg's error, C(another-generation) or C(drift).
  returned: failure
  type: str
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.polpkg.xen.plugins.module_utils.running import run_task
from ansible_collections.polpkg.xen.plugins.module_utils.tasks import have_confirmed
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import PLACE


def main():
    """Run the task."""
    module = AnsibleModule(
        argument_spec={
            **PLACE,
            "generation": {"type": "int"},
            "verify": {"type": "bool", "default": True},
            "force": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("root", "image", "host")],
        supports_check_mode=True,
    )
    run_task(module, have_confirmed)


if __name__ == "__main__":
    main()
