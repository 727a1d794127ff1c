#!/usr/bin/python
"""The module `polpkg.xen.policy`."""

DOCUMENTATION = r"""
module: policy
short_description: Keep the XSM/FLASK policy of a Xen host as it shall be
version_added: 0.1.0
description:
  - Makes a host, an image or a directory tree have the policy packages that are wanted, linked into one policy for
    each of its hypervisors.
  - Either name I(packages), which are added to what is there (or removed, or upgraded), or give a whole I(policy),
    and the target has exactly that. One task is one change, whatever it holds.
  - What is there already keeps its version until I(state=latest), or a lock, says otherwise.
options:
  state:
    description:
      - C(present) installs I(packages), or makes the target have exactly what I(policy) or I(project) says.
      - C(latest) moves I(packages), or everything, to the newest versions that are allowed.
      - C(absent) removes I(packages), or only their I(instance).
      - C(locked) makes the target have exactly what I(policy) and I(lock), or I(project), say, and fails when the lock
        does not fit, as a fleet wants it.
    type: str
    choices: [present, latest, absent, locked]
    default: present
  packages:
    description:
      - Packages, with versions where that matters, such as C(vmv) or C(vmv>=1.2,<2); or absolute paths to archives and
        package directories.
    type: list
    elements: str
  instance:
    description:
      - The instance of the packages to install or remove. More than one at a time can be had with I(policy).
    type: str
  parameters:
    description:
      - Parameters of the instance. Values are text, numbers, booleans, or lists of these.
    type: dict
    default: {}
  options:
    description:
      - Options of packages to turn on, as C(PACKAGE:OPTION).
    type: list
    elements: str
    default: []
  policy:
    description:
      - A policy.toml, as text or as the same thing in YAML, with C(packages), C(options), C(instances), C(booleans),
        C(target) and C(indexes). Paths in it are absolute.
    type: raw
  lock:
    description:
      - A policy.lock for I(policy), as text. C(polpkg lock) writes one.
    type: str
  project:
    description:
      - A directory with a policy.toml and a policy.lock, on the machine where the module runs, instead of I(policy) and
        I(lock).
      - With I(state=present) polpkg writes policy.lock there.
    type: path
  activate:
    description:
      - Whether the change counts at once, on a running host. Otherwise it is prepared for the next boot.
    type: bool
    default: true
extends_documentation_fragment:
  - polpkg.xen.target
  - polpkg.xen.target.sources
  - polpkg.xen.target.change
seealso:
  - module: polpkg.xen.confirm
  - module: polpkg.xen.rollback
"""

EXAMPLES = r"""
- name: A network driver domain instead of drivers in dom0
  polpkg.xen.policy:
    packages: [netdom]

- name: Two verifiers, and nothing else; in one change
  polpkg.xen.policy:
    policy:
      packages:
        vmv: ">=1,<2"
      instances:
        vmv:
          acme: {guests: [web, db]}
          umbrella: {guests: [mail]}
      booleans:
        guest_writeconsole: false

- name: Exactly the versions that were tried, on a dom0 that has no polpkg and no Python
  delegate_to: localhost
  polpkg.xen.policy:
    state: locked
    policy: "{{ lookup('file', 'site/policy.toml') }}"
    lock: "{{ lookup('file', 'site/policy.lock') }}"
    host: "ssh://root@{{ ansible_host | default(inventory_hostname) }}"

- name: The newest versions that policy.toml of the host allows
  polpkg.xen.policy:
    state: latest

- name: One verifier goes
  polpkg.xen.policy:
    state: absent
    packages: [vmv]
    instance: umbrella
"""

RETURN = r"""
generation:
  description: The generation that is current, or in check mode would be.
  returned: success
  type: int
  sample: 4
packages:
  description: The packages of that generation, each with name, version, index and sha256.
  returned: success
  type: list
  elements: dict
functions:
  description: Who owns each function.
  returned: success
  type: dict
  sample: {net-backend: netdom, xenstore: dom0}
policies:
  description: The policy for each hypervisor, with its digest, its files and its ABI.
  returned: success
  type: list
  elements: dict
changes:
  description: Packages that were added, removed, upgraded, downgraded, or made anew.
  returned: when polpkg was asked for a change
  type: dict
notes:
  description: What else there is to know, such as that C(update-grub) is to be run.
  returned: when polpkg was asked for a change
  type: list
  elements: str
review:
  description: What each new policy allows that the old one did not, and the other way round.
  returned: in check mode
  type: list
  elements: dict
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
  sample: unknown-package
hint:
  description: What to do about the error.
  returned: failure
  type: str
exit:
  description: The exit status that goes with the error.
  returned: failure
  type: int
where:
  description: The place of the error in a file.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.polpkg.xen.plugins.module_utils.running import run_task
from ansible_collections.polpkg.xen.plugins.module_utils.tasks import have_policy
from ansible_collections.polpkg.xen.plugins.module_utils.wishes import PLACE, SOURCES, WAITING


def main():
    """Run the task."""
    module = AnsibleModule(
        argument_spec={
            **PLACE,
            **SOURCES,
            **WAITING,
            "state": {"type": "str", "choices": ["present", "latest", "absent", "locked"], "default": "present"},
            "packages": {"type": "list", "elements": "str"},
            "instance": {"type": "str"},
            "parameters": {"type": "dict", "default": {}},
            "options": {"type": "list", "elements": "str", "default": []},
            "policy": {"type": "raw"},
            "lock": {"type": "str"},
            "project": {"type": "path"},
            "activate": {"type": "bool", "default": True},
        },
        mutually_exclusive=[
            ("root", "image", "host"),
            ("packages", "policy", "project"),
            ("lock", "packages"),
            ("lock", "project"),
            ("instance", "policy"),
            ("instance", "project"),
        ],
        required_if=[
            ("state", "present", ("packages", "policy", "project"), True),
            ("state", "locked", ("policy", "project"), True),
            ("state", "absent", ("packages",)),
        ],
        required_by={"lock": "policy"},
        supports_check_mode=True,
    )
    run_task(module, have_policy)


if __name__ == "__main__":
    main()
