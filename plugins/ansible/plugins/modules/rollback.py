#!/usr/bin/python
"""The module `polpkg.xen.rollback`."""

DOCUMENTATION = r"""
module: rollback
short_description: Give a Xen host the policy of an earlier generation again
version_added: 0.1.0
description:
  - Puts the packages and the policy of an earlier generation in place, as a new generation. Nothing is compiled.
  - Nothing changes when the host has just that.
options:
  generation:
    description:
      - The generation to go back to. Without one it is the one that was confirmed last, and nothing is done when the
        current policy is confirmed.
    type: int
extends_documentation_fragment:
  - polpkg.xen.target
  - polpkg.xen.target.change
seealso:
  - module: polpkg.xen.confirm
"""

EXAMPLES = r"""
- name: Back to what worked
  polpkg.xen.rollback:

- name: Back to a certain generation
  polpkg.xen.rollback:
    generation: 3
"""

RETURN = r"""
generation:
  description: The generation that is current, or in check mode would be.
  returned: success
  type: int
rolled_back_to:
  description: The generation whose policy that is.
  returned: success
  type: int
changes:
  description: Packages that were added, removed, upgraded or downgraded.
  returned: when there was a generation to go back to
  type: dict
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
  description: The code of polpkg's error, or C(nothing-confirmed).
  returned: failure
  type: str
hint:
  description: What to do about the error.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.polpkg.xen.plugins.module_utils.running import run_task
from ansible_collections.polpkg.xen.plugins.module_utils.tasks import have_rolled_back
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import PLACE, WAITING


def main():
    """Run the task."""
    module = AnsibleModule(
        argument_spec={**PLACE, **WAITING, "generation": {"type": "int"}},
        mutually_exclusive=[("root", "image", "host")],
        supports_check_mode=True,
    )
    run_task(module, have_rolled_back)


if __name__ == "__main__":
    main()
