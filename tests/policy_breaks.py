"""Ways to break a policy text: see `policy_texts`."""

from __future__ import annotations

SECTIONS = ("classes", "sids", "vectors", "names", "rules", "users", "constraints", "contexts", "devices")
RESERVED = (
    "dom eq r2 t1 h2 role SAMEUSER true xor low glblub clone fscon source Allow self low-high optional filesystem "
    "neveraudit s0 iomemcon l1 object_r"
).split()
"""Words of the policy language, and some that only look like it."""


class Breaker:
    """Breaks a text in one way; not every way makes every text invalid, which is for checkpolicy to say."""

    def __init__(self, text, random):
        self.out, self.random = text, random

    def break_it(self):
        """Applies one of the ways, and names it."""
        ways = sorted(name for name in dir(self) if name.startswith("way_"))
        name = self.random.choice(ways)
        getattr(self, name)()
        return name.removeprefix("way_")

    def add(self, section, *statements):
        listed = self.out.sections[section]
        listed.insert(self.random.randint(0, len(listed)), self.random.choice(statements))

    def append(self, section, *statements):
        self.out.sections[section].append(self.random.choice(statements))

    def way_unknown_name(self):
        t, r, a = self.out.types[0], self.out.roles[0], self.out.attributes[0]
        self.append(
            "rules",
            f"allow {t} missing_t:domain create;",
            f"allow missing_t {t}:domain create;",
            f"allow {t} {t}:missing create;",
            f"allow {t} {t}:domain missing;",
            f"allow {t} {t}:{{ domain mmu }} create;",
            f"neverallow {t} missing_t:domain create;",
            f"type_transition {t} {t}:domain missing_t;",
            f"type_transition {t} {t}:domain {a};",
            f"allow {r} missing_r;",
            f"role_transition {r} missing_t:domain {r};",
            f"role_transition {r} {t}:domain missing_r;",
            f"role {r} types missing_t;",
            f"role missing_r types {t};",
            "permissive missing_t;",
            f"permissive {a};",
            f"typeattribute {t} missing_type;",
            f"typeattribute {t} {t};",
            f"typeattribute missing_t {a};",
            f"typeattribute {a} {a};",
            "typealias missing_t alias other;",
            f"typealias {a} alias other_name;",
            f"type fresh_t, {t};",
            "if (missing) { }",
            f"if ({t}) {{ }}",
            f"typebounds {t} missing_t;",
            f"typebounds {a} {t};",
            f"typebounds {t} {a};",
        )

    def way_unknown_name_in_labels(self):
        t = self.out.types[0]
        section, statement = self.random.choice(
            (
                ("users", "user fresh_u roles missing_r;"),
                ("users", "user fresh_u roles { missing_r };"),
                ("constraints", "constrain domain create (t1 == missing_t);"),
                ("constraints", "constrain domain create (r1 == missing_r);"),
                ("constraints", "constrain domain create (u1 == missing_u);"),
                ("constraints", "constrain missing create (u1 == u2);"),
                ("constraints", "constrain domain missing (u1 == u2);"),
                ("constraints", "constrain { domain mmu } create (u1 == u2);"),
                ("devices", f"pirqcon 50 missing_u:object_r:{t}"),
                ("devices", f"pirqcon 50 system_u:missing_r:{t}"),
                ("devices", "pirqcon 50 system_u:object_r:missing_t"),
                ("devices", f"pirqcon 50 system_u:object_r:{self.out.attributes[0]}"),
                ("contexts", f"sid missing system_u:object_r:{t}"),
            )
        )
        self.append(section, statement)

    def way_duplicate(self):
        out = self.out
        t, a, b = out.types[0], out.attributes[0], out.booleans[0]
        self.append(
            "names",
            f"type {t};",
            f"attribute {a};",
            f"attribute {t};",
            f"type {a};",
            f"bool {b} true;",
            f"bool {t} true;",
            f"type {b};",
            f"role {t};",
            f"role {out.roles[0]};",
            f"typealias {t} alias {t};",
            f"typealias {t} alias {out.types[1]};",
            f"typealias {t} alias {a};",
            f"type fresh_t alias {t};",
            "type fresh_t alias fresh_t;",
            "type fresh_t alias { one_t one_t };",
            f"typealias {t} alias same_t; typealias {t} alias same_t;",
            f"typealias {t} alias same_t; typealias {out.types[1]} alias same_t;",
            f"type fresh_t, {a}, {a};",
            "type object_r;",
            "role object_r;",
            "attribute system_u;",
            f"permissive {t}; permissive {t};",
        )

    def way_duplicate_label(self):
        t = self.out.types[0]
        section, statement = self.random.choice(
            (
                ("users", "user system_u roles system_r;"),
                ("contexts", f"sid xen system_u:object_r:{t}"),
                ("devices", f"pirqcon 60 system_u:object_r:{t}\npirqcon 60 system_u:object_r:{t}"),
                ("devices", f"iomemcon 0x10-0x20 system_u:object_r:{t}\niomemcon 0x20-0x30 system_u:object_r:{t}"),
                ("devices", f"iomemcon 0x10-0x20 system_u:object_r:{t}\niomemcon 0x21-0x30 system_u:object_r:{t}"),
                ("devices", f"ioportcon 0x100-0x200 system_u:object_r:{t}\nioportcon 0x150 system_u:object_r:{t}"),
                ("devices", f"ioportcon 0x100-0x200 system_u:object_r:{t}\nioportcon 0x201 system_u:object_r:{t}"),
                ("devices", f"pcidevicecon 60 system_u:object_r:{t}\npcidevicecon 60 system_u:object_r:{t}"),
                ("devices", f"devicetreecon /x system_u:object_r:{t}\ndevicetreecon /x system_u:object_r:{t}"),
                ("devices", f"devicetreecon /x system_u:object_r:{t}\ndevicetreecon /x/y system_u:object_r:{t}"),
            )
        )
        self.append(section, statement)

    def way_syntax(self):
        t, a, b = self.out.types[0], self.out.attributes[0], self.out.booleans[0]
        self.append(
            "rules",
            f"allow {t} {t}:domain create",
            f"allow {t} {t} domain create;",
            f"allow {t} {t}:domain {{ }};",
            f"allow {t} {{ }}:domain create;",
            f"allow {t} {{ {t} {{ }} }}:domain create;",
            f"allow {t} {{ {t} }}:domain {{ create;",
            f"allow {t} {{ {t} -}}:domain create;",
            f"allow {t} *:domain create;",
            f"allow * {t}:domain create;",
            f"allow ~{t} {t}:domain create;",
            f"allow {t} ~{{ {t} }}:domain create;",
            f"allow self {t}:domain create;",
            f"allow {{ self {t} }} {t}:domain create;",
            f"allow {t} {t}:* create;",
            f"allow {t} {t}:~domain create;",
            f"allow {t} {t}:{{ domain -mmu }} create;",
            f"allow {t} {t}:domain {{ create -pause }};",
            f"allow {t} {t}:domain create; extra",
            f"neverallow {t} {{ * -{t} }}:domain create;",
            f"neverallow {t} -{t}:domain create;",
            f"type_transition {t} self:domain {t};",
            f"type_transition * {t}:domain {t};",
            f"type_transition {t} {t}:domain {{ {t} }};",
            f"if {b} {{ }}",
            f"if ({b}) {{ type inner_t; }}",
            f"if ({b}) {{ neverallow {t} {t}:domain create; }}",
            f"if ({b}) {{ allow system_r system_r; }}",
            f"if ({b} {b}) {{ }}",
            f"if ({b} &&) {{ }}",
            "if () { }",
            f"if ({b}) {{ }} else",
            f"if ({b}) {{ }} else {{ }} else {{ }}",
            f"if (!!{b}) {{ }};",
            f"type x_t {a};",
            "type x_t alias;",
            "type x_t alias *;",
            "type x_t alias { y_t -z_t };",
            "type x_t, ;",
            "type 9x_t;",
            "type _x_t;",
            "type x..y;",
            "type x.;",
            "type x-;",
            "bool fresh maybe;",
            "role system_r types *;",
            f"role system_r types ~{{ {t} }};",
            "role system_r types self;",
            f"role system_r types {{ {a} -{t} }};",
            "allow * system_r;",
            "allow system_r ~system_r;",
            "role_transition system_r *:domain system_r;",
            f"role_transition * {t}:domain system_r;",
            f"role_transition system_r {a}:domain system_r;",
            f"role_transition system_r {t}:domain object_r;",
            f"allow {t} {t}:domain create;;",
            ";",
            "@",
            "sid",
            "(",
            "}",
        )

    def way_syntax_of_labels(self):
        t, a = self.out.types[0], self.out.attributes[0]
        section, statement = self.random.choice(
            (
                ("devices", f"iomemcon 0x20-0x10 system_u:object_r:{t}"),
                ("devices", f"ioportcon 0x20-0x10 system_u:object_r:{t}"),
                ("devices", f"ioportcon 0x100000000 system_u:object_r:{t}"),
                ("devices", f"pirqcon 0x1-0x2 system_u:object_r:{t}"),
                ("devices", f"iomemcon 0x10000000000000000 system_u:object_r:{t}"),
                ("devices", f"pirqcon x system_u:object_r:{t}"),
                ("devices", f"pirqcon 12x system_u:object_r:{t}"),
                ("devices", f"pirqcon 70 system_u:object_r:{t}:s0"),
                ("devices", f"pirqcon 70 system_u:object_r:{t};"),
                ("devices", f"devicetreecon x system_u:object_r:{t}"),
                ("devices", f'devicetreecon "x" system_u:object_r:{t}'),
                ("constraints", "constrain domain create (t1 == *);"),
                ("constraints", f"constrain domain create (t1 == ~{t});"),
                ("constraints", f"constrain domain create (t1 == {{ {a} -{t} }});"),
                ("constraints", f"constrain domain create (t1 == {{ {a} {{ {t} }} }});"),
                ("constraints", "constrain domain create (t1 == { });"),
                ("constraints", "constrain domain create (t1 == self);"),
                ("constraints", "constrain domain create (t1 dom t2);"),
                ("constraints", "constrain domain create (u1 dom u2);"),
                ("constraints", "constrain domain create (u1 == u1);"),
                ("constraints", "constrain domain create (t2 == t1);"),
                ("constraints", f"constrain domain create (t3 == {t});"),
                ("constraints", "constrain domain create (l1 dom l2);"),
                ("constraints", "constrain domain { } (u1 == u2);"),
                ("constraints", "constrain domain ~create (u1 == u2);"),
                ("constraints", "constrain * create (u1 == u2);"),
                ("constraints", "constrain domain create u1 == u2;"),
                ("constraints", "constrain domain create not u1 == u2 and t1 == t2 or r1 eq r2;"),
                ("constraints", "constrain domain create (r1 dom system_r);"),
                ("constraints", "constrain empty * (u1 == u2);"),
                ("constraints", f"validatetrans domain (t3 == {t});"),
                ("constraints", "validatetrans domain (u1 == u2);"),
                ("constraints", "mlsconstrain domain create (u1 == u2);"),
                ("users", "user fresh_u roles ~system_r;"),
                ("users", "user fresh_u roles { system_r -system_r };"),
                ("users", "user fresh_u roles system_r level s0 range s0;"),
                ("users", "user fresh_u roles object_r;"),
                ("users", "user fresh_u;"),
                ("users", "user fresh_u roles { };"),
            )
        )
        self.append(section, statement)

    def way_reserved_word(self):
        word = self.random.choice(RESERVED)
        self.append("names", f"type {word};", f"attribute {word};", f"bool {word} true;", f"role {word};")

    def way_empty_set(self):
        a = self.out.attributes[0]
        t = self.out.types[0]
        self.append("names", "attribute nobody_type;")
        self.append(
            "rules",
            f"allow {t} nobody_type:domain create;",
            "allow nobody_type self:domain create;",
            f"allow {t} {{ {t} -{t} }}:domain create;",
            f"allow {{ {a} -{a} }} {t}:domain create;",
            f"allow {{ -{t} }} {t}:domain create;",
            f"type_transition nobody_type {t}:domain {t};",
            "neverallow nobody_type *:domain create;",
            f"allow {t} {t}:domain ~{{ create transition pause destroy }};",
            f"allow {t} {t}:empty *;",
            "role system_r types nobody_type;",
            "role_transition system_r nobody_type:domain system_r;",
            f"if ({self.out.booleans[0]}) {{ allow nobody_type nobody_type:domain create; }}",
        )

    def way_conflict(self):
        one, two = self.out.types[:2]
        b, role = self.out.booleans[0], self.out.roles[-1]
        rule = f"type_transition {one} {one}:event"
        self.append(
            "rules",
            f"{rule} {one}; {rule} {two};",
            f"{rule} {one}; {rule} {one};",
            f"{rule} {one}; type_change {one} {one}:event {two};",
            f"{rule} {one}; if ({b}) {{ {rule} {two}; }}",
            f"{rule} {one}; if ({b}) {{ {rule} {one}; }}",
            f"if ({b}) {{ {rule} {one}; {rule} {two}; }}",
            f"if ({b}) {{ {rule} {one}; }} else {{ {rule} {two}; }}",
            f"if ({b}) {{ {rule} {one}; }} if ({b}) {{ {rule} {two}; }}",
            f"if ({b}) {{ {rule} {one}; }} if (!{b}) {{ {rule} {two}; }}",
            f"if ({b}) {{ {rule} {one}; }} {rule} {two};",
            f"role_transition system_r {one}:domain system_r; role_transition system_r {one}:domain system_r;",
            f"role_transition system_r {one}:domain {role}; role_transition system_r {one}:domain system_r;",
        )

    def way_assertion(self):
        t, a = self.out.types[0], self.out.attributes[0]
        other = self.out.types[1]
        self.append(
            "rules",
            f"neverallow {t} {t}:domain create;",
            "neverallow * *:domain create;",
            "neverallow * self:domain create;",
            f"neverallow ~{t} *:domain *;",
            f"neverallow {t} ~{t}:domain *;",
            f"neverallow {t} ~{{ {t} {other} }}:domain *;",
            f"neverallow {a} {a}:domain *;",
            f"neverallow {a} self:domain *;",
            f"neverallow {a} {{ self {other} }}:{{ domain mmu }} *;",
            f"neverallow {{ {a} -{t} }} {a}:domain *;",
            f"neverallow {a} {a} -{t}:domain *;",
            f"neverallow {t} {t}:domain ~{{ pause }};",
            f"neverallow {t} {t}:mmu ~{{ stat }};",
        )

    def way_context(self):
        t = self.out.types[0]
        self.append("names", "role lone_r;", "role lone_r; type lone_t;")
        self.append("users", "user lone_u roles lone_r;")
        self.append(
            "devices",
            f"pirqcon 80 system_u:lone_r:{t}",
            f"pirqcon 80 lone_u:lone_r:{t}",
            f"pirqcon 80 lone_u:system_r:{t}",
            f"pirqcon 80 lone_u:object_r:{t}",
        )

    def way_missing_part(self):
        """Leaves something out."""
        section = self.random.choice([name for name in SECTIONS[2:] if self.out.sections[name]])
        listed = self.out.sections[section]
        del listed[self.random.randrange(len(listed))]

    def way_bounds(self):
        one, two, three = self.out.types[:3]
        self.append(
            "rules",
            f"typebounds {one} {two};",
            f"typebounds {one} {two}, {three};",
            f"typebounds {one} {two}; typebounds {one} {two};",
            f"typebounds {one} {two}; typebounds {three} {two};",
            f"typebounds {one} {one};",
            f"typebounds {one} {two}; typebounds {two} {one};",
            f"typebounds {one} {two}; typebounds {two} {three}; typebounds {three} {one};",
            f"typebounds {one} {two}; allow {two} {one}:event send;",
            f"typebounds {one} {two}; allow {two} {two}:event send; allow {one} {one}:event send;",
            f"typebounds {one} {two}; allow {two} {three}:event send; allow {one} {three}:event send;",
            "type parent; type parent.child; allow parent.child parent.child:event send;",
            "type parent; type parent.child;",
        )

    def way_odd_statement(self):
        t = self.out.types[0]
        self.append(
            "rules",
            "policycap open_perms;",
            "policycap no_such_thing;",
            f"auditdeny {t} {t}:domain create;",
            "attribute_role many_r;",
            "expandattribute a0_type true;",
            f"typebounds {t};",
            f"range_transition {t} {t}:domain s0;",
            f"tunable tune true; if (tune) {{ allow {t} {t}:event send; }} else {{ allow {t} {t}:mmu stat; }}",
            f'#line 7\nallow {t} {t}:event send;\n#line 1 "x.te"\nallow {t} {t}:mmu stat;',
            f"# a comment; type none_t;\nallow {t} {t}:event send;",
            f"allow {t}\n\t{t}\n:event\n\tsend\n;",
            f"allow {t} {t}:event send;\fallow {t} {t}:mmu stat;",
            f"allow{{{t}}}{{{t}}}:event{{send}};",
            f"allow {t} {t} : event send ;",
            f"role_transition system_r {t} system_r;",
            f"role_transition system_r {t}:mmu system_r;",
            f"allowxperm {t} {t}:domain ioctl 1;",
            f'type_transition {t} {t}:domain {t} "file";',
            "default_user domain source;",
            "dominance { role system_r; }",
            "optional { require { type t0_t; } allow t0_t t0_t:event send; }",
            "require { type t0_t; }",
        )

    def way_tables(self):
        section, statement = self.random.choice(
            (
                ("classes", "class domain"),
                ("classes", "class added"),
                ("sids", "sid xen"),
                ("sids", "sid added"),
                ("vectors", "class domain { create }"),
                ("vectors", "class missing { create }"),
                ("vectors", "class empty { }"),
                ("vectors", "class empty { one one }"),
                ("vectors", "class empty { " + " ".join(f"p{n}" for n in range(32)) + " }"),
                ("vectors", "class empty { " + " ".join(f"p{n}" for n in range(33)) + " }"),
                ("vectors", "class empty inherits missing"),
            )
        )
        self.append(section, statement)
