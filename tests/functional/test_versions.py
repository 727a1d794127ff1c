"""Verbs about versions, on an index that has several: search, outdated, why-not, upgrade, overrides."""

import json

import pytest

SITE = ("--index", "site=dist")


def locked(folder, name="policy.lock"):
    """Name to version in a lock."""
    lines = (folder / name).read_text().split("\n")
    names = [line[8:-1] for line in lines if line.startswith('name = "')]
    versions = [line[11:-1] for line in lines if line.startswith('version = "')]
    return dict(zip(names, versions, strict=True))


@pytest.fixture
def project(tmp_path):
    """`project(text)`: a policy.toml without base packages that uses `dist`, in the working directory."""

    def write(packages, more=""):
        (tmp_path / "policy.toml").write_text(
            f'[packages]\n{packages}\n[target]\nbase = []\n[indexes.site]\nurl = "dist"\n{more}'
        )
        return tmp_path

    return write


@pytest.fixture
def versions(publish):
    """`app` needs `lib`, in versions that go together; `tool` is on its own."""
    for number in (1, 2, 3):
        publish("lib", f"{number}.0")
        publish("app", f"{number}.0", {"lib": f">={number},<{number + 1}"})
        publish("tool", f"{number}.0", {"lib": ">=1"})


def yank(folder, name, version, reason):
    """Yank one release of a static tree."""
    path = folder / f"index/{name}.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    for entry in entries:
        if entry["version"] == version:
            entry["yanked"] = reason
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


def test_search_finds_names_summaries_and_functions(call, publish):
    publish("filter", "1.0", more='[functions]\nprovides = ["net-backend"]\n')
    publish("filter", "2.0rc1")
    done = call("search", "FILTER", *SITE)
    assert done.out == "filter 1.0 (site)\n  The filter\n  provides net-backend\n"
    found = call("search", "net-backend", *SITE, "--json").document["packages"]
    assert [(each["name"], each["index"]) for each in found] == [("filter", "site"), ("netdom", "bundled")]
    assert found[0]["versions"] == ["2.0rc1", "1.0"]
    assert [p["name"] for p in call("search", "the", "filter", *SITE, "--json").document["packages"]] == ["filter"]


def test_search_puts_the_name_itself_first_and_lists_all_without_words(call, publish):
    for name in ("a-tool", "tool", "toolbox", "x"):
        publish(name, "1.0")
    names = [each["name"] for each in call("search", "tool", *SITE, "--json").document["packages"]]
    assert names == ["tool", "a-tool", "toolbox"]
    assert {"x", "vmv"} < {each["name"] for each in call("search", *SITE, "--json").document["packages"]}


def test_search_of_nothing(call, tmp_path):
    assert (call("search", "zzz").code, call("search", "zzz").out) == (0, "nothing found\n")
    (tmp_path / "dist").mkdir()
    done = call("search", "zzz", *SITE)
    assert done.err == "the index site lists no packages\n"


def test_search_fits_80_columns(call):
    assert max(map(len, call("search").out.splitlines())) <= 80


def test_outdated(call, project, versions):
    folder = project('app = "<3"\ntool = "==1.0"')
    call("lock")
    assert call("outdated").out.split("\n")[0].split() == ["package", "locked", "allowed", "newest", "index"]
    ages = {each["name"]: each for each in call("outdated", "--json").document["packages"]}
    assert ages["app"]["state"] == "held"
    assert ages["app"]["held_by"] == ["policy.toml (<3)"]
    assert ages["lib"]["held_by"] == ["app 2.0 (>=2,<3)"]
    assert (ages["tool"]["locked"], ages["tool"]["newest"]) == ("1.0", "3.0")
    (folder / "policy.toml").write_text((folder / "policy.toml").read_text().replace("<3", "*"))
    ages = {each["name"]: each for each in call("outdated", "--json").document["packages"]}
    assert (ages["app"]["allowed"], ages["app"]["state"]) == ("3.0", "upgradable")


