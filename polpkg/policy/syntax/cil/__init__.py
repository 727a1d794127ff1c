"""The second language of fragments: CIL, as secilc reads it, flat.

    reader       text               -> Form           nested lists, with the place of each
    flatten      lists              -> Item           macros called, tunables decided, arguments read by their kinds
    optionals    groups of items    -> those whose names are all known
    definitions  items              -> what levels, contexts, sets of permissions and roles stand for
    build        items              -> statements of the IR

All CIL fragments of a package are read together, in any order, and m4 does not expand them.  Macros, levels, named
contexts and sets of permissions are known in the CIL fragments of their own package only; types, roles, users, booleans
and classes are those of the whole policy.  There is no word for owners of functions or the release of the hypervisor;
the guard of CIL is the `optional`, which is dropped when a class or permission in it does not exist.  Blocks and
inheritance are not supported.
"""

from polpkg.policy.syntax.cil.frontend import CilContext, declared_names, read_cil

__all__ = ["CilContext", "declared_names", "read_cil"]
