"""What is fuzzed: parts of polpkg that read what strangers wrote, with inputs to begin with.

Each takes bytes, and may raise `PolicyError` and nothing else; where a policy brings tables of its own that the
hypervisor would refuse, `TargetError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError, TargetError
from polpkg.policy.abi import load_abi
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.link import link
from polpkg.policy.modules import Environment, PackageSource, build_modules
from polpkg.policy.policydb import canonical, lift, lower, read_policydb, write_policydb
from polpkg.policy.syntax.m4 import MacroTable, expand
from polpkg.policy.syntax.te import PlainText, parse_te

_TESTS = Path(__file__).parent.parent
_PACKAGES = (_TESTS.parent / "polpkg/bundled", _TESTS.parent / "plugins")


class Fuzzed(NamedTuple):
    """Something to fuzz: `run` it on variations of `corpus`, with `words` thrown in."""

    run: Callable[[bytes], None]
    corpus: tuple[bytes, ...]
    words: tuple[bytes, ...]
    is_text: bool = True


def run_macros(data: bytes) -> None:
    """The macro processor."""
    expand((Source("fuzz.te", _text(data)),), MacroTable.standard())


def run_te(data: bytes) -> None:
    """The parser of the kernel policy language; its findings are values."""
    parse_te(PlainText(Source("fuzz.te", _text(data))))


def run_package(data: bytes) -> None:
    """A package of one fragment: macros, parser and linker, and what comes out in every form."""
    package = PackageSource("fuzz", "1", (Source("fuzz.te", _text(data)),))
    _check(build_modules((package,), Environment(_abi())), _abi())


def run_conf(data: bytes) -> None:
    """A whole policy.conf that was imported: with tables of its own, and without macros."""
    _check_tree("fuzz.conf", data)


def run_cil(data: bytes) -> None:
    """A whole policy in CIL that was imported."""
    _check_tree("fuzz.cil", data)


def run_policydb(data: bytes) -> None:
    """The reader; what it takes is written back byte for byte, and read as text."""
    policy = read_policydb(data)
    if write_policydb(policy) != data:
        raise AssertionError("what was read is not what is written")
    linked = lift(policy)
    emit_conf(linked)
    emit_cil(linked)
    canonical(policy)


def _check_tree(file: str, data: bytes) -> None:
    package = PackageSource("fuzz", "1", (Source(file, _text(data)),), own_tables=True)
    _check(build_modules((package,), Environment(_small_abi())), _small_abi())


def _check(modules, abi) -> None:
    policy = link(modules, abi).policy
    emit_conf(policy)
    emit_cil(policy)
    data = write_policydb(lower(policy, 30))
    if write_policydb(read_policydb(data)) != data:
        raise AssertionError("what was compiled is not what is read")


def _text(data: bytes) -> str:
    """Sources are UTF-8 when they come out of an archive."""
    return data.decode(errors="replace")


@cache
def _abi():
    return load_abi("4.17.0")


@cache
def _small_abi():
    """The ABI of the goldens, so that they are accepted with the tables that they bring."""
    return lift(read_policydb(_policydbs()[0])).abi


def _sources(*suffixes: str) -> tuple[bytes, ...]:
    """All policy sources of the tests and of the bundled packages."""
    folders = (_TESTS / "data", _TESTS / "golden", *_PACKAGES)
    found = (path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in suffixes)
    return tuple(path.read_bytes() for path in found if path.is_file())


def _words(text: str) -> tuple[bytes, ...]:
    return tuple(word.encode() for word in text.split())


def _policydbs() -> tuple[bytes, ...]:
    goldens = sorted((_TESTS / "golden/backends").glob("*.hex"))
    return tuple(bytes.fromhex(re.sub(r"\s", "", re.sub(r"#.*", "", p.read_text()))) for p in goldens)


_MACRO_WORDS = (
    *_words(
        "define( undefine( pushdef( popdef( defn( ifdef( ifelse( shift( $0 $1 $9 $10 $# $* $@ incr( decr( eval( "
        "len( index( substr( regexp( patsubst( translit( format( dnl errprint( __file__ __line__ builtin( indir( "
        "syscmd( include( changequote( changecom( divert( undivert( dumpdef( ` ' `' `` '' ( ) , # \\( \\) \\1 \\& .* "
        "[a-z]* [^ %s %08d %-*s %c %999999s 2**62 1<<63 0x7fffffff -1 99999999999 `$1' `$@' x(`x') foreach( "
        "for_each( m4_ builtin(`define' 1?2:3"
    ),
    b"define(`x',`x(x)')x",
    b"define(`f',`f($@,$@)')f(a)",
    b"\n",
    b" ",
    b"\xff",
    b"\x00",
    "é".encode(),
)

_TE_WORDS = (
    *_words(
        "allow auditallow dontaudit neverallow type attribute typealias alias typeattribute typebounds permissive "
        "role roles types user bool true false if else { } ( ) ; : , - ~ * . self && || ^ == != ! not and or xor "
        "constrain mlsconstrain validatetrans mlsvalidatetrans u1 u2 u3 r1 r2 t1 t2 l1 l2 h1 h2 dom domby incomp "
        "eq sid class inherits common sensitivity category dominance level range s0 s0:c0.c3 c0 pirqcon iomemcon "
        "ioportcon pcidevicecon devicetreecon type_transition type_member type_change range_transition "
        "role_transition policycap require optional default_user default_range source target low high low-high "
        'glblub 0xffffffffff 1-0 0x 99999999999999999999 "path" domain create system_u:system_r:xen_t module '
        "tunable expandattribute allowxperm xattr handleunknown handle_unknown_perm"
    ),
    b"\n",
    b" ",
    b"\x0c",
    b"\xff",
    b"\x00",
    b"#",
    b'#line 5 "x"\n',
    b'"',
    "é".encode(),
)

_CIL_WORDS = (
    *_words(
        "( ) (type (typeattribute (typeattributeset (roletype (role (roleattribute (roleattributeset (user (userrole "
        "(allow (auditallow (dontaudit (neverallow (class (classorder (classcommon (common (classpermission "
        "(classpermissionset (classmap (classmapping (constrain (mlsconstrain (validatetrans (boolean (booleanif "
        "(tunable (tunableif (optional (macro (call (in (block (blockinherit (sid (sidorder (sidcontext (context "
        "(level (levelrange (userlevel (userrange (sensitivity (category (categoryset (pirqcon (iomemcon (ioportcon "
        "(pcidevicecon (devicetreecon (typealias (typealiasactual (typebounds (typepermissive (typetransition "
        "(rangetransition (policycap (handleunknown (mls true) and or not xor eq neq all self range "
        't1 t2 r1 u1 l1 h2 (domain (create)) xen_t system_r system_u "text" 0xffffffffff (1 0) ; ;;*'
    ),
    b"(" * 3000,
    b"\n",
    b" ",
    b"\xff",
    b"\x00",
    b'"',
    "é".encode(),
)

FUZZED: dict[str, Fuzzed] = {
    "m4": Fuzzed(run_macros, _sources(".if", ".te", ".spt", ".m4"), _MACRO_WORDS + _TE_WORDS[:20]),
    "te": Fuzzed(run_te, _sources(".te", ".conf", ".cons"), _TE_WORDS),
    "package": Fuzzed(run_package, _sources(".te", ".if", ".conf"), _TE_WORDS + _MACRO_WORDS),
    "conf": Fuzzed(run_conf, _sources(".conf"), _TE_WORDS),
    "cil": Fuzzed(run_cil, _sources(".cil"), _CIL_WORDS),
    "policydb": Fuzzed(run_policydb, _policydbs(), (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"object_r"), False),
}
"""Everything that is fuzzed, by name."""


def survives(fuzzed: Fuzzed, data: bytes) -> None:
    """Runs `fuzzed` on `data`; returns when it did, or refused as it should."""
    try:
        fuzzed.run(data)
    except (PolicyError, TargetError) as error:
        for found in error.diagnostics:
            if not (found.code and found.message):
                raise AssertionError("an error without a code or a message") from error
