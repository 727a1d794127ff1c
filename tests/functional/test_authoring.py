"""Verbs for those who write packages: init, build, info; and lock."""

import json
import os
import re

import pytest


@pytest.mark.parametrize(
    ("words", "name"),
    [(("my-role",), "my-role"), (("My_Role 2",), "my-role-2"), (("x", "--name", "other"), "other")],
)
def test_init_makes_a_package_that_checks_and_builds(call, tmp_path, words, name):
    done = call("init", *words, "--json")
    assert (done.code, done.document["name"]) == (0, name)
    folder = tmp_path / words[0]
    assert sorted(done.document["files"]) == sorted(
        ["README.md", f"policy/{name}.if", "polpkg.toml", "tests/policy.toml"]
    )
    assert call("check", folder, "--all-xen").code == 0
    assert call("build", folder, "-o", tmp_path / "dist", "--json").document["name"] == name
    assert call("test", folder).code == 0


@pytest.mark.parametrize("role", ["vmv", "netdom", "stordom", "score"])
def test_init_for_a_role(call, tmp_path, role):
    call("init", "mine", "--role", role)
    assert f'role = "{role}"\n' in (tmp_path / "mine/polpkg.toml").read_text()
    done = call("check", "mine", "--all-xen", "--json")
    assert (done.code, done.document["warnings"]) == (0, [])


def test_init_for_a_role_with_guests_gives_guests_that_are_its_own(call, empty):
    call("init", "mine", "--role", "vmv")
    assert call("install", "./mine", "--root", empty, "--xen", "4.17").code == 0
    claims = call("status", "--root", empty, "--json").document["claims"]
    assert claims == [{"package": "mine", "functions": ["domain-builder", "domain-manager"]}]


def test_the_interface_of_a_new_package_can_be_used(call, tmp_path):
    call("init", "one")
    call("init", "two")
    manifest = (tmp_path / "two/polpkg.toml").read_text()
    (tmp_path / "two/polpkg.toml").write_text(manifest.replace("[requires]\n", '[requires]\none = "*"\n'))
    (tmp_path / "two/policy/two.te").write_text("one_talk(two_t, one)\n")
    call("build", "one", "-o", "dist")
    assert call("check", "two", "--index", "site=dist").code == 0
    words = ["dom0", "./two", "--index", "site=dist", "--xen", "4.17", "--emit", "conf", "-o", "policy.conf"]
    assert call("link", *words).code == 0
    assert re.search(r"allow two_t one_t ?: ?grant", (tmp_path / "policy.conf").read_text())


def test_init_in_the_working_directory(call, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = call("init")
    assert done.out.splitlines()[0] == "polpkg.toml"
    assert call("check").code == 0


def test_init_overwrites_nothing(call, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("mine")
    done = call("init", "mine")
    assert done.code == 2
    assert "README.md is there already" in done.told
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
    (tmp_path / "file").write_text("")
    assert call("init", "file").code == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("allow",), "reserved-name"),
        (("12",), "bad-name"),
        (("x", "--name", "Foo_Bar"), "bad-name"),
        (("x", "--role", "vm"), "unknown-role"),
    ],
)
def test_init_refuses(call, tmp_path, words, code):
    done = call("init", *words, "--json")
    assert (done.code, done.document["error"]["code"]) == (2, code)
    assert done.document["error"]["hint"]
    assert not (tmp_path / words[0]).exists()


def test_build(call, tmp_path):
    call("init", "mine")
    first = call("build", "mine", "-o", "dist", "--json").document
    assert first["path"] == "dist/mine-0.1.0.polpkg"
    assert (tmp_path / first["path"]).stat().st_size == first["size"]
    second = call("build", "mine", "-o", "other/any.polpkg", "--json").document
    assert (second["path"], second["sha256"]) == ("other/any.polpkg", first["sha256"])
    assert call("build", "mine").out == f"mine-0.1.0.polpkg: {first['size']:,} bytes\nsha256 {first['sha256']}\n"


def test_build_does_not_depend_on_times_or_modes(call, tmp_path):
    call("init", "mine")
    first = call("build", "mine", "--json").document["sha256"]
    file = tmp_path / "mine/policy/mine.if"
    os.utime(file, (1, 1))
    file.chmod(0o600)
    assert call("build", "mine", "--json").document["sha256"] == first


