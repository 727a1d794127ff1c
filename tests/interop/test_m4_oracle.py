"""Every case is expanded by GNU m4 too: the output must be the same, character for character."""

# ruff: noqa: E501 (the cases are text, one to a line)

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.syntax.m4 import MacroTable, expand

pytestmark = [pytest.mark.interop, pytest.mark.skipif(not shutil.which("m4"), reason="GNU m4 is not installed")]


def bounded():
    resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (5, 5))


def gnu_m4(folder, files, *, options=()):
    """Output of m4 on `files` (name to text), None when it gave up in the middle."""
    for name, text in files.items():
        Path(folder, name).write_text(text)
    done = subprocess.run(
        ["m4", *options, *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bounded,
        timeout=20,
        env={**os.environ, "LC_ALL": "C"},
    )
    fatal = "ERROR: end of file" in done.stderr or done.returncode < 0
    return None if fatal else done.stdout


def ours(files, *, options=()):
    sources = [Source(name, text) for name, text in files.items()]
    try:
        return expand(sources, MacroTable.standard(), sync_lines="-s" in options).text
    except PolicyError as error:
        return None if error.code == "m4-end-of-file" else error.diagnostics


def assert_same(folder, text, *options):
    files = {"in.te": text}
    assert ours(files, options=options) == gnu_m4(folder, files, options=options)


CASES = r"""
plain text, with numbers 12x and x12 and _x
`quoted' ``twice quoted'' `a `nested' b' `' ``''
define(`x',`X')x `x' ``x'' x() x(1) xx 1x x1 x-x
define(`x', `X')define(x, 5)X x
define(  `blanks',   a b  )[blanks]
define(`lines',
   two
`lines'
)defn(`lines')
define(`f',`[`$0'|$1|$2|$#|$*|$@]')f f() f(a) f( a, b ,c) f(`a,b',c) f((a,b),c) f(a(b,c)d,(,)) f(`(',`)') f(,)
define(`f',`$1$2$10$11$999$99999999999999$')f(1,2,3,4,5,6,7,8,9,10,11)
define(`f',`$x$$1$-$`'1')f(a)
define(`f',`$01|`$00'')f(a)
define(`f',`$@')define(`g',`$#')g(f(a,b)) g(f()) g(f) g(f(`a,b',c)) g(`f(a,b)')
define(`f',`$*')define(`g',`$#')g(f(`a,b',c)) g(f(a,b))
define(`n',`define(`$1',`[$$1]')')n(`q')defn(`q')
define(`foo',`bar')define(`bar',`baz')foo bar `foo' defn(`foo') [defn(`foo',`bar')] defn(`nothing')
define(`f',1)f(define(`f',2))f
pushdef(`f',1)pushdef(`f',2)f popdef(`f')f popdef(`f')f
pushdef(`f',1)pushdef(`f',2)f(popdef(`f'))f define(`f',3)f popdef(`f',`f',`f')f
define(`a',1)define(`b',2)undefine(`a',`b')a b
undefine(`len')len(abc) pushdef(`incr',`mine')incr(4)popdef(`incr')incr(4)
define(`l',defn(`len'))l(abc) l
define(`d',defn(`define')xx)d(`a',`b')a
define(`d',xx defn(`define'))d(`a',`b')a
define(`d',defn(`define',`len'))d(`a',`b')a
define(`u',U)define(`d',defn(`define',`u'))d(`a',`b')a
define(`u',U)define(`d',defn(`u',`define'))d(`a',`b')a
define(`c',`defn(`len')')[c]len(c)ifelse(c,,yes,no)
define(`f',`<$1>')f(defn(`len'))f(x`'defn(`len'))f(defn(`len')x)
define(defn(`len'),x)y
pushdef(`p',defn(`dnl'))a p b
c popdef(`p')p
define define() define(`e')[e] define(`',empty) pushdef() pushdef(`z')[z]
define(`#',`hash')# still a comment
# x comment `quote
define(`x',1)x # x ( , ) `
x
define(`f',`[$1]')f(a # b, c) `
d)e
define(`f',`[$1]')f(`a # b, c)') x
dnl gone
kept dnl gone
kept dnl(a, x
b dnl`' gone
c
define(`x',`a dnl b')x still gone
next
define(`x',`a dnl b
c')x after
ifelse() ifelse(a) ifelse(a,b) ifelse(a,b,c) ifelse(a,a,c) ifelse(a,a,c,d) ifelse(a,b,c,d) ifelse(a,b,c,d,e)
ifelse(a,b,c,d,d,e) ifelse(a,b,c,d,d,e,f) ifelse(a,b,c,d,e,f,g) ifelse(a,b,c,d,e,f,g,h) ifelse(,,yes) ifelse
ifelse(1,2,3,4,5,6,7,8,9,10) ifelse(1,2,3,4,5,6,7,7,8) ifelse(`a',a,`define(`x',1)')x
ifdef(`define',yes,no) ifdef(`nope',yes,no) ifdef(`nope',yes) ifdef(`define') ifdef() ifdef ifdef(`len',a,b,c)
ifdef(`syscmd',yes,no) ifdef(`__gnu__',yes,no)
shift shift() shift(a) shift(a,b) shift(a,`b,c',d) shift(shift(a,b,c)) shift(a,)
define(`r',`ifelse($#,0,,$#,1,``$1'',`r(shift($@)),`$1'')')r r(a) r(a,b,c) r(`a,b',c)
define(`for',`ifelse($1,$2,`$1',`$1 for(incr($1),$2)')')for(1,20)
define(`shiftn',`ifelse($1,0,`shift($*)',`shiftn(decr($1),shift(shift($*)))')')shiftn(2,a,b,c,d)
len() len(abc) len(`a,b') len len(a,b)
index(abc,c) index(abc) index(abc,) index(abc,d) index(,) index(abcabc,ca) index() index(abc,abcd)
substr(abc) substr(abc,1) substr(abc,-1) substr(abc,1,1) substr(abc,1,-1) substr(abc,x) substr(abc,,2) substr(abc,3)
substr(abc,0,0) substr(abc,2,99) substr(abc,1,99999999999) substr() substr(abc,` 1') substr(abc,1x) substr(abc,+1)
translit(abc,a-c,A-C) translit(abc,a-c) translit(abc) translit(`a-b',`a-',`XY') translit(abc,c-a,123) translit()
translit(aab,aa,xy) translit(abc,abc,x) translit(`a-z',`-a',12) translit(abc,,x) translit(`abc-',`a-c-',`1-4')
translit(`hello',`a-y',`b-z') translit(`+,-12345',`+--1-5',`<;>a-c-a') translit(`abcdef',`aabdef',`bcged') translit(`a-c',`a--',`XYZ')
translit(`a-a',`a-a',`X') translit(`abcde', `a-c-e', `1-5')
incr() decr() incr(5) incr(2147483647) incr(x) incr( 3) incr(` 3') incr(3 ) incr(0x10) incr(99999999999) incr(-1)
incr(+4) decr(-2147483648) incr incr(1,2) incr(-) incr(99999999999999999999999)
eval(-2**2) eval(2**3**2) eval(2**-1) eval(0**0) eval(1=1) eval(1||1/0) eval(0x1f) eval(0r3:12) eval(017) eval(08)
eval(0b101) eval(!0) eval(~5) eval(- -3) eval(10,2,8) eval(-10,16,4) eval(5,1) eval(5,37) eval(7,10,-1) eval()
eval(1 2) eval(+) eval(1+) eval((1) eval(1)) eval(2 && 3) eval(-7/2) eval(-7%2) eval(1<<33) eval(-1>>1) eval(1<2<3)
eval(`1 ? 2 : 3') eval(`1 += 2') eval(1 != 2) eval(`1 !< 2') eval(0r37:1) eval(0r1:111) eval(0r0:1) eval(0xg)
eval(99999999999) eval(2147483648) eval(-2147483648/-1) eval(-2147483648%-1) eval(1/0) eval(1%0) eval(0||1/0) eval(0&&1/0)
eval(1<<-1) eval(1&3==3) eval(`1|2,3') eval(`abc') eval(7,,5) eval(-7,2,10) eval(7,1,5) eval(`08') eval(a) eval eval(1,0)
eval(`~0>>31') eval(`!!5') eval(`2-3-4') eval(`2*3%4') eval(`-1<0') eval(`(1,2)') eval(`(1') eval(`1)') eval(`()')
eval(` ') eval(`5&&') eval(`1===1') eval(`0&&(') eval(`1||2 3') eval(3,10,0) eval(0,10,0) eval(5,2,abc) eval(5,2,)
eval(0b12) eval(0B1) eval(0X1F) eval(0R2:1) eval(-0) eval(0r36:Zz) eval(0r2:12) eval(0r1:0101) eval(0r1:2) eval(0r16:)
eval(1^3|4) eval(6/4*4) eval(1-1-1) eval(2**2**0) eval(3>2>1) eval(1==1==1) eval(!1+1) eval(-2**-2) eval(~-1) eval(+5)
eval(3**40) eval(2147483647+1) eval(65536*65536) eval(-5/3) eval(5/-3) eval(-5%3) eval(5%-3) eval(1>>40) eval(`1,2')
eval(`1 &= 2') eval(`1 &&= 2') eval(`5 % 3') eval(`5 |
3') eval(`0 && (1/0)') eval(`1 || (1/0)') eval(`0 && (1/0 + 2)') eval(`0x') eval(`0b') eval(`0r') eval(`0r2') eval(`1.5')
eval(`((((((1))))))') eval(`1 =') eval(`=1') eval(`1<=1') eval(`1>=2') eval(`1<>2') eval(`!') eval(`0&&1||1') eval(`1||0&&0')
eval(10,36) eval(35,36) eval(-2147483648,2) eval(1,` 10') eval(1,10,` 3') eval(`1/0 )') eval(`1 && 1/0') eval(`a b')
regexp(`abc',`b') regexp(`abc',`b',`<\&>') regexp(`abc',`\(b\)\(c\)',`\2\1\0') regexp(`abc',`x') regexp(`abc',`x',`y')
regexp(`abc',`b',`\x\\') regexp(`abc',`\(b\)',`\2') regexp(`abc',`(') regexp(`abc',`*b') regexp(`abc',`\(') regexp(`abc',`[')
regexp() regexp(abc) regexp(abc,) regexp(`abc',`') regexp(`abc',`',`x') regexp(`a.c',`\.') regexp(`abc',`a\|ab',`<\&>')
regexp(`foo bar',`\<b') regexp(`foo bar',`\bb') regexp(`foo bar',`o\>') regexp(`foo bar',`\Bo') regexp(`foo',`\`f') regexp(`foo',`o\'') regexp(`a',`\)')
regexp(`cc',`c\{2\}') regexp(`c{2}',`c\{2\}') regexp(`ab1',`[[:digit:]]') regexp(`a+b',`a+b') regexp(`a+b',`a\+b') regexp(`aab',`^a*b')
regexp(`a^b',`a^b') regexp(`a$b',`a$b') regexp(`ab',`b$') regexp(`a]b',`[]]') regexp(`a-b',`[a-]*',`<\&>') regexp(`abc',`[^a]') regexp(`a^',`[x^]')
regexp(`abab',`\(ab\)\1') regexp(`abac',`\(ab\)\1') regexp(`aXa',`\(.\)X\1',`\1') regexp(`xay',`x\(a\|b\)y',`\1') regexp(`ac',`\(a\|\)c',`<\1>')
regexp(`ab',`\(a*\)*b',`<\1>') regexp(`aab',`\(a\)*b',`<\1>') regexp(`b',`\(a\)*b',`<\1>') regexp(`abcd',`\(a\|ab\)\(c\|bcd\)',`<\1,\2>')
patsubst(`abc',`',`-') patsubst(`abc',`x*',`-') patsubst(`abc',`b*',`<\&>') patsubst(`a b',`\w+',`<\0>') patsubst(`ab',`^',`-')
patsubst(`aXbX',`\(a\|ab\)\(X\|bX\)*',`<\1,\2>') patsubst(`GNUs not Unix',`\w*',`(\&)') patsubst(`GNUs not Unix',`[A-Z][a-z]+')
patsubst(`a b  c',` +',`_') patsubst(`abc',`b') patsubst(`abc') patsubst() patsubst(`aaa',`a',`b') patsubst(`one two',`\W',`.')
patsubst(`l1
l2',`^',`> ') patsubst(`l1
l2',`$',`;') patsubst(`a
b',`.*',`<\&>') patsubst(`abc',`\(.\)',`\1\1') patsubst(`foo',`o?',`x') patsubst(`a_t b_t',`_t\>',`') patsubst(`$1',`\$',`@')
format(`%d %5s|%-5s|%05d|%x|%%|%i|%u|%o|%#x|%+d|%e|%g|%f|%.2f',1,ab,cd,42,-1,3,-1,8,255,3,1.5,1.5,1.5,1.555)
format(`%ld|%hd|%hhd|%*d|%.*f|%Q|%s',2,70000,300,5,3,2,1.23456)
format(`%s') format(`x',1) format(`%d') format(`%d',12x) format(`%d',99999999999) format(`%1$d',3) format() format(`%')
format(`%05s|%+s|% d|%.3d|%05.3d|%#o|%.0d|%.2s|%X|%E|%G|%F',c,d,5,5,5,8,0,abc,255,1.5,1e10,2.5) format format(`%c%c',65,66)
format(`%-5d|%+5d|%-+5d|%#X|%#o|%5c|%-3c|%5%|%.d|%.0x',1,2,3,255,0,65,66,0,0) format(`%*d|%-*d|%*d',5,1,5,2,-5,3) format(`%hx|%hhx|%lx',-1,-1,-1)
format(`%g|%#g|%10.3e|%-10.1f|%010.2f|%+.1f',100000,1,12345.678,2.25,-3.14159,0.05) format(`%d %d',1) format(`%s,%s',`a,b',define) format(`%%%d',1)
format(`%.3s|%.10s|%10.2s|%-10.2s|',abcdef,abc,abcdef,abcdef) format(`%d',` 3') format(`%d',`3 ') format(`%i',-0) format(`% u',3) format(`%'d',1000)
__line__ __file__ define(`x',`__line__:__file__')x x(
) x(a,
__line__,
b) __line__ __line__() `__line__'
define(`f',`[$1,$2]')f(__line__,
__line__
) f(
__line__) __line__
errprint(`gone') errprint a
define(`x',de)x()fine(`y',1)y x`'fine
define(`q',``abc')q def'g
define(`q',``x')define(`x',1)q x' x
define(`h',`a # b')h x
x define(`x',2)h x
x
define(`f',`[$1]')define(`o',`f(')o a) o b`)'c)
define(`op',`(')define(`f',`[$1]')f op a) f`'op
define(`comma',`,')define(`f',`$#')f(acomma b) f(a`'comma`'b) f(`comma')
define(`cl',`)')define(`f',`<$1>')f(acl b) f(a cl cl
define(`e',`')define(`f',`<$1>')f( e x) f(e  x) f(
  e
  x) f(`' x)
define(`f',`$1')f(f(f(f(`a'),`b'),c),d) f(`f(`f(x)')')
define(`nl',`
')a`'nl`'b dnl c
d
builtin include syscmd sinclude m4wrap indir esyscmd maketemp mkstemp changeword `changequote' `divert'
define(`x',`ab')x`'c xc x c define(`abc',`YES')x()c x`'c define(`y',`x()')y()c y`'c
a`'b`'define(`ab',`no')a`'b indirect `'ab
define(`t',`ifelse($1,0,`done',`t(decr($1))')')t(300)
define(`deep',`ifelse($1,0,`x',`(deep(decr($1)))')')deep(60)
"""


# Line by line, what belongs to the line before ends inside an argument list or quotation: m4 must then give up too.
@pytest.mark.parametrize("case", CASES.strip("\n").split("\n"))
@pytest.mark.parametrize("options", [(), ("-s",)], ids=["plain", "sync"])
def test_case_by_case(tmp_path, case, options):
    assert_same(tmp_path, f"before\n{case}\nafter\n", *options)


@pytest.mark.parametrize("options", [(), ("-s",)], ids=["plain", "sync"])
@pytest.mark.parametrize("group", CASES.strip("\n").split("\ndefine("))
def test_groups_of_lines(tmp_path, group, options):
    text = f"define({group}\n" if not group.startswith("plain") else group + "\n"
    assert_same(tmp_path, text, *options)


ACROSS = """\
define(`x',`a')define(`ab',`[__line__]')define(`y',`q')
x(
)b
y(

)zzz
x(
)b(
) foo
y(
)`two
lines' x(
)`'b
x(

)# comment y
y(
)# comment y
"""


@pytest.mark.parametrize("options", [(), ("-s",)], ids=["plain", "sync"])
def test_lines_of_names_that_several_texts_make_up(tmp_path, options):
    assert_same(tmp_path, ACROSS, *options)


@pytest.mark.parametrize("options", [(), ("-s",)], ids=["plain", "sync"])
def test_several_files(tmp_path, options):
    files = {"a": "define(`x',`1\n2')one", "b": "x\n__file__ __line__ dnl no newline", "c": "", "d": "\nlast\n"}
    assert ours(files, options=options) == gnu_m4(tmp_path, files, options=options)
