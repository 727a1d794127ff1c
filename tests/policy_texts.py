"""Random policy.conf texts for the Xen target, valid or broken in one way: for tests against checkpolicy.

A `PolicyText` has its statements by section, in the order that checkpolicy's grammar wants.  The same seed gives the
same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from policy_breaks import SECTIONS, Breaker

from polpkg.policy.abi import Abi, SecurityClass

TABLES = (
    ("domain", ("create", "transition", "pause", "destroy")),
    ("mmu", ("map_read", "map_write", "stat")),
    ("resource", ("use", "add", "remove", "plug")),
    ("event", ("send",)),
    ("empty", ()),
)
SIDS = ("xen", "dom0", "domU")
SPELLINGS = ("hy-phen_t", "Upper", "x--y", "x_-9")
BOOLEAN_OPERATORS = ("&&", "||", "^", "==", "!=", "and", "or", "xor", "eq", "AND", "OR", "XOR", "EQ")


@dataclass
class PolicyText:
    """Statements by section, and the names that they declare."""

    sections: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    attributes: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    booleans: list[str] = field(default_factory=list)

    @property
    def abi(self):
        """The tables, as the ABI of a hypervisor."""
        return Abi(tuple(SecurityClass(*c) for c in TABLES), SIDS)

    @property
    def text(self):
        """The whole policy.conf."""
        return "\n".join(line for name in SECTIONS for line in self.sections[name]) + "\n"


class Generator:
    """Makes one valid text from a seed."""

    def __init__(self, seed):
        self.random = Random(seed)
        self.out = PolicyText()
        self.optional_types = []
        self.tunables = 0
        self.role_attributes = 0

    def chance(self, share):
        return self.random.random() < share

    def pick(self, names):
        return self.random.choice(names)

    def some(self, names, most=3):
        return self.random.sample(names, min(len(names), self.random.randint(1, most)))

    def make(self):
        self.tables()
        self.declarations()
        for _ in range(self.random.randint(3, 14)):
            self.add("rules", self.pick((self.av_rule, self.av_rule, self.av_rule, self.type_rule, self.conditional))())
        for _ in range(self.random.randint(0, 2)):
            self.add("rules", self.pick((self.optional, self.optional, self.tunable, self.role_attribute))())
        self.add("rules", f"allow {self.out.types[0]} {self.out.types[0]}:domain create;")
        for _ in range(self.random.randint(0, 3)):
            self.add("rules", self.pick((self.role_allow, self.role_transition, self.neverallow))())
        for _ in range(self.random.randint(0, 3)):
            self.add("constraints", self.constraint())
        self.labels()
        return self.out

    def add(self, section, statement):
        if statement:
            self.out.sections[section].append(statement)

    def tables(self):
        out = self.out.sections
        out["classes"] += [f"class {name}" for name, _ in TABLES]
        out["sids"] += [f"sid {name}" for name in SIDS]
        out["vectors"] += [f"class {name} {{ {' '.join(perms)} }}" for name, perms in TABLES if perms]

    def declarations(self):
        out, random = self.out, self.random
        out.attributes += [f"a{n}_type" for n in range(random.randint(1, 4))]
        out.types += [f"t{n}_t" for n in range(random.randint(3, 7))]
        out.types += random.sample(SPELLINGS, random.randint(0, 2))
        for name in out.attributes:
            self.add("names", f"{self.word('attribute')} {name};")
        for number, name in enumerate(out.types):
            alias = ""
            if self.chance(0.3):
                out.aliases.append(f"alias{number}")
                alias = self.pick((f" alias alias{number}", f" alias {{ alias{number} }}"))
            members = f", {', '.join(self.some(out.attributes, 2))}" if self.chance(0.5) else ""
            self.add("names", f"{self.word('type')} {name}{alias}{members};")
        if self.chance(0.3):
            out.aliases.append("late_alias")
            self.add("names", f"typealias {self.pick(out.types)} alias late_alias;")
        for _ in range(random.randint(0, 2)):
            self.add("names", f"typeattribute {self.pick(out.types)} {', '.join(self.some(out.attributes, 2))};")
        out.booleans += [f"b{n}" for n in range(random.randint(1, 3))]
        for name in out.booleans:
            self.add("names", f"bool {name} {self.pick(('true', 'false', 'TRUE'))};")
        self.roles()
        if self.chance(0.3):
            self.add("names", f"permissive {self.pick(out.types + out.aliases)};")

    def roles(self):
        out = self.out
        out.roles += ["system_r", *(f"r{n}_r" for n in range(self.random.randint(0, 2)))]
        for name in out.roles:
            self.add("names", f"role {name};")
            if self.chance(0.1):
                self.add("names", f"role {name};")
        self.add("names", f"role system_r types {{ {' '.join(out.types)} }};")
        for name in out.roles[1:]:
            if self.chance(0.8):
                self.add("names", f"role {name} types {self.type_set()};")

    def word(self, word):
        return word.upper() if self.chance(0.1) else word

    # Sets

    def type_set(self, *, itself=False):
        names = self.out.types + self.out.attributes + self.out.aliases
        shape = self.random.random()
        if itself and shape < 0.2:
            return self.pick(("self", "{ self }", f"{{ self {self.pick(names)} }}", f"{{ {self.pick(names)} self }}"))
        if shape < 0.5:
            return self.pick(names)
        if shape < 0.75:
            return f"{{ {' '.join(self.some(names))} }}"
        if shape < 0.85:
            return f"{self.pick(self.out.attributes)} -{self.pick(names)}"
        if shape < 0.95:
            return f"{{ {' '.join(self.some(names))} -{self.pick(names)} }}"
        return f"{{ {self.pick(names)} {{ {' '.join(self.some(names))} }} }}"

    def classes_and_permissions(self):
        known = [c for c in TABLES if c[1]]
        name, permissions = self.pick(known)
        shape = self.random.random()
        if shape < 0.1:
            names = [c[0] for c in self.some(known, 3)]
            return f"{{ {' '.join(names)} }}", "*"
        if shape < 0.2:
            return name, "*"
        if shape < 0.3:
            return name, f"~{{ {' '.join(self.some(list(permissions), 2))} }}"
        if shape < 0.35:
            return name, f"~{self.pick(permissions)}"
        if shape < 0.6:
            return name, self.pick(permissions)
        return self.pick((name, f"{{ {name} }}")), f"{{ {' '.join(self.some(list(permissions)))} }}"

    # Rules

    def av_rule(self):
        kind = self.word(self.pick(("allow", "allow", "allow", "auditallow", "dontaudit")))
        classes, permissions = self.classes_and_permissions()
        return f"{kind} {self.type_set()} {self.type_set(itself=True)}:{classes} {permissions};"

    def type_rule(self):
        """On pairs of their own mostly, so that few contradict each other."""
        kind = self.word(self.pick(("type_transition", "type_member", "type_change")))
        security_class = self.pick(("domain", "event", "{ domain mmu }"))
        source = self.pick(self.out.types) if self.chance(0.8) else self.type_set()
        return f"{kind} {source} {self.pick(self.out.types)}:{security_class} {self.pick(self.out.types)};"

    def conditional(self):
        rules = [self.pick((self.av_rule, self.av_rule, self.type_rule))() for _ in range(self.random.randint(0, 3))]
        other = ""
        if self.chance(0.5):
            other = f" else {{ {' '.join(self.av_rule() for _ in range(self.random.randint(0, 2)))} }}"
        return f"{self.word('if')} ({self.condition()}) {{ {' '.join(rules)} }}{other}"

    def optional(self, depth=2):
        """Half of them need something that does not exist, or exists in another optional block only."""
        kind, name = self.pick(
            (
                ("type", self.pick(self.out.types)),
                ("attribute", self.pick(self.out.attributes)),
                ("role", self.pick(self.out.roles)),
                ("bool", self.pick(self.out.booleans)),
                ("type", self.pick(("absent_t", *self.optional_types))),
                ("type", "absent_t"),
                ("role", "absent_r"),
                ("bool", "absent"),
            )
        )
        rules = [f"require {{ {kind} {name}; }}"]
        if kind == "type":
            rules.append(f"allow {name} {self.type_set()}:domain create;")
        if self.chance(0.4):
            self.optional_types.append(f"optional{len(self.optional_types)}_t")
            rules.append(f"type {self.optional_types[-1]}, {self.pick(self.out.attributes)};")
            rules.append(f"allow {self.optional_types[-1]} {self.pick(self.out.types)}:mmu stat;")
        rules.append(self.optional(depth - 1) if depth and self.chance(0.3) else self.av_rule())
        other = ""
        if self.chance(0.5):
            inner = self.optional(depth - 1) if depth and self.chance(0.3) else self.av_rule()
            other = f" {self.word('else')} {{ {inner} }}"
        return f"{self.word('optional')} {{ {' '.join(rules)} }}{other}"

    def tunable(self):
        self.tunables += 1
        name = f"tunable{self.tunables}"
        sign, other = self.pick(("", "!")), self.pick(("", f" else {{ {self.av_rule()} }}"))
        rules = f"if ({sign}{name}) {{ {self.av_rule()} }}{other}"
        return f"{self.word('tunable')} {name} {self.pick(('true', 'false'))};\n{rules}"

    def role_attribute(self):
        self.role_attributes += 1
        name, roles = f"ra{self.role_attributes}", self.some(self.out.roles)
        lines = [f"{self.word('attribute_role')} {name};", *(f"roleattribute {role} {name};" for role in roles)]
        lines += self.some([f"role {name} types {self.type_set()};", f"allow {name} system_r;"])
        return "\n".join(lines)

    def condition(self):
        """An expression that names its booleans in their order.

        libsepol 3.4 takes two conditions for one when their truth tables agree in the order in which each names its
        booleans, which merges `a || a && b` and `b || b && a`.
        """
        while True:
            text = self.boolean_expression(3)
            if (names := list(dict.fromkeys(re.findall(r"b\d", text)))) == sorted(names):
                return text

    def boolean_expression(self, depth):
        if depth == 0 or self.chance(0.3):
            return self.pick(self.out.booleans)
        shape = self.random.random()
        if shape < 0.25:
            operand = self.boolean_expression(depth - 1)
            if operand.startswith(("!", "not", "NOT")):
                operand = self.pick(self.out.booleans)  # libsepol 3.4 mixes up the branches of what is negated twice
            return f"{self.pick(('!', 'not ', 'NOT '))}{operand}"
        left, right = self.boolean_expression(depth - 1), self.boolean_expression(depth - 1)
        text = f"{left} {self.pick(BOOLEAN_OPERATORS)} {right}"
        return f"({text})" if self.chance(0.5) else text

    def neverallow(self):
        """Mostly about what nobody has: permission `plug`."""
        target = self.pick((self.type_set(itself=True), "*", f"~{self.pick(self.out.attributes)}", "self"))
        source = self.pick((self.type_set(), "*", f"~{{ {' '.join(self.some(self.out.types))} }}"))
        return f"neverallow {source} {target}:resource {self.pick(('plug', 'plug', 'plug', 'use'))};"

    def role_allow(self):
        roles = self.out.roles
        return f"allow {self.pick(roles)} {self.pick((self.pick(roles), '{ ' + ' '.join(roles) + ' }'))};"

    def role_transition(self):
        where = self.pick((":domain", ": domain"))
        role, result = self.pick(self.out.roles), self.pick(self.out.roles)
        return f"role_transition {role} {self.pick(self.out.types)} {where} {result};"

    # Constraints and labels

    def constraint(self):
        name, permissions = self.pick([c for c in TABLES if c[1]])
        wanted = self.pick((self.pick(permissions), f"{{ {' '.join(self.some(list(permissions)))} }}", "*"))
        return f"{self.word('constrain')} {name} {wanted} ({self.constraint_expression(2)});"

    def constraint_expression(self, depth):
        if depth == 0 or self.chance(0.3):
            return self.term()
        if self.chance(0.25):
            return f"{self.pick(('not', '!', 'NOT'))} ({self.constraint_expression(depth - 1)})"
        left, right = self.constraint_expression(depth - 1), self.constraint_expression(depth - 1)
        text = f"{left} {self.pick(('and', 'or', '&&', '||', 'AND', 'OR'))} {right}"
        return f"({text})" if self.chance(0.5) else text

    def term(self):
        out = self.out
        equal = self.pick(("==", "!=", "eq", "EQ"))
        names = self.pick(
            (self.pick(out.types), f"{{ {' '.join(self.some(out.types + out.attributes + out.aliases))} }}")
        )
        roles = self.pick((self.pick(out.roles), f"{{ {' '.join(out.roles)} }}"))
        return self.pick(
            (
                f"u1 {equal} u2",
                f"t1 {equal} t2",
                f"r1 {self.pick(('==', 'dom', 'domby', 'incomp', 'DOM'))} r2",
                f"{self.pick(('t1', 't2', 'T1'))} {equal} {names}",
                f"{self.pick(('r1', 'r2'))} {equal} {roles}",
                f"{self.pick(('u1', 'u2'))} {equal} system_u",
                "sameuser",
                f"{self.pick(('source', 'target'))} role {roles}",
                f"{self.pick(('source', 'target'))} type {names}",
                "role dom",
            )
        )

    def labels(self):
        out = self.out
        out.users += ["system_u", *(f"u{n}_u" for n in range(self.random.randint(0, 2)))]
        for name in out.users:
            roles = self.pick(("system_r", "{ system_r }", f"{{ {' '.join(out.roles)} }}"))
            self.add("users", f"{self.word('user')} {name} roles {roles};")
        for name in SIDS:
            self.add("contexts", f"sid {name} {self.context()}")
        self.devices()

    def context(self):
        role = self.pick(("object_r", "system_r"))
        return f"{self.pick(self.out.users)}:{role}:{self.pick(self.out.types + self.out.aliases)}"

    def devices(self):
        if self.chance(0.5):
            self.add("devices", f"pirqcon {self.pick(('33', '0x21', '041'))} {self.context()}")
        if self.chance(0.5):
            self.add(
                "devices", f"iomemcon {self.pick(('0xfebe0', '0xfebe0-0xfebff', '0x1000000000'))} {self.context()}"
            )
        if self.chance(0.5):
            self.add("devices", f"ioportcon {self.pick(('0x20', '0x20-0x3f', '0x20 - 0x3f'))} {self.context()}")
            self.add("devices", f"ioportcon 0x40-0x4f {self.context()}")
        if self.chance(0.5):
            self.add("devices", f"pcidevicecon 0xc800 {self.context()}")
        if self.chance(0.5):
            path = self.pick(("/soc/serial@9000000", '"/soc/serial@9000000"'))
            self.add("devices", f"devicetreecon {path} {self.context()}")


def policy_text(seed, *, broken=False):
    """A text, and how it was broken ("" when it was not)."""
    generator = Generator(seed)
    text = generator.make()
    return text, Breaker(text, generator.random).break_it() if broken else ""