@pytest.mark.parametrize(
    ("manifest", "code"),
    [(None, 2), ("[package]\nname = 1\n", 5), ("[package", 5), (b"\xff\xfe", 5)],
)
def test_build_of_what_is_no_package(call, tmp_path, manifest, code):
    (tmp_path / "mine").mkdir()
    if manifest is not None:
        content = manifest if isinstance(manifest, bytes) else manifest.encode()
        (tmp_path / "mine/polpkg.toml").write_bytes(content)
    assert call("build", "mine").code == code
    assert not list(tmp_path.glob("*.polpkg"))


def test_build_into_what_cannot_be_written(call, tmp_path):
    call("init", "mine")
    (tmp_path / "file").write_text("")
    done = call("build", "mine", "-o", "file/below")
    assert done.code == 1
    assert done.err.startswith("error[cannot-write]")


def test_info(call):
    document = call("info", "vmv", "--json").document
    assert document["version"] == "1.0.0"
    assert document["functions"] == {
        "provides": ["device-model", "domain-builder", "domain-manager", "migration"],
        "clients": None,
    }
    assert document["requires"] == {"score": ">=1,<2", "xen-base": ">=1,<2"}
    assert document["parameters"][0] == {
        "name": "guests",
        "type": "table",
        "default": ["guest"],
        "choices": None,
        "each": "vmv_guest",
        "help": "the kinds of guest, a type each",
    }
    assert document["parameters"][1]["choices"] == ["pv", "pvh", "hvm"]
    assert document["options"]["sealed-guests"]["help"].startswith("once a guest runs, nobody")
    text = " ".join(call("info", "vmv").out.split())
    assert "builds (list), default pv; any of pv, pvh, hvm: what kinds of virtual machine its guests are" in text
    assert "separation (string), default type; one of type, user:" in text
    assert "option sealed-guests: once a guest runs, nobody" in text
    assert document["readme"].startswith("The Virtual Machine Verifier")
    assert document["assertions"]
    assert document["index"] == "bundled"


@pytest.mark.parametrize("package", ["vmv", "netdom", "stordom", "score", "xen-base", "dom0", "domu"])
def test_info_fits_80_columns(call, package):
    text = call("info", package).out
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(f"{package} 1.0.0: ")


def test_info_of_paths_and_versions(call, tmp_path):
    call("init", "mine")
    assert call("info", "./mine", "--json").document["index"] == "path"
    call("build", "mine", "-o", "dist")
    assert call("info", "dist/mine-0.1.0.polpkg", "--json").document["name"] == "mine"
    assert call("info", "mine==0.1.0", "--index", "site=dist", "--json").document["index"] == "site"
    (tmp_path / "policy.toml").write_text('[indexes.site]\nurl = "dist"\n')
    assert call("info", "mine", "--json").document["index"] == "site"


@pytest.mark.parametrize(
    ("words", "code"),
    [(("vvm",), 3), (("vmv>=9",), 3), (("a b",), 2), (("./nowhere",), 2), ((), 2), (("vmv", "--index", "x"), 2)],
)
def test_info_of_what_is_not_there(call, words, code):
    assert call("info", *words).code == code


def test_info_of_a_damaged_archive(call, tmp_path):
    (tmp_path / "x.polpkg").write_bytes(b"no archive")
    assert call("info", "./x.polpkg").code == 4


def test_text_of_a_package_cannot_move_the_cursor(call, tmp_path):
    call("init", "mine")
    manifest = (tmp_path / "mine/polpkg.toml").read_text()
    (tmp_path / "mine/polpkg.toml").write_text(manifest.replace("One line", "\\u001b[2J"))
    assert "\x1b" not in call("info", "./mine").out


def test_lock_of_requirements_adds_nothing_and_writes_nothing(call, tmp_path):
    done = call("lock", "vmv", "--json")
    assert [each["name"] for each in done.document["packages"]] == ["dom0", "domu", "score", "vmv", "xen-base"]
    assert [each["name"] for each in call("lock", "xen-base", "--json").document["packages"]] == ["xen-base"]
    assert done.document["path"] is None
    assert done.document["functions"]["net-backend"] == "dom0"
    assert call("lock", "netdom", "--json").document["functions"]["net-backend"] == "netdom"
    assert not list(tmp_path.glob("*.lock"))


