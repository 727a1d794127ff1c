"""A small policy with one of everything that a policy for Xen can have, as a linked policy."""

from __future__ import annotations

from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.ir.linked import (
    BooleanSymbol,
    CategorySymbol,
    LinkedAvRule,
    LinkedConditional,
    LinkedConstraint,
    LinkedContext,
    LinkedLevel,
    LinkedNeverallow,
    LinkedObjectContext,
    LinkedPolicy,
    LinkedRange,
    LinkedRangeTransition,
    LinkedRoleTransition,
    LinkedTerm,
    LinkedTypeRule,
    RoleSymbol,
    SensitivitySymbol,
    TypeSymbol,
    UserSymbol,
)
from polpkg.policy.ir.statements import (
    AvKind,
    BooleanOperator,
    ConstraintConnective,
    ConstraintOperator,
    ObjectContextKind,
    TypeRuleKind,
)

ABI = Abi(
    (
        SecurityClass("domain", ("create", "transition", "pause")),
        SecurityClass("mmu", ("map_read", "map_write")),
        SecurityClass("resource", ("use", "add")),
    ),
    ("sid1", "sid2"),
)
TYPES = ("child_t", "dom0_t", "domain_type", "empty_attribute", "irq_t", "lone_attribute", "xen_t")
CHILD, DOM0, DOMAIN_TYPE, EMPTY, IRQ, LONE, XEN = range(len(TYPES))
DOMAIN, MMU, RESOURCE = range(3)
ROLES = ("object_r", "guest_r", "system_r")
X, Y = 0, 1

LOW = LinkedLevel(0, 0)
HIGH = LinkedLevel(1, 0b1011)
BOTH = LinkedRange(LOW, HIGH)


def sample(*, mls: bool = False, version: int = 30) -> LinkedPolicy:
    """The policy, with levels or without, and without what version 24 cannot carry when that is asked for."""
    everywhere = BOTH if mls else None
    labels = [
        LinkedObjectContext(ObjectContextKind.PIRQ, 33, 33, "", LinkedContext(1, 0, IRQ, everywhere)),
        LinkedObjectContext(ObjectContextKind.IOPORT, 0x20, 0x3F, "", LinkedContext(1, 0, IRQ, everywhere)),
        LinkedObjectContext(ObjectContextKind.IOMEM, 0xFEBE0, 0xFEBFF, "", LinkedContext(1, 0, IRQ, everywhere)),
        LinkedObjectContext(ObjectContextKind.PCI_DEVICE, 0xC800, 0xC800, "", LinkedContext(1, 0, IRQ, everywhere)),
    ]
    if version == 30:
        path = "/soc/serial@9000000"
        labels.append(
            LinkedObjectContext(ObjectContextKind.DEVICE_TREE, 0, 0, path, LinkedContext(1, 0, IRQ, everywhere))
        )
    return LinkedPolicy(
        abi=ABI,
        types=_types(),
        roles=(
            RoleSymbol("object_r", 0),
            RoleSymbol("guest_r", 1 << CHILD),
            RoleSymbol("system_r", 1 << DOM0 | 1 << XEN),
        ),
        users=(
            UserSymbol("customer_u", 0b010, LOW if mls else None, LinkedRange(LOW, LOW) if mls else None),
            UserSymbol("system_u", 0b110, LOW if mls else None, everywhere),
        ),
        booleans=(BooleanSymbol("allow_x", default=False), BooleanSymbol("allow_y", default=True)),
        rules=_rules(),
        type_rules=(
            LinkedTypeRule(TypeRuleKind.TYPE_TRANSITION, DOM0, XEN, DOMAIN, CHILD),
            LinkedTypeRule(TypeRuleKind.TYPE_CHANGE, DOM0, XEN, DOMAIN, DOM0),
            LinkedTypeRule(TypeRuleKind.TYPE_MEMBER, DOM0, XEN, DOMAIN, XEN),
        ),
        conditionals=_conditionals(),
        neverallows=(
            LinkedNeverallow(1 << CHILD, 1 << IRQ, False, RESOURCE, 0b10, None, "guests add no devices"),
            LinkedNeverallow(1 << XEN | 1 << CHILD | 1 << IRQ, 1 << XEN, True, MMU, 0b10, None, ""),
        ),
        constraints=(*_constraints(), *(_level_constraints() if mls else ())),
        initial_sids=(LinkedContext(1, 2, XEN, everywhere), LinkedContext(1, 2, DOM0, everywhere)),
        object_contexts=tuple(labels),
        role_allows=((2, 1),),
        role_transitions=(LinkedRoleTransition(2, XEN, DOMAIN, 1),) if version == 30 else (),
        range_transitions=(LinkedRangeTransition(DOM0, XEN, DOMAIN, BOTH),) if mls else (),
        sensitivities=(SensitivitySymbol("s0", ("public",), 0b0011), SensitivitySymbol("s1", (), 0b1111))
        if mls
        else (),
        categories=tuple(CategorySymbol(f"c{n}", ("first",) if n == 0 else ()) for n in range(4)) if mls else (),
        capabilities=("open_perms",),
        mls=mls,
    )


