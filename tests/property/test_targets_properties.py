"""What holds for every tree of links, every receipt, and every sequence of changes."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.errors import TargetError
from polpkg.targets.apply import apply_plan
from polpkg.targets.document import digest
from polpkg.targets.generations import current_generation, generation_numbers, read_state
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.receipt import (
    BootFile,
    HypervisorRecord,
    PackageRecord,
    PolicyRecord,
    Receipt,
    UnusableRecord,
    parse_receipt,
    render_receipt,
)
from polpkg.targets.rollback import rollback_state
from polpkg.targets.tree import TreeTarget
from polpkg.targets.wanted import PolicyArtifact, WantedState

NAMES = ("a", "b", "c")
parts = st.sampled_from([*NAMES, "..", "."])
link_texts = st.builds(
    lambda absolute, names: ("/" if absolute else "") + "/".join(names), st.booleans(), st.lists(parts, min_size=1)
)
trees = st.dictionaries(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join),
    st.one_of(st.just(None), link_texts),
    max_size=8,
)


def build(root, tree):
    """Files (None) and links, as far as they do not get in each other's way."""
    for name, link in tree.items():
        path = root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if link is None:
                path.write_text(name)
            else:
                path.symlink_to(link)
        except OSError:
            continue


@settings(max_examples=150, deadline=None)
@given(trees, st.lists(parts, min_size=1, max_size=5).map("/".join))
def test_no_link_leads_out(tree, path):
    """Whatever the links: what is read was written inside, and what is written stays inside."""
    with tempfile.TemporaryDirectory() as directory:
        outside = Path(directory)
        for name in NAMES:
            (outside / name).mkdir()
            (outside / name / "a").write_text("outside")
        root = outside / "x" / "root"
        root.mkdir(parents=True)
        build(root, tree)
        target = TreeTarget(str(root))
        before = {p: p.read_bytes() for p in outside.rglob("*") if p.is_file() and root not in p.parents}
        with suppress(TargetError):
            assert target.read(f"/{path}") != b"outside"
        with suppress(TargetError):
            target.write(f"/{path}/new", b"new")
            target.remove(f"/{path}")
        assert {p: p.read_bytes() for p in outside.rglob("*") if p.is_file() and root not in p.parents} == before


def resolve(tree_root, path, depth=0):
    """What a path means in a changed root, by reading one link at a time; None for what cannot be followed."""
    here: list[str] = []
    waiting = [part for part in PurePosixPath(path).parts if part != "/"]
    while waiting:
        part = waiting.pop(0)
        if part == "..":
            here = here[:-1]
            continue
        found = tree_root.joinpath(*here, part)
        if found.is_symlink():
            depth += 1
            if depth > 40:
                return None
            text = str(found.readlink())
            here = [] if text.startswith("/") else here
            waiting = [each for each in text.split("/") if each not in {"", "."}] + waiting
        elif waiting and not found.is_dir():
            return None
        else:
            here.append(part)
    return tree_root.joinpath(*here)


@settings(max_examples=150, deadline=None)
@given(trees, st.lists(parts, min_size=1, max_size=5).map("/".join))
def test_links_mean_what_they_mean_in_a_changed_root(tree, path):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        build(root, tree)
        expected = resolve(root, f"/{path}")
        target = TreeTarget(str(root))
        try:
            found = target.stat(f"/{path}")
        except TargetError as error:
            if error.code != "link-loop" or expected is not None:
                raise
            found = None
        if expected is None or not expected.exists():
            assert found is None
        else:
            status = expected.lstat()
            assert found is not None
            assert found.identity == (status.st_dev, status.st_ino)


