"""What Xen wrote: lines that dom0 broke into, the mode of FLASK, panics and denials of every release."""

import pytest

from polpkg.targets.lab.transcript import Denial, Transcript

NEW = "avc:  denied  { map_read map_write } for source=d0 target=d1 scontext=u:r:a_t tcontext=u:r:b_t tclass=mmu"
OLD = "avc:  denied  { create } for domid=0 target=2 scontext=u:r:a_t tcontext=u:r:c_t:s0 tclass=domain"
PANIC = """(XEN) Flask: 128 avtab hash slots, 288 rules.
(XEN) Flask:  13 classes, 288 rules
(XEN) Flask:  permission kexec in class xen has incorrect value
(XEN) Flask:  the definition of a class is incorrect
(XEN)
(XEN) ****************************************
(XEN) Panic on CPU 0:
(XEN) Unable to load FLASK policy
(XEN) ****************************************
"""


def test_denials_are_told_once_in_their_order():
    text = f"(XEN) {NEW}\n(XEN) {OLD}\n(XEN) {NEW}\n(XEN) avc:  granted  {{ x }} for scontext=u:r:a_t tclass=mmu\n"
    assert list(map(str, Transcript.of(text).denials)) == [
        "a_t b_t:mmu map_read",
        "a_t b_t:mmu map_write",
        "a_t c_t:domain create",
    ]


def test_a_line_of_dom0_that_xen_broke_into_is_two():
    assert Transcript.of(f"hello(XEN) {OLD}\r\n").lines[:2] == ("hello", f"(XEN) {OLD}")


@pytest.mark.parametrize("mode", ["enforcing", "permissive"])
def test_mode(mode):
    assert Transcript.of(f"(XEN) Flask:  Starting in {mode} mode.\n").mode == mode


def test_a_panic_is_told_with_the_complaints_of_flask_before_it():
    found = Transcript.of(PANIC)
    assert found.panic == (
        "Flask: permission kexec in class xen has incorrect value",
        "Flask: the definition of a class is incorrect",
        "Unable to load FLASK policy",
    )
    assert found.mode == ""


def test_a_panic_of_dom0s_kernel():
    text = "[  1.0] Kernel panic - not syncing: No working init found.\n(XEN) Hardware Dom0 crashed"
    assert Transcript.of(text).panic == ("[ 1.0] Kernel panic - not syncing: No working init found.",)


def test_nothing_written_is_nothing_found():
    assert (Transcript.of("").panic, Transcript.of("").mode, Transcript.of("").denials) == ((), "", ())


def test_a_context_that_xen_cannot_print_is_its_number():
    line = "(XEN) avc:  denied  { 0x80 } for source=d0 scontext=u:r:a_t tcontext=17 tclass=domain"
    assert Transcript.of(line).denials == (Denial("a_t", "17", "domain", "0x80"),)