def _types() -> tuple[TypeSymbol, ...]:
    return (
        TypeSymbol("child_t", permissive=True),
        TypeSymbol("dom0_t", aliases=("boss_t", "controller_t")),
        TypeSymbol("domain_type", is_attribute=True, members=1 << CHILD | 1 << DOM0 | 1 << XEN),
        TypeSymbol("empty_attribute", is_attribute=True),
        TypeSymbol("irq_t", bounds=DOM0),
        TypeSymbol("lone_attribute", is_attribute=True, members=1 << CHILD),
        TypeSymbol("xen_t"),
    )


def _rules() -> tuple[LinkedAvRule, ...]:
    return (
        LinkedAvRule(AvKind.ALLOW, DOM0, CHILD, DOMAIN, 0b101),
        LinkedAvRule(AvKind.ALLOW, DOM0, DOM0, DOMAIN, 0b001),
        LinkedAvRule(AvKind.ALLOW, DOMAIN_TYPE, LONE, MMU, 0b01),
        LinkedAvRule(AvKind.AUDITALLOW, DOM0, IRQ, RESOURCE, 0b11),
        LinkedAvRule(AvKind.DONTAUDIT, DOMAIN_TYPE, IRQ, RESOURCE, 0b01),
    )


def _conditionals() -> tuple[LinkedConditional, ...]:
    use = LinkedAvRule(AvKind.ALLOW, DOM0, IRQ, RESOURCE, 0b01)
    return (
        LinkedConditional((X, Y, BooleanOperator.NOT, BooleanOperator.AND), (use,), ()),
        LinkedConditional(
            (Y,),
            (LinkedAvRule(AvKind.DONTAUDIT, LONE, XEN, MMU, 0b10),),
            (LinkedTypeRule(TypeRuleKind.TYPE_TRANSITION, CHILD, XEN, DOMAIN, CHILD),),
        ),
    )


def _constraints() -> tuple[LinkedConstraint, ...]:
    same_user = LinkedTerm("u1", ConstraintOperator.EQ, "u2")
    named = LinkedTerm("u1", ConstraintOperator.EQ, "", names=0b10)
    domains = LinkedTerm("t1", ConstraintOperator.EQ, "", 1 << CHILD | 1 << DOM0 | 1 << XEN, (DOMAIN_TYPE,))
    either = (same_user, named, domains, ConstraintConnective.NOT, ConstraintConnective.AND, ConstraintConnective.OR)
    third = LinkedTerm("u3", ConstraintOperator.NEQ, "", names=0b01)
    return (
        LinkedConstraint("constrain", DOMAIN, 0b011, either),
        LinkedConstraint("constrain", MMU, 0b01, (LinkedTerm("r1", ConstraintOperator.DOM, "r2"),)),
        LinkedConstraint("validatetrans", RESOURCE, 0, (third,)),
    )


def _level_constraints() -> tuple[LinkedConstraint, ...]:
    dominates = LinkedTerm("l1", ConstraintOperator.DOM, "l2")
    return (LinkedConstraint("mlsconstrain", DOMAIN, 0b100, (dominates,)),)