def test_outdated_when_all_is_up_to_date(call, project, versions):
    project('app = "*"')
    call("lock")
    assert call("outdated").out == "all packages are up to date\n"
    assert call("outdated", "--json").document["packages"] == []
    assert [each["state"] for each in call("outdated", "--all", "--json").document["packages"]] == ["current"] * 2


def test_outdated_shows_what_was_yanked_and_what_is_gone(call, project, publish, tmp_path):
    for version in ("1.0", "2.0"):
        publish("app", version)
        publish("lib", version)
    call("index", "build", "dist")
    project('app = "*"\nlib = "*"')
    call("lock")
    yank(tmp_path / "dist", "app", "2.0", "it opens a hole")
    (tmp_path / "dist/index/lib.jsonl").write_text("")
    done = call("outdated", "--json")
    app, lib = done.document["packages"]
    assert (app["state"], app["yanked"]) == ("yanked", "it opens a hole")
    assert (lib["state"], lib["newest"]) == ("gone", None)
    assert done.document["refusal"]["code"] == "unknown-package"
    text = call("outdated").out
    assert "yanked: it opens a hole" in text
    assert "no index at hand has it" in text
    assert "nothing is allowed any more: no index has a package named `lib`" in text


def test_outdated_needs_a_lock(call, project, versions):
    assert call("outdated").code == 6
    project('app = "*"')
    done = call("outdated")
    assert (done.code, "`polpkg lock` writes one" in done.told) == (2, True)


def test_outdated_of_a_target(call, installed):
    assert call("outdated", "--root", installed).out == "all packages are up to date\n"
    ages = call("outdated", "--all", "--root", installed, "--json").document["packages"]
    assert {"vmv", "netdom", "dom0"} <= {each["name"] for each in ages}


def test_why_not_when_it_fits(call, project, versions):
    project('app = "<3"')
    call("lock")
    done = call("why-not", "tool")
    assert (done.code, done.out) == (0, "tool fits; this would change:\n  + tool 3.0\n")
    changes = call("why-not", "tool", "--json").document["changes"]
    assert [each["name"] for each in changes["added"]] == ["tool"]
    assert call("why-not", "app<2").out == "app<2 fits; this would change:\n  v app 2.0 -> 1.0\n  v lib 2.0 -> 1.0\n"
    assert "nothing would change" in call("why-not", "app").out


def test_why_not_when_it_does_not_fit(call, project, versions, tmp_path):
    project('app = "<3"')
    call("lock")
    before = (tmp_path / "policy.lock").read_bytes()
    done = call("why-not", "lib>=3")
    assert (done.code, done.err) == (3, "")
    assert done.out.startswith("lib>=3 does not fit: no set of versions fits ")
    assert "requires lib" in done.out
    document = call("why-not", "lib>=3", "--json").document
    assert (document["fits"], document["error"]["code"]) == (False, "no-solution")
    assert document["error"]["derivation"]
    assert (tmp_path / "policy.lock").read_bytes() == before


def test_why_not_of_unknown_names_paths_and_nonsense(call, installed, tmp_path):
    done = call("why-not", "vmvv", "--root", installed)
    assert (done.code, "did you mean `vmv`?" in done.out) == (3, True)
    call("init", "mine")
    assert "  + mine 0.1.0\n" in call("why-not", "./mine", "--root", installed).out
    assert call("why-not", "a b").code == 2
    assert call("why-not", "vmv", "--root", tmp_path / "nowhere").code == 6
    assert "+ stordom" in call("why-not", "stordom").out


