"""What a failed resolution says one can do about it, as text and as JSON."""

import json

import pytest


@pytest.fixture
def indexes(tmp_path, monkeypatch):
    """The indexes `here` and `there`, and a policy.toml that gives `lib` to the first though the second has it."""
    monkeypatch.chdir(tmp_path)
    for name in ("here", "there"):
        (tmp_path / name / "index").mkdir(parents=True)
        (tmp_path / name / "config.json").write_text('{"format": 1, "api": null, "auth-required": false}')

    def put(index, name, **fields):
        entry = {"name": name, "version": "1.0", "sha256": "0" * 64, **fields}
        (tmp_path / index / "index" / f"{name}.jsonl").write_text(json.dumps(entry) + "\n")

    put("here", "app", requires={"lib": ""})
    put("there", "lib")
    put("here", "old", yanked="hole")
    put("here", "new", xen=">=4.20")
    for name in ("builder-one", "builder-two"):
        put("here", name, functions=["domain-builder"], clients="*")
    (tmp_path / "policy.toml").write_text(
        '[index-map]\nlib = "here"\n[indexes.here]\nurl = "./here"\n[indexes.there]\nurl = "./there"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "because", "hint"),
    [
        (
            ["builder-one", "builder-two"],
            "both claim domain-builder for every client",
            "only one package can hold domain-builder: remove `builder-one` or `builder-two`",
        ),
        (["old"], "is yanked (hole)", "a yanked version is taken only when it is named exactly, as in `old==1.0`"),
        (["new", "--xen", "4.17"], "is meant for Xen >=4.20", "`new` needs a hypervisor of Xen >=4.20"),
        (
            ["app"],
            "the index that [index-map] gives it to has no package of that name",
            '`there` has it, but [index-map] gives `lib` to another index: lib = "there"',
        ),
        (["buildr-one"], "no index has a package of that name", "did you mean `builder-one`?"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(call, indexes, arguments, because, hint):
    done = call("lock", *arguments, "--project", ".", "--json")
    assert done.code == 3
    assert because in " ".join(done.document["error"]["derivation"])
    assert done.document["error"]["hint"] == hint
    done = call("lock", *arguments, "--project", ".")
    text = " ".join((done.out + done.err).split())
    assert done.code == 3
    assert because in text
    assert hint in text