texts = st.text(max_size=8)
digests = st.text(alphabet="0123456789abcdef", min_size=64, max_size=64)
packages = st.builds(PackageRecord, texts, texts, texts, digests)
hypervisors = st.builds(HypervisorRecord, texts, digests, texts)
boot_names = st.text(alphabet="abc0.-", min_size=1, max_size=5).map(lambda name: f"/boot/xenpolicy-{name}")
boot_files = st.builds(BootFile, boot_names, st.lists(hypervisors, max_size=2).map(tuple))
numbers = st.integers(0, 1 << 40)
policies = st.builds(
    PolicyRecord,
    digests, texts, numbers, texts, texts, digests, numbers, numbers, numbers, numbers, texts,
    st.lists(boot_files, max_size=2).map(tuple),
    folder=st.sampled_from(["", "adopted-4.17", "adopted-x+2"]),
)  # fmt: skip
receipts = st.builds(
    Receipt,
    numbers,
    st.none() | numbers,
    texts,
    texts,
    texts,
    st.lists(packages, max_size=3).map(tuple),
    st.dictionaries(texts, texts, max_size=3),
    st.lists(policies, max_size=2).map(tuple),
    st.dictionaries(texts, digests, max_size=3),
    st.lists(st.builds(UnusableRecord, texts, digests, texts), max_size=2).map(tuple),
    st.dictionaries(st.just("later"), st.lists(numbers), max_size=1),
)


@given(receipts)
def test_a_receipt_reads_as_it_was_written(receipt):
    content = render_receipt(receipt)
    assert parse_receipt(content, "receipt.json") == receipt
    assert render_receipt(parse_receipt(content, "receipt.json")) == content


@given(
    st.binary(max_size=60)
    | receipts.map(render_receipt).flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n]))
)
def test_a_damaged_receipt_is_an_error_of_ours(content):
    with suppress(TargetError):
        parse_receipt(content, "receipt.json")


def state(text, paths):
    files = {"policydb": f"policydb {text}".encode(), "policy.cil": text.encode()}
    places = tuple(BootFile(f"/boot/xenpolicy-{path}") for path in sorted(paths))
    made = PolicyArtifact("a" * 64, "4.17.7", 30, "builtin", "1", 1, 1, 1, files, places)
    package = PackageRecord("vmv", f"1.{len(text)}", "bundled", digest(text.encode()))
    return WantedState(text.encode(), b"lock " + text.encode(), (package,), {}, (made,), f"install {text}")


changes = st.one_of(
    st.tuples(st.just("install"), st.sampled_from(["x", "yy", "zzz"]), st.sets(st.sampled_from("123"), min_size=1)),
    st.tuples(st.just("rollback"), st.none(), st.none()),
    st.tuples(st.just("by hand"), st.sampled_from("123"), st.binary(max_size=4)),
    st.tuples(st.just("lose"), st.sampled_from("123"), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(changes, max_size=8))
def test_any_sequence_of_changes(sequence):
    """After each change the target has what was wanted, a second plan is empty, and no foreign policy is lost."""
    with tempfile.TemporaryDirectory() as directory:
        target = TreeTarget(directory)
        foreign: set[bytes] = set()
        for kind, what, more in sequence:
            receipt = current_generation(target)
            if kind == "by hand":
                target.write(f"/boot/xenpolicy-{what}", b"hand" + more)
                foreign.add(b"hand" + more)
                continue
            if kind == "lose":
                path = f"/boot/xenpolicy-{what}"
                if receipt is not None and target.stat(path) and target.read(path) not in foreign:
                    target.remove(path)
                continue
            if kind == "rollback":
                if receipt is None or receipt.parent is None:
                    continue
                wanted = rollback_state(target)
            else:
                wanted = state(what, more)
            numbers_before = generation_numbers(target)
            plan = compute_plan(wanted, read_present(target, wanted), keep=100)
            apply_plan(target, plan, wanted, created="2020-01-01T00:00:00Z")
            assert compute_plan(wanted, read_present(target, wanted)).is_empty
            now = current_generation(target)
            assert now is not None
            assert read_state(target, now, wanted.action) == wanted
            for boot in wanted.artifacts[0].boot_files:
                assert target.read(boot.path) == wanted.artifacts[0].files["policydb"]
            assert set(numbers_before) <= set(generation_numbers(target))
        kept = {path.read_bytes() for path in Path(directory).rglob("xenpolicy-*")}
        by_hand_last = {what: b"hand" + more for kind, what, more in sequence if kind == "by hand"}
        assert set(by_hand_last.values()) <= kept
