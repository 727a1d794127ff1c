"""Words that no package, instance or item may be named, because the policy language or the macro processor owns them.

Sources: the scanner of checkpolicy (`policy_scan.l`, lower-case forms), the operators and operands of CIL constraint
expressions (`cil_verify.c`), and the builtins of GNU m4 that are recognised without arguments or that fragments use.
"""

from __future__ import annotations

_STATEMENTS = """
alias allow allowxperm attribute attribute_role auditallow auditallowxperm auditdeny bool category class clone common
constrain default_range default_role default_type default_user devicetreecon dominance dontaudit dontauditxperm else
expandattribute fs_use_task fs_use_trans fs_use_xattr genfscon high ibendportcon ibpkeycon if inherits iomemcon
ioportcon level low mlsconstrain mlsvalidatetrans module netifcon neverallow neverallowxperm neveraudit nodecon optional
pcidevicecon permissive pirqcon policycap portcon range range_transition require role role_transition roleattribute
roles sameuser sensitivity sid source target true false tunable type type_change type_member type_transition typealias
typeattribute typebounds types user validatetrans
"""

_EXPRESSIONS = """
and any all not or xor eq neq dom domby incomp self u1 u2 u3 r1 r2 r3 t1 t2 t3 l1 l2 h1 h2 glblub
"""

_MACROS = """
builtin changecom changequote changeword decr define defn divert divnum dnl dumpdef errprint esyscmd eval format ifdef
ifelse include incr index indir len m4exit m4wrap maketemp mkstemp patsubst popdef pushdef regexp shift sinclude substr
syscmd sysval traceoff traceon translit undefine undivert unix
"""

POLICY_WORDS: frozenset[str] = frozenset(f"{_STATEMENTS} {_EXPRESSIONS} {_MACROS}".split())
