#!/usr/bin/python
"""The module `polpkg.xen.facts`."""

DOCUMENTATION = r"""
module: facts
short_description: Tell what policy a Xen host has
version_added: 0.1.0
description:
  - Sets the fact C(ansible_facts.polpkg) with all that C(polpkg status) tells, and more when asked.
options:
  gather:
    description:
      - What to tell besides the status. Each is a key of the fact, with the document of the verb of that name.
      - C(verify) compares the host with what was installed and builds its policy once more; C(probe) reads the
        hypervisors and the boot menu. These take longer than the others.
    type: list
    elements: str
    choices: [history, functions, labels, booleans, probe, verify]
    default: []
extends_documentation_fragment:
  - polpkg.xen.target
attributes:
  check_mode:
    description: Does the same.
    support: full
  diff_mode:
    description: Has nothing to tell, for nothing changes.
    support: none
"""

EXAMPLES = r"""
- name: What is there
  polpkg.xen.facts:
    gather: [history, verify]

- name: Hosts that somebody changed by hand
  ansible.builtin.assert:
    that: ansible_facts.polpkg.verify.ok
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    polpkg:
      description:
        - What C(polpkg status --json) says, with C(package_versions), and a key for each thing that was gathered.
      returned: success
      type: dict
      sample:
        generation: 2
        confirmed: true
        confirmed_generation: 2
        package_versions: {dom0: 1.0.0, netdom: 1.0.0, xen-base: 1.0.0}
        functions: {net-backend: netdom}
        drift: []
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
from ansible_collections.polpkg.xen.plugins.module_utils.tasks import LOOKS, gather_facts
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import PLACE


def main():
    """Run the task."""
    module = AnsibleModule(
        argument_spec={
            **PLACE,
            "gather": {"type": "list", "elements": "str", "choices": list(LOOKS), "default": []},
        },
        mutually_exclusive=[("root", "image", "host")],
        supports_check_mode=True,
    )
    run_task(module, gather_facts)


if __name__ == "__main__":
    main()
