"""Names of instances and guests: what is accepted links, and nobody gets a type of somebody else."""

from __future__ import annotations

from bundled_policies import link_bundled
from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.errors import PolicyError

NAMES = "a b a-b b-a guest self channel t a-t target building vmv argo-comms"
WORDS = st.sampled_from(NAMES.split())
REFUSALS = {"names-coincide", "project-reserved-name", "project-bad-parameter", "name-of-a-macro"}
INSTANCES = st.dictionaries(WORDS, st.lists(WORDS, max_size=3, unique=True), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(INSTANCES)
def test_accepted_names_give_every_domain_a_type_of_its_own(instances):
    wanted = {name: {"guests": tuple(guests)} for name, guests in instances.items()}
    try:
        policy = link_bundled("4.17", "vmv", instances={"vmv": wanted})
    except PolicyError as error:
        assert {d.code for d in error.diagnostics} <= REFUSALS, error  # noqa: PT017 - it need not be refused
        return
    types = {symbol.name for symbol in policy.types if not symbol.is_attribute}
    verifiers = next(s.members for s in policy.types if s.name == "vmv_verifier_type")
    guests = next(s.members for s in policy.types if s.name == "vmv_guest_type")
    assert verifiers.bit_count() == len(instances)
    assert guests.bit_count() == sum(map(len, instances.values()))
    own = [name for name in types if name.startswith("vmv_")]
    assert len(own) == 3 * (verifiers | guests).bit_count(), own
    assert not verifiers & guests
