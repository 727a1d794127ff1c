"""Made-up tables survive every container, and no file whatsoever brings the reader down."""

import re
import time

from hypervisors import CONTAINERS, build_hypervisor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polpkg.errors import TargetError
from polpkg.policy.abi import Abi, SecurityClass, load_abi, nearest, parse_table
from polpkg.policy.abi.difference import accepts, difference
from polpkg.policy.abi.hypervisor import SidSource, inspect_hypervisor

RELAXED = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.from_regex(re.compile(r"[a-z][A-Za-z0-9_]{0,11}", re.ASCII), fullmatch=True)
NAMES = WORDS.filter(lambda name: name != "null")


def lists_of(names, **sizes):
    return st.lists(names, unique=True, **sizes).map(tuple)


@st.composite
def tables(draw):
    """Tables as Xen could have them: the first class has two permissions at least."""
    names = draw(lists_of(NAMES, min_size=1, max_size=6))
    sizes = [2, *(0 for _ in names[1:])]
    classes = [
        SecurityClass(name, draw(lists_of(NAMES, min_size=size, max_size=32)))
        for name, size in zip(names, sizes, strict=True)
    ]
    return Abi(tuple(classes), draw(lists_of(NAMES, min_size=1, max_size=20)), "4.99.0")


@given(tables())
@RELAXED
def test_tables_survive_being_written(abi):
    assert parse_table(abi.text, abi.version) == abi


@given(tables(), st.sampled_from(CONTAINERS), st.randoms())
@RELAXED
def test_made_up_tables_are_read_back(abi, container, random):
    order = list(range(1, len(abi.classes) + 1))
    random.shuffle(order)
    found = inspect_hypervisor(build_hypervisor(abi, container=container, class_order=order))
    assert found.table is not None
    assert found.table.classes == abi.classes
    if found.sids is SidSource.UNCERTAIN:
        assert found.table.initial_sids == abi.initial_sids


@given(tables(), tables())
@RELAXED
def test_differences_are_symmetric_and_agree_with_fingerprints(old, new):
    there, back = difference(old, new), difference(new, old)
    assert there.classes_added == back.classes_removed
    assert there.permissions_added == back.permissions_removed
    assert set(there.sids_renumbered) == set(back.sids_renumbered)
    assert bool(there) == (old.fingerprint != new.fingerprint)


@given(tables(), tables())
@RELAXED
def test_only_what_keeps_every_number_is_accepted(policy, hypervisor):
    fits = (
        policy.initial_sids[: len(hypervisor.initial_sids)] == hypervisor.initial_sids
        and [c.name for c in policy.classes[: len(hypervisor.classes)]] == [c.name for c in hypervisor.classes]
        and all(
            a.permissions[: len(b.permissions)] == b.permissions
            for a, b in zip(policy.classes, hypervisor.classes, strict=False)
        )
    )
    assert (accepts(policy, hypervisor) is None) == fits
    assert accepts(policy, policy) is None


@given(tables(), NAMES)
@RELAXED
def test_a_superset_is_accepted(abi, more):
    extended = Abi((*abi.classes, SecurityClass(f"z_{more}_new", (more,))), (*abi.initial_sids, f"z_{more}_new"))
    assert accepts(extended, abi) is None
    assert accepts(abi, extended) is not None


@given(tables())
@RELAXED
def test_something_is_always_nearest(abi):
    version, changes = nearest(abi)
    assert changes == difference(load_abi(version), abi)


SAMPLES = {container: build_hypervisor("4.17", container=container) for container in CONTAINERS}


@given(
    st.sampled_from(CONTAINERS),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=9)), max_size=6),
    st.none() | st.integers(0, 1 << 15),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damage_is_always_an_error_of_ours(container, patches, cut):
    data = bytearray(SAMPLES[container])
    for offset, patch in patches:
        start = offset % len(data)
        data[start : start + len(patch)] = patch
    survive(bytes(data[:cut]))


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"\x7fELF\x02\x01", b"\x7fELF\x01\x01", b"MZ"]))
@settings(max_examples=300, deadline=None)
def test_noise_is_always_an_error_of_ours(noise, magic):
    survive(magic + noise)


CODES = {"not-a-hypervisor", "damaged-hypervisor", "unsupported-compression", "unreadable-abi"}


def survive(data: bytes) -> None:
    try:
        inspect_hypervisor(data)
    except TargetError as error:
        if error.code not in CODES:
            raise


def test_look_alikes_do_not_cost_much_time():
    """4 MiB in which everything looks like the beginning of something."""
    header = SAMPLES["image"][:64] + b"Xen version %d.%d%s\0Flask:  \0".ljust(64, b"\0")
    row = b"\1\0\0\0\1\0\0\0null\0\0\0\0\1\0\0\0\2\0\0\0\2\0\0\0\2\0\0\0"
    for filling in (row, b"null\0\0\0\0", b"X\0e\0n\0 \0", b"\2\0\0\0\2\0\0\0"):
        start = time.process_time()
        survive(header + filling * ((4 << 20) // len(filling)))
        assert time.process_time() - start < 5
