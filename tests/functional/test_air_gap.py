"""Indexes and what is kept of them: index, export, cache, and all of it without a network."""

import shutil
from hashlib import sha256

import pytest

URL = "http://127.0.0.1:9/tree"


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine fails the test."""

    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def names_in(document):
    return [package["name"] for package in document["packages"]]


STORE = "cache/store/v1/sha256"


def stored(folder, archive):
    """Where the store keeps an archive."""
    return folder / STORE / sha256((folder / archive).read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["site", "site.tar"])
def test_a_bundle_is_all_that_a_site_without_network_needs(call, tmp_path, no_network, form):
    done = call("export", "vmv", "--bundle", form, "--json")
    assert names_in(done.document) == ["dom0", "domu", "score", "vmv", "xen-base"]
    assert done.document["bundle"] == form
    offline = ("--offline", "--index", f"site={form}", "--json")
    installed = call("install", "vmv", *offline, "--root", "there", "--xen", "4.17")
    assert installed.code == 0
    assert {p["index"] for p in installed.document["packages"]} == {"site"}
    original = call("install", "vmv", "--root", "here", "--xen", "4.17", "--json").document
    assert installed.document["policy"]["sha256"] == original["policy"]["sha256"]
    assert {p["sha256"] for p in installed.document["packages"]} == {p["sha256"] for p in original["packages"]}


def test_what_was_installed_from_a_bundle_stays_without_it(call, tmp_path, no_network):
    call("export", "vmv", "--vendor", "site")
    target = ("--offline", "--root", "there")
    assert call("install", "vmv", "--index", "site=site", *target, "--xen", "4.17").code == 0
    shutil.rmtree(tmp_path / "site")
    assert call("verify", *target).code == 0
    assert call("sync", "--locked", *target).code == 0


def test_a_bundle_stands_in_for_the_indexes_that_a_lock_names(call, publish, tmp_path, no_network, monkeypatch):
    publish("lib", "1.0", folder="lab")
    publish("app", "1.0", {"lib": ">=1"}, folder="hub")
    indexes = "".join(f'[indexes.{name}]\nurl = "{URL}/{name}"\ntrust = "none"\n' for name in ("hub", "lab"))
    (tmp_path / "policy.toml").write_text(f'[packages]\napp = "*"\n{indexes}')
    at_home = ("--index", "hub=hub", "--index", "lab=lab")
    assert call("lock", *at_home).code == 0
    done = call("export", "--bundle", "site.tar", *at_home)
    there = "--index hub=site.tar --index lab=site.tar --offline"
    assert done.out.endswith(f"site.tar has them: use it with {there}\n")
    for folder in ("hub", "lab", "cache"):
        shutil.rmtree(tmp_path / folder)
    words = ("sync", "--locked", "--root", "r", "--xen", "4.17")
    done = call(*words, "--offline")
    assert (done.code, "--index hub=FILE" in done.told or "--index lab=FILE" in done.told) == (7, True)
    assert call(*words, *there.split()).code == 0
    assert call(*words, "--offline").code == 0


def test_vendored_archives_are_an_index(call, publish, tmp_path):
    publish("lib", "1.0")
    publish("app", "1.0", {"lib": ">=1"})
    done = call("export", "app", "--index", "site=dist", "--vendor", "vendored")
    assert done.out.endswith("vendored has them: use it with --index site=vendored --offline\n")
    assert {"app-1.0.polpkg", "lib-1.0.polpkg"} <= {path.name for path in (tmp_path / "vendored").iterdir()}
    locked = call("lock", "app", "--index", "v=vendored", "--offline", "--json").document["packages"]
    assert [(p["name"], p["index"]) for p in locked] == [("app", "v"), ("lib", "v")]


def test_export_of_a_target_and_of_a_project(call, installed, tmp_path):
    assert {"vmv", "netdom"} <= set(names_in(call("export", "--bundle", "one", "--root", installed, "--json").document))
    (tmp_path / "policy.toml").write_text('[packages]\nscore = "*"\n')
    assert call("export", "--bundle", "two").code == 10
    call("lock")
    assert "vmv" not in names_in(call("export", "--bundle", "two", "--json").document)
    (tmp_path / "policy.toml").write_text('[packages]\nscore = "*"\nvmv = "*"\n')
    done = call("export", "--bundle", "three", "--json")
    assert (done.code, done.document["error"]["where"]["line"]) == (10, 3)
    assert not (tmp_path / "three").exists()


def test_export_is_the_same_every_time(call, tmp_path):
    for name in ("one.tar", "two.tar"):
        call("export", "vmv", "--bundle", name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("vmv",), 2),
        (("--bundle", "x"), 6),
        (("nosuch", "--bundle", "x"), 3),
        (("a b", "--vendor", "x"), 2),
        (("vmv", "--vendor", "full"), 2),
        (("--option", "vmv:sealed-guests", "--vendor", "x"), 2),
    ],
)
def test_export_refuses(call, tmp_path, words, code):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter").write_text("dear")
    assert call("export", *words).code == code
    assert not (tmp_path / "x").exists()


def test_index_add_keeps_comments(call, publish, tmp_path):
    publish("app", "1.0")
    policy = tmp_path / "policy.toml"
    policy.write_text('# ours\n[packages]\napp = "*"  # the app\n')
    done = call("index", "add", "site", "dist")
    assert done.out == "policy.toml names the index site: ./dist\n"
    assert policy.read_text().startswith('# ours\n[packages]\napp = "*"  # the app\n')
    assert '[indexes.site]\nurl = "./dist"\n' in policy.read_text()
    assert "app" in names_in(call("lock", "--json").document)
    before = policy.read_bytes()
    assert "already named" in call("index", "add", "site", "dist").out
    assert policy.read_bytes() == before
    assert call("index", "remove", "site").code == 0
    assert policy.read_text() == '# ours\n[packages]\napp = "*"  # the app\n'


def test_index_add_writes_a_path_that_holds_from_anywhere(call, publish, tmp_path, monkeypatch):
    publish("app", "1.0")
    (tmp_path / "project").mkdir()
    call("index", "add", "site", "dist", "--project", "project")
    assert f'url = "{tmp_path}/dist"' in (tmp_path / "project/policy.toml").read_text()
    (tmp_path / "project/policy.toml").write_text('[packages]\napp = "*"\n[indexes.site]\nurl = "../dist"\n')
    assert call("lock", "--project", "project").code == 0
    assert call("info", "app", "--project", "project").code == 0
    monkeypatch.chdir("/")
    assert call("lock", "--check", "--project", tmp_path / "project").code == 0
    assert call("outdated", "--project", tmp_path / "project").code == 0


def test_index_add_for_a_target(call, publish, installed):
    publish("app", "1.0")
    policy = installed / "etc/polpkg/policy.toml"
    done = call("index", "add", "site", "dist", "--root", installed, "--json")
    assert (done.code, done.document["changed"]) == (0, True)
    assert "[indexes.site]" in policy.read_text()
    done = call("install", "app", "--root", installed)
    assert (done.code, "policy.toml was changed since generation 2: kept in" in done.out) == (0, True)
    assert call("index", "remove", "site", "--root", installed).code == 0
    assert "[indexes" not in policy.read_text()


def test_index_add_says_of_what_the_bundled_index_has_another(call, publish, tmp_path):
    publish("dom0", "0.1")
    publish("xen-base", "0.1")
    done = call("index", "add", "site", "dist", "--project", ".")
    assert "[index-map]" in done.out
    assert '  dom0 = "site"\n' in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    done = call("lock", "dom0", "--json")
    assert (done.code, done.document["error"]["code"]) == (4, "ambiguous-name")


def test_a_bundle_of_what_is_bundled_clashes_with_nothing(call, tmp_path, no_network):
    call("export", "vmv", "--bundle", "site.tar")
    assert call("index", "add", "site", "site.tar", "--project", ".").out == (
        "policy.toml names the index site: ./site.tar\n"
    )
    assert {p["index"] for p in call("lock", "vmv", "--json").document["packages"]} == {"site"}
    assert call("install", "vmv", "--offline", "--root", "r", "--xen", "4.17", "--project", ".").code == 0
    lock = (tmp_path / "policy.lock").read_text()
    assert call("sync", "--locked", "--offline", "--root", "other", "--xen", "4.17").code == 0
    assert (tmp_path / "policy.lock").read_text() == lock


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("site", "nowhere"), 2, "no-such-index"),
        (("site", "letters"), 2, "no-such-index"),
        (("bundled", "dist"), 2, "bad-index-name"),
        (("path", "dist"), 2, "bad-index-name"),
        (("Si te", "dist"), 2, "bad-index-name"),
        (("site", URL), 4, "no-pinned-root"),
        (("site", "http://me:secret@127.0.0.1:9/x", "--trust", "none"), 2, "bad-index-url"),
        (("site", "ftp://127.0.0.1/x"), 2, "unknown-index-kind"),
        (("site", URL, "--trust", "none", "--ca-file", "nowhere.pem"), 2, "no-such-file"),
        (("site", "dist", "--trust", "all"), 2, "usage"),
        (("other", "dist2"), 2, "index-exists"),
    ],
)
def test_index_add_refuses(call, publish, tmp_path, words, code, error):
    publish("app", "1.0")
    publish("app", "1.0", folder="dist2")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/letter").write_text("dear")
    (tmp_path / "policy.toml").write_text('[indexes.other]\nurl = "dist"\n')
    before = (tmp_path / "policy.toml").read_bytes()
    done = call("index", "add", *words, "--json")
    assert (done.code, done.document["error"]["code"]) == (code, error)
    assert "secret" not in done.out + done.err
    assert (tmp_path / "policy.toml").read_bytes() == before


def test_index_add_of_a_server_asks_it_nothing(call, tmp_path, no_network):
    done = call("index", "add", "hub", URL, "--trust", "none", "--project", ".")
    assert done.code == 0
    assert f'[indexes.hub]\nurl = "{URL}"\ntrust = "none"\n' in (tmp_path / "policy.toml").read_text()
    assert call("index", "list").out.splitlines()[1].split() == ["hub", URL, "without", "a", "pinned", "root"]


@pytest.mark.parametrize(("project", "written"), [(".", "./ca.pem"), ("p", "{here}/ca.pem")])
def test_the_certificates_of_an_index_are_found_from_policy_toml(call, tmp_path, project, written):
    (tmp_path / "p").mkdir()
    (tmp_path / "ca.pem").write_text("no certificates")
    done = call("index", "add", "hub", URL, "--trust", "none", "--ca-file", "ca.pem", "--project", project, "--json")
    assert done.document["ca_file"] == written.format(here=tmp_path)
    done = call("lock", "--project", project, "--json")
    assert done.document["error"]["code"] == "bad-ca-file"
    assert "No such file" not in done.document["error"]["message"]


def test_index_list(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[indexes.hub]\nurl = "https://packages.example/x"\ntrust = "none"\n')
    found = call("index", "list", "--index", "site=dist", "--json").document["indexes"]
    assert [(each["name"], each["from"]) for each in found] == [
        ("site", "command-line"),
        ("hub", "policy.toml"),
        ("bundled", "polpkg"),
    ]
    assert "secret" not in call("index", "list", "--index", "x=https://me:secret@host.example/").out


def test_index_verbs_need_a_policy_toml(call, tmp_path):
    done = call("index", "add", "site", ".")
    assert (done.code, "--project DIR" in done.err) == (2, True)
    assert call("index", "remove", "site", "--project", ".").code == 2
    assert call("index", "list").code == 0


@pytest.mark.parametrize("words", [("index",), ("cache",)])
def test_a_verb_of_verbs_alone(call, words):
    done = call(*words)
    assert (done.code, "Usage:" in done.out) == (2, True)
    done = call(*words, "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "usage")
    assert "needs a verb of its own" in done.document["error"]["message"]


@pytest.mark.parametrize("name", ["path", "bundled"])
def test_no_index_has_a_name_of_polpkg_itself(call, publish, name):
    publish("app", "1.0")
    done = call("lock", "app", "--index", f"{name}=dist", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "bad-index-name")


def test_index_remove_forgets_what_belonged_to_it(call, publish, tmp_path):
    publish("score", "9.0")
    (tmp_path / "policy.toml").write_text('[indexes.site]\nurl = "dist"\n\n[index-map]\nscore = "site"\n')
    done = call("index", "remove", "site", "--json")
    assert done.document["unmapped"] == ["score"]
    assert "site" not in (tmp_path / "policy.toml").read_text()
    assert call("lock").code == 0
    done = call("index", "remove", "site")
    assert (done.code, "policy.toml names no index `site`" in done.err) == (2, True)


def test_index_build(call, publish, tmp_path):
    publish("app", "1.0")
    done = call("index", "build", "dist", "-o", "public", "--json").document
    assert [(each["name"], each["version"]) for each in done["added"]] == [("app", "1.0")]
    publish("app", "2.0")
    assert call("index", "build", "dist", "-o", "public").out == (
        "+ app 2.0\npublic is an index: --index NAME=public uses it\n"
    )
    assert call("index", "build", "dist", "-o", "public").out == "public is up to date\n"
    (tmp_path / "dist/app-1.0.polpkg").unlink()
    assert "- app 1.0\n" in call("index", "build", "dist", "-o", "public").out
    assert call("lock", "app", "--index", "p=public", "--json").document["packages"][0]["version"] == "2.0"


def test_index_build_refuses(call, publish, tmp_path):
    assert call("index", "build", "nowhere").code == 2
    (tmp_path / "none").mkdir()
    assert call("index", "build", "none").code == 2
    publish("app", "1.0")
    call("index", "build", "dist")
    publish("app", "1.0", more='[conflicts]\nx = "*"\n')
    done = call("index", "build", "dist", "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "release-exists")
    (tmp_path / "dist/bad-1.polpkg").write_bytes(b"no archive")
    assert call("index", "build", "dist").code == 4


def test_a_damaged_archive_in_the_store_heals(call, publish, tmp_path, empty):
    publish("app", "1.0")
    words = ("--root", empty, "--index", "site=dist")
    assert call("install", "app", *words, "--xen", "4.17").code == 0
    kept = stored(tmp_path, "dist/app-1.0.polpkg")
    intact = kept.read_bytes()
    kept.write_bytes(b"damage")
    assert call("info", "app", "--index", "site=dist").code == 0
    assert kept.read_bytes() == intact


def test_a_damaged_archive_that_cannot_be_had_again_is_named(call, publish, tmp_path, empty):
    publish("app", "1.0")
    call("install", "app", "--root", empty, "--index", "site=dist", "--xen", "4.17")
    kept = stored(tmp_path, "dist/app-1.0.polpkg")
    kept.write_bytes(b"damage")
    done = call("verify", "--root", empty, "--json")
    assert done.code == 1
    assert f"the archive {kept} in the store is damaged" in done.document["drift"][0]["message"]


def test_cache(call, publish, tmp_path):
    publish("app", "1.0")
    call("export", "app", "--index", "site=dist", "--vendor", "v")
    document = call("cache", "info", "--json").document
    assert document["path"] == str(tmp_path / "cache")
    sections = {each["name"]: each for each in document["sections"]}
    count = len(list((tmp_path / STORE).iterdir()))
    assert sections["archives"]["files"] == count
    assert stored(tmp_path, "dist/app-1.0.polpkg").exists()
    assert call("cache", "info").out.splitlines()[1].split() == [
        "kind",
        "files",
        "size",
        "oldest",
        "use",
        "newest",
        "use",
    ]
    assert call("cache", "verify").out == "everything is intact\n"
    assert call("cache", "prune").out == "0 files of 0 bytes removed\n"
    assert call("cache", "prune", "--unused-for", "0", "--dry-run").out.startswith(f"{count} files of ")
    assert call("cache", "prune", "--unused-for", "0", "--json").document["files"] == count
    assert call("cache", "info", "--json").document["size"] == 0


def test_cache_verify_names_what_is_damaged(call, publish, tmp_path):
    publish("app", "1.0")
    call("export", "app", "--index", "site=dist", "--vendor", "v")
    kept = stored(tmp_path, "dist/app-1.0.polpkg")
    kept.write_bytes(b"damage")
    done = call("cache", "verify")
    assert (done.code, f"damaged: {kept}\n" in done.out) == (4, True)
    assert call("cache", "verify", "--json").document["damaged"] == [{"section": "archives", "path": str(kept)}]
    assert call("cache", "verify", "--remove").code == 0
    assert call("cache", "verify").code == 0


def test_cache_prune_keeps_what_locks_name(call, publish, tmp_path, empty):
    publish("app", "1.0")
    publish("lib", "1.0")
    call("install", "app", "--root", empty, "--index", "site=dist", "--xen", "4.17")
    call("lock", "lib", "--index", "site=dist", "-o", "other.lock")
    call("export", "lib", "--index", "site=dist", "--vendor", "v")
    keep = ("cache", "prune", "--unused-for", "0", "--dry-run", "--json")
    count = len(list((tmp_path / STORE).iterdir()))
    assert call(*keep).document["files"] == count
    assert call(*keep, "--root", empty).document["files"] == 1
    assert call(*keep, "--root", empty, "--lock", "other.lock").document["files"] == 0
    assert call(*keep, "--lock", "nowhere").code == 2
    assert call("cache", "prune", "--unused-for", "-1").code == 2


@pytest.mark.parametrize(
    "words", [("lock", "x"), ("info", "x"), ("tree", "x"), ("why-not", "x"), ("export", "x", "--bundle", "b")]
)
def test_offline_does_not_ask_a_server(call, tmp_path, no_network, words):
    (tmp_path / "policy.toml").write_text(f'[target]\nbase = []\n[indexes.hub]\nurl = "{URL}"\ntrust = "none"\n')
    done = call(*words, "--offline", "--json")
    assert (done.code, done.document["error"]["code"]) == (7, "offline")
    assert "--offline" in done.document["error"]["message"]


def test_a_server_on_the_command_line_is_trusted_only_if_policy_toml_says_so(call, tmp_path, no_network):
    words = ("lock", "x", "--index", f"hub={URL}", "--offline", "--json")
    assert call(*words).document["error"]["code"] == "no-pinned-root"
    (tmp_path / "policy.toml").write_text(f'[indexes.hub]\nurl = "{URL}"\ntrust = "none"\n')
    assert call(*words).document["error"]["code"] == "offline"


def test_a_lock_that_a_merge_left_in_conflict(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[packages]\nscore = "*"\n')
    call("lock")
    lock = tmp_path / "policy.lock"
    lines = lock.read_text().split("\n")
    lock.write_text(
        "\n".join([*lines[:30], "<<<<<<< ours", lines[30], "=======", lines[30], ">>>>>>> theirs", *lines[31:]])
    )
    for words in (("lock",), ("lock", "--check"), ("tree",), ("outdated",)):
        done = call(*words, "--json")
        assert (done.code, done.document["error"]["code"]) == (5, "lock-conflict")
        assert done.document["error"]["where"]["line"] == 31
    assert "remove this file and run `polpkg lock`" in call("lock").err
    (tmp_path / "policy.toml").write_text("<<<<<<< ours\n[packages]\n=======\n>>>>>>> theirs\n")
    done = call("lock", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "project-conflict")


def test_sync_locked_names_the_line(call, installed):
    policy = installed / "etc/polpkg/policy.toml"
    policy.write_text(policy.read_text().replace('vmv = "*"', 'vmv = ">=2"'))
    done = call("sync", "--locked", "--root", installed, "--json")
    assert (done.code, done.document["error"]["code"]) == (10, "stale-lock")
    where = done.document["error"]["where"]
    assert (where["file"], policy.read_text().split("\n")[where["line"] - 1]) == (
        "/etc/polpkg/policy.toml",
        'vmv = ">=2"',
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            '[packages]\nscore = "*"\n[target]\nxen = "4.17"\nbase = ["netdom"]\n',
            5,
            "requires netdom, which is not locked",
        ),
        (
            '[target]\nbase = []\n[index-map]\nscore = "site"\n[packages]\nscore = "*"\n',
            4,
            "score belongs to the index site",
        ),
        ('[target]\nbase = []\n[packages]\nscore = "*"\n[options]\nscore = ["x"]\n', 6, "options of score: x wanted"),
        (
            '[target]\nbase = []\n[overrides]\nscore = "<1"\n[packages]\nscore = "*"\n',
            4,
            "override of score: <1 wanted",
        ),
    ],
)
def test_lock_check_names_the_line(call, tmp_path, text, line, said):
    policy = tmp_path / "policy.toml"
    policy.write_text('[target]\nbase = []\n[packages]\nscore = "*"\n')
    assert call("lock").code == 0
    policy.write_text(text)
    for words in (("lock", "--check"), ("sync", "--locked", "--root", "r", "--xen", "4.17")):
        done = call(*words, "--json")
        assert (done.code, done.document["error"]["code"]) == (10, "stale-lock")
        assert (said in done.document["error"]["message"], done.document["error"]["where"]["line"]) == (True, line)


def test_a_lock_is_replaced_and_never_written_into(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[packages]\nscore = "*"\n')
    call("lock")
    before = (tmp_path / "policy.lock").stat().st_ino
    (tmp_path / "policy.toml").write_text('[packages]\nvmv = "*"\n')
    call("lock")
    assert (tmp_path / "policy.lock").stat().st_ino != before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["policy.lock", "policy.toml"]


def test_search_in_an_index_that_is_out_of_reach(call, tmp_path, no_network):
    (tmp_path / "policy.toml").write_text(f'[indexes.hub]\nurl = "{URL}"\ntrust = "none"\n')
    done = call("search", "filter", "--offline", "--json")
    assert (done.code, done.document["error"]["code"]) == (7, "offline")


@pytest.mark.parametrize(
    "words", [("status",), ("list",), ("history",), ("tree",), ("why", "vmv"), ("verify",), ("outdated",), ("labels",)]
)
def test_every_verb_takes_offline(call, installed, no_network, words):
    assert call(*words, "--root", installed, "--offline").code == 0
    assert call("plugins", "--offline").code == 0
