#!/usr/bin/python
"""The module `polpkg.xen.boolean`."""

DOCUMENTATION = r"""
module: boolean
short_description: Set a boolean of the policy of a Xen host
version_added: 0.1.0
description:
  - Sets a switch that a package offers, for this boot and all later ones; it stays through upgrades.
  - A policy that is written down as a whole holds its booleans itself, see I(policy) of M(polpkg.xen.policy).
options:
  name:
    description:
      - The boolean.
    type: str
    required: true
  value:
    description:
      - Its value. Without one, the package decides again.
    type: bool
extends_documentation_fragment:
  - polpkg.xen.target
  - polpkg.xen.target.sources
  - polpkg.xen.target.change
"""

EXAMPLES = r"""
- name: Guests do not write to the hypervisor's console
  polpkg.xen.boolean:
    name: guest_writeconsole
    value: false
"""

RETURN = r"""
generation:
  description: The generation that is current, or in check mode would be.
  returned: success
  type: int
live:
  description:
    - What became of the policy that runs on a host, with an C(outcome) of C(loaded), C(waiting) for a confirmation,
      C(staged) for the next boot, or C(unchanged); and which domains it touches.
  returned: when the target is a host
  type: dict
cmd:
  description: The last command line of polpkg.
  returned: always
  type: list
  elements: str
code:
  description: The code of polpkg's error.
  returned: failure
  type: str
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.polpkg.xen.plugins.module_utils.running import run_task
from ansible_collections.polpkg.xen.plugins.module_utils.tasks import have_boolean
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import PLACE, SOURCES, WAITING


def main():
    """Run the task."""
    module = AnsibleModule(
        argument_spec={
            **PLACE,
            **SOURCES,
            **WAITING,
            "name": {"type": "str", "required": True},
            "value": {"type": "bool"},
        },
        mutually_exclusive=[("root", "image", "host")],
        supports_check_mode=True,
    )
    run_task(module, have_boolean)


if __name__ == "__main__":
    main()
