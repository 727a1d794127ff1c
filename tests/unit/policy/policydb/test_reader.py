from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from polpkg.errors import ExitCode, PolicyError
from polpkg.policy.policydb import lower, model, read_policydb, write_policydb
from polpkg.policy.policydb.avtab import AvTable
from polpkg.policy.policydb.ebitmap import encode_bit


@pytest.fixture(params=[(24, False), (24, True), (30, False), (30, True)], ids=["24", "24-mls", "30", "30-mls"])
def policy(samples, request):
    version, mls = request.param
    return lower(samples.sample(mls=mls, version=version), version)


def code_of(data):
    with pytest.raises(PolicyError) as caught:
        read_policydb(data)
    assert caught.value.exit_code == ExitCode.POLICY
    return caught.value.code


def test_what_is_written_is_read(policy):
    assert read_policydb(write_policydb(policy)) == policy


def test_what_follows_the_policy_is_kept(policy):
    data = write_policydb(policy) + b"\0padding"
    assert read_policydb(data).trailing == b"\0padding"
    assert write_policydb(read_policydb(data)) == data


def test_every_truncation_is_refused(policy):
    data = write_policydb(policy)
    for length in range(0, len(data), 7):
        assert code_of(data[:length]) in {"policydb-truncated", "policydb-foreign"}


def test_what_is_not_a_policy_is_named(policy):
    data = write_policydb(policy)
    assert code_of(b"\x7fELF" + data[4:]) == "policydb-foreign"
    assert code_of(data.replace(b"XenFlask", b"SE Linux")) == "policydb-foreign"
    assert code_of(data[:16] + struct.pack("<I", 31) + data[20:]) == "policydb-version"
    assert code_of(data[:24] + struct.pack("<I", 7) + data[28:]) == "policydb-corrupt"


def test_an_announced_billion_is_not_allocated(policy):
    policy = replace(policy, range_transitions=())
    data = write_policydb(policy)
    at = len(write_policydb(replace(policy, type_attributes=()))) - 4
    message = "announced at offset"
    with pytest.raises(PolicyError, match=message):
        read_policydb(data[:at] + struct.pack("<I", 1_000_000_000) + data[at + 4 :])


def break_rule(p):
    return replace(p, rules=AvTable.of([(99, 1, 1, 1, 1)]))


def break_kind(p):
    return replace(p, rules=AvTable.of([(1, 1, 1, 128, 1)]))


def break_result(p):
    return replace(p, rules=AvTable.of([(1, 1, 1, 16, 99)]))


def break_class(p):
    return replace(p, rules=AvTable.of([(1, 1, 77, 1, 1)]))


def break_context(p):
    item = p.object_contexts[0][0]
    broken = item._replace(context=item.context._replace(user=9))
    return replace(p, object_contexts=((broken,), *p.object_contexts[1:]))


def break_condition(p):
    return replace(p, conditionals=(model.ConditionalNode(0, ((4, 0),), AvTable(), AvTable()),))


def break_boolean(p):
    return replace(p, conditionals=(model.ConditionalNode(0, ((1, 9),), AvTable(), AvTable()),))


def break_numbering(p):
    first, *rest = p.users.entries
    return replace(p, users=p.users._replace(entries=(first._replace(value=2), *rest)))


def break_name(p):
    first, second, *rest = p.types.entries
    return replace(p, types=p.types._replace(entries=(first, second._replace(name=first.name), *rest)))


def break_role_set(p):
    first, *rest = p.users.entries
    return replace(p, users=p.users._replace(entries=(first._replace(roles=encode_bit(40)), *rest)))


def break_constraint(p):
    first, *rest = p.classes.entries
    node = first.constraints[0]
    broken = first._replace(constraints=(node._replace(expression=node.expression[:-1]),))
    return replace(p, classes=p.classes._replace(entries=(broken, *rest)))


@pytest.mark.parametrize(
    "damage",
    [
        break_rule,
        break_kind,
        break_result,
        break_class,
        break_context,
        break_condition,
        break_boolean,
        break_numbering,
        break_name,
        break_role_set,
        break_constraint,
    ],
)
def test_a_number_that_names_nothing_is_refused(policy, damage):
    with pytest.raises(PolicyError, match="offset") as caught:
        read_policydb(write_policydb(damage(policy)))
    assert caught.value.code == "policydb-corrupt"


def test_a_name_with_an_escape_is_refused(policy):
    data = write_policydb(policy).replace(b"customer_u", b"cust\x1b[31m_")
    assert code_of(data) == "policydb-corrupt"
