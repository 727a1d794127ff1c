from __future__ import annotations

from dataclasses import replace

import pytest

from polpkg.errors import PolicyError
from polpkg.policy.abi import load_abi
from polpkg.policy.policydb import canonical, lift, lower, model
from polpkg.policy.policydb.ebitmap import encode_bits
from polpkg.policy.policydb.lift_classes import lift_abi


@pytest.mark.parametrize("mls", [False, True])
@pytest.mark.parametrize("version", [24, 30])
def test_lifting_is_the_inverse_of_lowering(samples, mls, version):
    policy = samples.sample(mls=mls, version=version)
    lifted = lift(lower(policy, version))
    assert lower(lifted, version) == lower(policy, version)
    assert lifted.types == policy.types
    assert set(lifted.rules) == set(policy.rules)
    assert lifted.users == policy.users
    assert lifted.initial_sids == policy.initial_sids
    assert not lifted.neverallows


def test_a_file_numbered_otherwise_is_the_same_policy(samples):
    """Types numbered backwards, as another compiler might: the canonical form is what it was."""
    policy = lower(replace(samples.sample(), constraints=()))
    count = policy.types.primary

    def turn(value):
        return count + 1 - value if value else 0

    def turn_set(data):
        from polpkg.policy.policydb.ebitmap import decode_bits

        return encode_bits(sorted(count - 1 - bit for bit in decode_bits(data)))

    def turn_table(table):
        from polpkg.policy.policydb.avtab import AvTable

        return AvTable.of(
            (turn(s), turn(t), c, k, turn(d) if k & 0x70 else d) for s, t, c, k, d in reversed(list(table))
        )

    turned = replace(
        policy,
        permissive=encode_bits([turn(samples.CHILD + 1)]),
        types=policy.types._replace(
            entries=tuple(e._replace(value=turn(e.value), bounds=turn(e.bounds)) for e in policy.types.entries)
        ),
        roles=policy.roles._replace(entries=tuple(e._replace(types=turn_set(e.types)) for e in policy.roles.entries)),
        rules=turn_table(policy.rules),
        conditionals=tuple(
            n._replace(then=turn_table(n.then), otherwise=turn_table(n.otherwise)) for n in policy.conditionals[::-1]
        ),
        role_transitions=tuple(r._replace(type=turn(r.type)) for r in policy.role_transitions),
        object_contexts=tuple(
            tuple(i._replace(context=i.context._replace(type=turn(i.context.type))) for i in items)
            for items in policy.object_contexts
        ),
        type_attributes=tuple(turn_set(row) for row in policy.type_attributes[::-1]),
    )
    assert turned != policy
    assert canonical(turned) == policy


def test_the_abi_of_a_known_release_gives_initial_sids_their_names(samples):
    known = load_abi("4.17")
    contexts = samples.sample().initial_sids[:1] * len(known.initial_sids)
    policy = replace(samples.sample(), abi=known, initial_sids=contexts, constraints=(), role_transitions=())
    small = replace(policy, rules=(), type_rules=(), conditionals=())
    lifted = lift_abi(lower(small))
    assert lifted.fingerprint == known.fingerprint
    assert lifted.initial_sids == known.initial_sids


def test_unknown_classes_have_numbered_initial_sids(samples):
    assert lift(lower(samples.sample())).abi.initial_sids == ("sid1", "sid2")


def unsupported(policy):
    with pytest.raises(PolicyError) as caught:
        lift(policy)
    return caught.value.code == "policydb-unsupported"


def test_what_xen_would_misread_is_refused(samples):
    policy = lower(samples.sample())
    assert unsupported(replace(policy, file_systems=(model.FileSystemDatum("ext4", ()),)))
    assert unsupported(replace(policy, capabilities=encode_bits([40])))


def test_type_transitions_by_name_are_kept_as_foreign(samples):
    policy = lower(samples.sample())
    named = replace(policy, filename_transitions=(model.FilenameTransitionDatum("x", 1, 1, 1, 1),))
    foreign = lift(named).foreign
    assert foreign is not None
    assert [transition.object_name for transition in foreign.transitions] == ["x"]
    assert lower(lift(named)) == named
    assert lift(policy).foreign is None


def test_roles_that_dominate_others_come_back(samples):
    policy = lower(samples.sample())
    first, second, *rest = policy.roles.entries
    entries = (first, second._replace(dominates=encode_bits([0, 1])), *rest)
    changed = replace(policy, roles=policy.roles._replace(entries=entries))
    assert lift(changed).roles[1].dominates == 1
    assert lower(lift(changed)) == changed


def test_inherited_permissions_come_first(samples):
    policy = lower(samples.sample())
    common = model.CommonDatum("file", 1, 1, (model.PermissionDatum("read", 1),))
    datum = model.ClassDatum("dir", 4, "file", 2, (model.PermissionDatum("search", 2),))
    classes = policy.classes._replace(primary=4, entries=(*policy.classes.entries, datum))
    lifted = lift_abi(replace(policy, commons=model.SymbolTable(1, (common,)), classes=classes))
    assert lifted.permissions("dir") == ("read", "search")
