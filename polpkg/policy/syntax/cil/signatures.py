"""The statements: what each is called, and which arguments it takes (`cil_build_ast.c` of libsepol 3.4).

A kind of argument is a key of `arguments.READERS`.  `new:KIND` is a name that the statement declares, and what
stands in brackets may be left out.
"""

from __future__ import annotations

SIGNATURES: dict[str, str] = {
    "handleunknown": "word",
    "mls": "truth",
    "defaultuser": "classes word",
    "defaultrole": "classes word",
    "defaulttype": "classes word",
    "defaultrange": "classes word [word]",
    "policycap": "word",
    "class": "new:class words",
    "classorder": "words",
    "classcommon": "class common",
    "common": "new:common words",
    "classpermission": "new:permissions",
    "classpermissionset": "permissions-name permissions",
    "classmap": "new:class words",
    "classmapping": "class word permissions",
    "sid": "new:sid",
    "sidorder": "words",
    "sidcontext": "sid context",
    "type": "new:type",
    "typealias": "new:type",
    "typealiasactual": "type type",
    "typeattribute": "new:type",
    "typeattributeset": "type types",
    "expandtypeattribute": "types truth",
    "typebounds": "type type",
    "typepermissive": "type",
    "role": "new:role",
    "roletype": "role type",
    "roleattribute": "new:role",
    "roleattributeset": "role roles",
    "roleallow": "role role",
    "roletransition": "role type class role",
    "user": "new:user",
    "userrole": "user role",
    "userlevel": "user level",
    "userrange": "user range",
    "sensitivity": "new:sensitivity",
    "sensitivityalias": "new:sensitivity",
    "sensitivityaliasactual": "sensitivity sensitivity",
    "sensitivityorder": "words",
    "sensitivitycategory": "sensitivity categories",
    "category": "new:category",
    "categoryalias": "new:category",
    "categoryaliasactual": "category category",
    "categoryset": "new:category categories",
    "categoryorder": "words",
    "level": "new:level level-form",
    "levelrange": "new:range range-form",
    "context": "new:context context-form",
    "allow": "type target permissions",
    "auditallow": "type target permissions",
    "dontaudit": "type target permissions",
    "neverallow": "type target permissions",
    "typetransition": "type target class type",
    "typechange": "type target class type",
    "typemember": "type target class type",
    "rangetransition": "type type class range",
    "boolean": "new:boolean truth",
    "constrain": "permissions constraint",
    "mlsconstrain": "permissions constraint",
    "validatetrans": "class constraint",
    "mlsvalidatetrans": "class constraint",
    "pirqcon": "number context",
    "ioportcon": "span context",
    "iomemcon": "long-span context",
    "pcidevicecon": "number context",
    "devicetreecon": "string context",
}
"""Statements that stand alone, and their arguments."""

STRUCTURES = frozenset(("booleanif", "tunable", "tunableif", "macro", "call", "optional"))
"""Statements that hold others, or stand for them."""

CONDITIONAL = frozenset(
    ("allow", "auditallow", "dontaudit", "typetransition", "typechange", "typemember", "call", "tunableif")
)
"""What may stand in a `booleanif`."""

LATER = {
    "block": "blocks",
    "blockabstract": "blocks",
    "blockinherit": "inheritance of blocks",
    "in": "additions to blocks",
}
"""What is not supported yet, by what it is about."""

NOT_FOR_XEN = {
    "filecon": "file system labels",
    "fsuse": "file system labels",
    "genfscon": "file system labels",
    "netifcon": "network labels",
    "nodecon": "network labels",
    "portcon": "network labels",
    "ipaddr": "network labels",
    "ibpkeycon": "InfiniBand labels",
    "ibendportcon": "InfiniBand labels",
    "allowx": "extended permissions",
    "auditallowx": "extended permissions",
    "dontauditx": "extended permissions",
    "neverallowx": "extended permissions",
    "permissionx": "extended permissions",
    "selinuxuser": "login accounts",
    "selinuxuserdefault": "login accounts",
    "userprefix": "login accounts",
}
"""Statements that make no sense for a hypervisor, by what they are about."""

UNSUPPORTED = frozenset(
    """
    deny nametypetransition rolebounds userattribute
    userattributeset userbounds
    """.split()
)
"""Statements of CIL that this front end does not read."""

PARAMETERS = {
    "type": "type",
    "typealias": "type",
    "role": "role",
    "user": "user",
    "sensitivity": "sensitivity",
    "category": "category",
    "categoryset": "categories",
    "level": "level",
    "levelrange": "range",
    "class": "class",
    "classmap": "class",
    "classpermission": "permissions",
    "boolean": "boolean",
    "string": "string",
    "name": "string",
}
"""Kinds of macro parameters, by the kind of argument that they stand for."""
