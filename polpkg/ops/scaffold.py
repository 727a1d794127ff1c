"""The files of a new package: the smallest role that shows what a package is made of."""

from __future__ import annotations

from string import Template

from polpkg.packages.names import identifier_of

_MANIFEST = """\
[package]
name = "$name"
version = "0.1.0"
summary = "One line about what the domain is for"
license = "Apache-2.0"
${role}owns = ["${id}_*"]  # only this package declares identifiers and macros that begin so

[requires]
xen-base = ">=1,<2"

[xen]
versions = ">=4.14"
$functions
[instance]
template = "${id}_instance"  # called with the prefix of each instance
$parameters
[assertions]
$assertions"""

_FUNCTIONS = """
[functions]
provides = ["domain-builder", "domain-manager"]  # for the guests of its instances, in place of dom0
"""

_PARAMETERS = """[instance.parameters.guests]
type = "table"
default = ["guest"]
each = "${id}_guest"  # called with the prefix and each item
"""

_ASSERTIONS = """\
"$name neither loads a policy nor switches it off" = \
"assert_no_permission($$prefix_t, security_t, security, { load_policy setenforce })"
"""

_GUEST_ASSERTIONS = """\
"only $name creates its guests" = "assert_only_creator($$prefix_t, $$prefix_$$item_t)"
"only $name reaches the memory of its guests" = "assert_only_mapper($$prefix_t, $$prefix_$$item_t)"
"""

_INTERFACE = """\
# $name: what its instances are made of, and what other packages may call.

# ${id}_instance(prefix)
#   Declare the domain of one instance, prefix_t.  Whoever owns the functions for it (dom0, unless another package
#   claims them) builds and manages it, and gives it a store and a console.
define(`${id}_instance', `
	declare_client_domain($$1_t)
	domain_self_comms($$1_t)
	service_client($$1_t)
')
$guest
# ${id}_talk(domain, prefix)
#   A domain of another package shares pages and event channels with an instance.
define(`${id}_talk', `
	domain_comms($$1, $$2_t)
')
"""

_GUEST = """
# ${id}_guest(prefix, item)
#   Declare one kind of guest, prefix_item_t.  The instance owns domain-builder and domain-manager for it.
define(`${id}_guest', `
	declare_client_domain($$1_$$2_t)
	domain_self_comms($$1_$$2_t)
	for_each_owner(`domain_builder', $$1_$$2_t, `builder_client')
	for_each_owner(`domain_manager', $$1_$$2_t, `manager_client')
')
"""

_TESTS = """\
# What the policy must allow and deny, and where no information may flow: `polpkg test` judges it for every Xen.
# $$prefix stands for each instance$item_words.

[[allow]]
name = "the owner of domain-builder creates the domain"
source = "dom0_t"
target = "$$prefix_t"
class = "domain"
permissions = ["create", "unpause", "destroy"]

[[allow]]
name = "the domain manages its own memory"
source = "$$prefix_t"
target = "$$prefix_t_self"
class = "mmu"
permissions = ["adjust", "map_read", "map_write"]

[[deny]]
name = "it rules over no other domain"
source = "$$prefix_t"
target = ["dom0_t", "domU_t"]
class = ["domain", "domain2", "mmu", "hvm"]

[[no-flow]]
name = "ordinary guests reach it through dom0 only"
booleans = { show_event_channels = false }
from = "domU_t"
to = "$$prefix_t"
through = "dom0_t"
$guest"""

_GUEST_TESTS = """
[[owner]]
function = "domain-builder"
client = "$$prefix_$$item_t"
owners = "$$prefix_t"

[[allow]]
name = "it builds and manages its guests"
source = "$$prefix_t"
target = "$$prefix_$$item_t"
class = "domain"
permissions = ["create", "pause", "unpause", "destroy"]

[[deny]]
name = "nobody else does"
source = ["*", "-$$prefix_t"]
target = "$$prefix_$$item_t"
class = "domain"
permissions = ["create", "pause", "unpause", "destroy", "transition"]
"""

_README = """\
# $name

What the domain is for, in one paragraph: `polpkg info` shows it.

| | may | may not |
|---|---|---|
| the domain, `<prefix>_t` | $may | load a policy or switch it off |

Other packages call `${id}_talk(domain, prefix)` to exchange pages and events with it.

## Example

    polpkg install ./$name

    # xl.cfg
    seclabel = "system_u:system_r:${id}_t"
"""


def files(name: str, role: str, *, has_guests: bool) -> dict[str, str]:
    """The files of a package called `name`, by path.

    With `has_guests` its instances create guests of their own; `role` may be empty.
    """
    words = {"name": name, "id": identifier_of(name)}

    def fill(template: str, **more: str) -> str:
        return Template(template).substitute(words | more)

    manifest = fill(
        _MANIFEST,
        role=f'role = "{role}"\n' if role else "",
        functions=_FUNCTIONS if has_guests else "",
        parameters=fill(_PARAMETERS) if has_guests else "",
        assertions=fill(_GUEST_ASSERTIONS if has_guests else "") + fill(_ASSERTIONS),
    )
    return {
        "polpkg.toml": manifest,
        f"policy/{name}.if": fill(_INTERFACE, guest=fill(_GUEST) if has_guests else ""),
        "tests/policy.toml": fill(
            _TESTS,
            item_words=", $item for each of its guests" if has_guests else "",
            guest=fill(_GUEST_TESTS) if has_guests else "",
        ),
        "README.md": fill(_README, may="create and manage its guests" if has_guests else "be served like any guest"),
    }
