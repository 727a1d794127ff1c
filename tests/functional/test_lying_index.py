"""An index or a lock that says something else of an archive than the archive itself is refused."""

import json

import pytest

MORE = """
[conflicts]
old = "<2"
[xen]
versions = ">=4.14"
[functions]
provides = ["console"]
[options.audit.requires]
lib = ">=1"
"""


@pytest.fixture
def site(publish, call, tmp_path):
    """`site(xen="", ...)`: a tree with `app` and `lib`, whose entry for `app` is changed; None takes a key away."""
    publish("lib", "1.0")
    publish("app", "1.0", {"lib": ">=1, <2"}, MORE)

    def lying(**changes):
        assert call("index", "build", "dist", "-o", "tree").code == 0
        file = tmp_path / "tree/index/app.jsonl"
        entry = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({key: value for key, value in entry.items() if value is not None}) + "\n")
        return ("--index", "site=tree", "--json")

    return lying


def refused(done, *words):
    error = done.document["error"]
    assert (done.code, error["code"]) == (4, "wrong-archive")
    assert all(word in error["message"] for word in words), error["message"]
    return error


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("requires", {}, ("nothing by the index site", "lib>=1,<2 in its archive")),
        ("requires", {"lib": ">=1"}, ("lib>=1 by the index site", "lib>=1,<2 in its archive")),
        ("functions", [], ("nothing by", "console in")),
        ("clients", "*", ("* by", "nothing in")),
        ("conflicts", {"old": "<1"}, ("old<1", "old<2")),
        ("options", {}, ("nothing by", "audit (lib>=1) in")),
        ("options", {"audit": {}}, ("audit by", "audit (lib>=1) in")),
        ("xen", ">=4.17", (">=4.17 by", ">=4.14 in")),
    ],
)
def test_an_index_that_lies_is_refused(call, site, tmp_path, key, value, words):
    index = site(**{key: value})
    refused(call("export", "app", *index, "--vendor", "out"), f"`{key}` of app 1.0", *words)
    assert not (tmp_path / "out").exists()
    refused(call("info", "app", *index), key)


def test_the_name_and_the_version_count_as_well(call, site):
    refused(call("info", "app", *site(version="1.1")), "what the index site calls app 1.1 is an archive of app 1.0")


def test_every_lie_is_named(call, site):
    done = call("info", "app", *site(requires={}, functions=[]))
    assert len(done.document["errors"]) == 2
    assert all(error["hint"] for error in done.document["errors"])


@pytest.mark.parametrize("changes", [{"requires": {"lib": " >=1 ,<2"}}, {"clients": None, "xen": None, "size": None}])
def test_what_means_the_same_is_no_lie(call, site, changes):
    assert call("info", "app", *site(**changes)).code == 0


def test_an_archive_that_was_fetched_before_is_compared_too(call, site):
    assert call("info", "app", *site()).code == 0
    refused(call("info", "app", *site(conflicts={})), "conflicts")


@pytest.mark.parametrize(
    ("line", "changed", "key"),
    [
        ('requires = ["lib>=1,<2"]', 'requires = ["lib>=1"]', "requires"),
        ('functions = ["console"]', 'functions = ["console", "debug"]', "functions"),
        ('functions = ["console"]', 'functions = ["console"]\nclients = "*"', "clients"),
    ],
)
def test_a_lock_that_lies_is_refused(call, site, tmp_path, line, changed, key):
    site()
    (tmp_path / "policy.toml").write_text('[target]\nbase = []\n[packages]\napp = "*"\n[indexes.site]\nurl = "tree"\n')
    assert call("lock").code == 0
    lock = tmp_path / "policy.lock"
    assert line in lock.read_text()
    lock.write_text(lock.read_text().replace(line, changed))
    refused(call("export", "--vendor", "out", "--json"), f"`{key}` of app 1.0", "by the lock")