def test_upgrade_of_one_package_moves_only_what_it_must(call, publish, empty):
    for name in ("lib", "other"):
        publish(name, "1.0")
    publish("app", "1.0", {"lib": ">=1"})
    publish("tool", "1.0", {"other": ">=1"})
    words = ["--root", empty, *SITE]
    assert call("install", "app", "tool", *words, "--xen", "4.17").code == 0
    for name in ("lib", "other"):
        publish(name, "2.0")
        publish(name, "3.0")
    publish("app", "2.0", {"lib": ">=2,<3"})
    publish("app", "3.0", {"lib": ">=2,<3"})
    publish("tool", "2.0", {"other": ">=1"})
    done = call("upgrade", "app", *words, "--json")
    moved = {each["name"]: (each["from"], each["to"]) for each in done.document["changes"]["upgraded"]}
    assert moved == {"app": ("1.0", "3.0"), "lib": ("1.0", "2.0")}
    moved = call("upgrade", "tool", *words, "--json").document["changes"]["upgraded"]
    assert [(each["name"], each["to"]) for each in moved] == [("tool", "2.0")]
    moved = call("upgrade", *words, "--json").document["changes"]["upgraded"]
    assert [(each["name"], each["to"]) for each in moved] == [("other", "3.0")]
    assert call("upgrade", *words).out.startswith("nothing to do")


def test_upgrade_of_a_package_goes_to_the_newest_even_if_others_have_to_move(call, publish, empty):
    publish("app", "1.0", {"lib": "<2"})
    publish("lib", "1.0")
    words = ["--root", empty, *SITE]
    assert call("install", "app", *words, "--xen", "4.17").code == 0
    publish("app", "1.1", {"lib": "<2"})
    publish("app", "2.0", {"lib": ">=2"})
    publish("lib", "2.0")
    upgraded = call("upgrade", "app", *words, "--json").document["changes"]["upgraded"]
    assert {each["name"]: each["to"] for each in upgraded} == {"app": "2.0", "lib": "2.0"}


def test_upgrade_passes_over_what_was_yanked(call, publish, empty, tmp_path):
    publish("app", "1.0")
    words = ["--root", empty, *SITE]
    call("index", "build", "dist")
    assert call("install", "app", *words, "--xen", "4.17").code == 0
    publish("app", "2.0")
    publish("app", "3.0")
    call("index", "build", "dist")
    yank(tmp_path / "dist", "app", "3.0", "broken")
    upgraded = call("upgrade", "app", *words, "--json").document["changes"]["upgraded"]
    assert [(each["name"], each["to"]) for each in upgraded] == [("app", "2.0")]


def test_upgrade_passes_over_prereleases_unless_policy_toml_names_one(call, publish, empty):
    publish("app", "1.0")
    words = ["--root", empty, *SITE]
    assert call("install", "app", *words, "--xen", "4.17").code == 0
    publish("app", "2.0rc1")
    assert call("upgrade", "app", *words).out.startswith("nothing to do")
    upgraded = call("upgrade", "app>=2.0rc1", *words, "--json").document["changes"]["upgraded"]
    assert [(each["name"], each["to"]) for each in upgraded] == [("app", "2.0rc1")]


def test_upgrade_of_what_is_not_there(call, installed):
    done = call("upgrade", "stordom", "--root", installed)
    assert done.code == 2
    assert "`stordom` is not among the packages" in done.told


def test_minimal_versions(call, project, versions, tmp_path):
    words = ("lock", "app>=2", "tool", *SITE, "--json")
    highest, lowest = call(*words).document, call(*words, "--minimal-versions").document
    assert {p["name"]: p["version"] for p in highest["packages"]} == {"app": "3.0", "lib": "3.0", "tool": "3.0"}
    assert {p["name"]: p["version"] for p in lowest["packages"]} == {"app": "2.0", "lib": "2.0", "tool": "1.0"}
    project('tool = "*"')
    call("lock")
    assert locked(tmp_path) == {"lib": "3.0", "tool": "3.0"}
    call("lock", "--minimal-versions")
    assert locked(tmp_path) == {"lib": "1.0", "tool": "1.0"}
    assert call("lock", "--check", "--minimal-versions").code == 2


def test_an_override_counts_instead_of_what_packages_ask_for(call, project, versions, tmp_path):
    project('app = ">=3"', '[overrides]\nlib = "==1.0"\n')
    done = call("lock")
    assert "override: lib ==1.0, whatever packages ask for (policy.toml)\n" in done.out
    assert locked(tmp_path) == {"app": "3.0", "lib": "1.0"}
    assert '\n[overrides]\nlib = "==1.0"\n' in (tmp_path / "policy.lock").read_text()
    assert call("lock", "--json").document["overrides"] == {"lib": "==1.0"}
    assert call("tree").out == "app 3.0 (>=3)\n`-- lib 1.0 (>=3,<4, override ==1.0)\n"
    assert call("why", "lib", "--json").document["paths"][0][1]["override"] == "==1.0"
    assert call("lock", "--check").code == 0