def test_lock_of_requirements_written_to_a_file(call, tmp_path):
    assert call("lock", "vmv", "-o", "a.lock").out.endswith("a.lock was written\n")
    first = (tmp_path / "a.lock").read_bytes()
    assert call("lock", "vmv", "-o", "a.lock").out.endswith("a.lock is up to date\n")
    assert (tmp_path / "a.lock").read_bytes() == first


def test_lock_that_cannot_be_has_its_derivation(call):
    for words, code in ((("vmv>=7",), "no-solution"), (("nosuch",), "unknown-package")):
        done = call("lock", *words, "--json")
        assert done.code == 3
        error = done.document["error"]
        assert (error["code"], error["exit"]) == (code, 3)
        assert error["derivation"]
        assert error["derivation"][0] in call("lock", *words).told


@pytest.mark.parametrize(
    "words",
    [("a b",), ("vmv", "--check"), ("--option", "vmv:sealed-guests"), ("vmv", "--xen", "9.9"), (), ("--check",)],
)
def test_lock_used_wrongly(call, words):
    done = call("lock", *words)
    assert done.code == 2
    assert "hint: " in done.told or "error[usage]" in done.err


@pytest.fixture
def project(tmp_path):
    """`project(text)`: a policy.toml in the working directory; returns the path of its lock."""

    def write(text):
        (tmp_path / "policy.toml").write_text(text)
        return tmp_path / "policy.lock"

    return write


def test_lock_of_a_project(call, project):
    lock = project('[packages]\nscore = "*"\n[options]\n')
    assert call("lock", "--json").document["path"] == "policy.lock"
    assert "dom0" in lock.read_text()
    assert call("lock").out.endswith("policy.lock is up to date\n")
    done = call("lock", "--check", "--json")
    assert (done.code, done.document["path"]) == (0, "policy.lock")


def test_lock_keeps_versions_that_fit(call, project, tmp_path):
    call("init", "mine")
    call("build", "mine", "-o", "dist")
    lock = project('[packages]\nmine = "*"\n[indexes.site]\nurl = "dist"\n')
    call("lock")
    manifest = tmp_path / "mine/polpkg.toml"
    manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
    call("build", "mine", "-o", "dist")
    before = lock.read_bytes()
    call("lock")
    assert lock.read_bytes() == before
    lock.unlink()
    call("lock")
    assert b"0.2.0" in lock.read_bytes()


def test_check_names_the_lines(call, project):
    project('[packages]\nvmv = "*"\n')
    assert call("lock", "--check").code == 10
    call("lock")
    project('[packages]\nnetdom = "*"\nvmv = ">=2"\n\n[options]\nvmv = ["services"]\n')
    done = call("lock", "--check", "--json")
    assert done.code == 10
    places = {each["message"]: each["where"]["line"] for each in done.document["errors"]}
    assert places == {
        "policy.toml requires netdom, which is not locked": 2,
        "policy.toml requires vmv>=2, and 1.0.0 is locked": 3,
        "options of vmv: services wanted, none locked": 6,
    }
    assert "3 | vmv = " in call("lock", "--check").told


@pytest.mark.parametrize(("text", "code"), [("[packages", 5), ('[packages]\nvmv = "??"\n', 5)])
def test_lock_of_a_broken_project(call, project, text, code):
    lock = project(text)
    assert call("lock").code == code
    assert call("lock", "--check").code == code
    assert not lock.exists()


def test_a_project_that_is_no_text(call, tmp_path):
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe")
    done = call("lock", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "not-utf-8")
    (tmp_path / "policy.toml").write_text("[packages]\n")
    (tmp_path / "policy.lock").mkdir()
    assert call("lock").code == 2


def test_a_broken_lock_is_an_error_with_its_place(call, project):
    lock = project('[packages]\nvmv = "*"\n')
    lock.write_text("format = 1\n[[package]]\nname = 1\n")
    done = call("lock", "--check", "--json")
    assert done.code == 5
    assert done.document["error"]["where"]["file"] == "policy.lock"