def test_an_override_that_changed_makes_the_lock_stale_at_its_line(call, project, versions, tmp_path):
    project('app = ">=3"')
    call("lock")
    project('app = ">=3"', '[overrides]\nlib = "==1.0"\n')
    done = call("lock", "--check", "--json")
    assert done.code == 10
    error = done.document["error"]
    assert error["message"] == "override of lib: ==1.0 wanted, none locked"
    line = (tmp_path / "policy.toml").read_text().split("\n").index('lib = "==1.0"') + 1
    assert (error["where"]["file"], error["where"]["line"]) == ("policy.toml", line)
    assert "errors" not in done.document
    call("lock")
    project('app = ">=3"')
    assert "override of lib: none wanted, ==1.0 locked" in call("lock", "--check").told


def test_install_shows_overrides(call, publish, empty):
    publish("lib", "1.0")
    publish("lib", "2.0")
    publish("app", "1.0", {"lib": ">=2"})
    configuration = empty / "etc/polpkg"
    configuration.mkdir(parents=True)
    (configuration / "policy.toml").write_text('[overrides]\nlib = "<2"\n')
    words = ("install", "app", "--root", empty, "--xen", "4.17", *SITE)
    assert "override: lib <2, whatever packages ask for (policy.toml)\n" in call(*words, "--dry-run").out
    document = call(*words, "--json").document
    assert document["overrides"] == {"lib": "<2"}
    assert "override: lib <2" in call(*words).out
    assert call("verify", "--root", empty).code == 0


def test_a_bad_override_is_refused_with_its_place(call, project, versions):
    project('app = "*"', '[overrides]\nlib = "??"\n')
    done = call("lock", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "project-bad-specifier")


@pytest.mark.parametrize("lib", ["a-lib", "z-lib"])
def test_upgrade_of_a_package_moves_another_that_policy_toml_names_as_well(call, publish, empty, lib):
    publish("app", "1.0", {lib: "<2"})
    publish(lib, "1.0")
    words = ["--root", empty, *SITE]
    assert call("install", "app", lib, *words, "--xen", "4.17").code == 0
    publish("app", "1.1", {lib: "<2"})
    publish("app", "2.0", {lib: ">=2"})
    publish(lib, "2.0")
    upgraded = call("upgrade", "app", *words, "--json").document["changes"]["upgraded"]
    assert {each["name"]: each["to"] for each in upgraded} == {"app": "2.0", lib: "2.0"}


def test_a_project_without_a_lock_keeps_the_versions_of_the_target(call, empty, publish, tmp_path):
    """A fleet has one policy.toml; what a host has moves when somebody says `upgrade`, not because an index grew."""
    site = tmp_path / "site"
    site.mkdir()
    publish("app", "1.0")
    wanted = '[packages]\napp = "*"\n[target]\nxen = "4.17"\n[indexes.dist]\nurl = "../dist"\n'
    words = ("--project", site, "--root", empty, "--json")

    def versions(verb):
        (site / "policy.toml").write_text(wanted)
        (site / "policy.lock").unlink(missing_ok=True)
        done = call(verb, *words)
        assert done.code == 0, done.out
        return done.document["changed"], {p["version"] for p in done.document["packages"] if p["name"] == "app"}

    assert versions("sync") == (True, {"1.0"})
    publish("app", "1.1")
    assert versions("sync") == (False, {"1.0"})
    (site / "policy.toml").write_text(wanted)
    assert call("sync", "--locked", *words).code == 10, "a lock that is not there is not made up"
    assert versions("upgrade") == (True, {"1.1"})
    (empty / "var/lib/polpkg/generations/2/policy.lock").write_text("damaged")
    publish("app", "1.2")
    assert versions("sync") == (True, {"1.2"}), "a damaged generation is made anew"