@pytest.fixture
def site_index(call, tmp_path):
    """A static index of `mine` in three versions: 1.0, 2.0 which is yanked, and 3.0rc1."""
    call("init", "mine")
    manifest = (tmp_path / "mine/polpkg.toml").read_text()
    folder = tmp_path / "static"
    (folder / "index").mkdir(parents=True)
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "config.json").write_text('{"format": 1, "api": null, "auth-required": false}')
    lines = []
    for version, yanked in (("1.0", False), ("2.0", "it was wrong"), ("3.0rc1", False)):
        (tmp_path / "mine/polpkg.toml").write_text(manifest.replace("0.1.0", version))
        built = call("build", "mine", "-o", "one.polpkg", "--json").document
        (tmp_path / "one.polpkg").rename(folder / "blobs/sha256" / built["sha256"])
        entry = {"name": "mine", "version": version, "sha256": built["sha256"], "size": built["size"], "yanked": yanked}
        lines.append(json.dumps(entry | {"requires": {"xen-base": ">=1,<2"}, "functions": []}))
    (folder / "index/mine.jsonl").write_text("\n".join(lines) + "\n")
    return f"site={folder}"


def test_info_prefers_what_would_be_installed(call, site_index):
    document = call("info", "mine", "--index", site_index, "--json").document
    assert document["version"] == "1.0"
    assert [each["version"] for each in document["versions"]] == ["3.0rc1", "2.0", "1.0"]
    assert call("info", "mine>=2", "--index", site_index, "--json").document["version"] == "3.0rc1"
    yanked = call("info", "mine==2.0", "--index", site_index)
    assert "site, yanked: it was wrong" in yanked.out


def test_info_of_a_blob_that_was_changed(call, site_index, tmp_path):
    for blob in (tmp_path / "static/blobs/sha256").iterdir():
        blob.write_bytes(b"other")
    assert call("info", "mine", "--index", site_index).code == 4


def test_lock_and_tree_use_an_index(call, site_index):
    (mine,) = [
        p for p in call("lock", "mine", "--index", site_index, "--json").document["packages"] if p["name"] == "mine"
    ]
    assert (mine["version"], mine["index"]) == ("1.0", "site")
    assert call("tree", "mine", "--index", site_index).out.startswith("mine 1.0\n`-- xen-base 1.0.0 (>=1,<2)\n")


def test_offline_refuses_the_network(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[indexes.far]\nurl = "https://example.org/index"\ntrust = "none"\n')
    for words in (["lock", "vmv"], ["info", "vmv"], ["tree", "vmv"]):
        assert call(*words, "--offline").code == 7


@pytest.mark.parametrize("content", [b"root:x:0:0:root:/root:/bin/bash\n", b"\xff\xfe", b"", b"# nothing\n"])
def test_a_file_that_is_no_policy_conf_is_not_imported(call, tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert call("import", "file", "-o", "out", "--name", "y").code == 5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("link", "vmv", "--xen", "4.17", "-o", "typo/policy.bin"),
        ("lock", "vmv", "-o", "typo/policy.lock"),
        ("export", "vmv", "--bundle", "typo/site.tar"),
    ],
)
def test_no_directory_is_made_for_a_file(call, tmp_path, words):
    done = call(*words, "--json")
    assert (done.code, done.document["error"]["code"]) == (2, "no-such-directory")
    assert not (tmp_path / "typo").exists()


def test_a_directory_with_the_name_of_a_fragment(call, tmp_path):
    call("init", "mine")
    (tmp_path / "mine/policy/z.te").mkdir()
    for words in (("check", "mine"), ("build", "mine"), ("lock", "./mine")):
        done = call(*words, "--json")
        assert (done.code, "policy/z.te is a directory" in done.document["error"]["message"]) == (2, True)


def test_an_archive_that_is_a_pipe(call, tmp_path):
    os.mkfifo(tmp_path / "x-1.0.polpkg")
    for words in (("lock", "./x-1.0.polpkg"), ("lock", "x", "--index", "site=.")):
        assert call(*words).code == 2
