from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest

from polpkg.errors import ExitCode, PolicyError, TrustError, UsageError
from polpkg.packages.archive import Limits, archive_time, pack, unpack
from polpkg.packages.source import build_archive, read_archive, read_package_directory, sha256_of

FILES = {
    "polpkg.toml": b'[package]\nname = "a"\nversion = "1"\n',
    "policy/a.te": b"type a_t;\n",
    "policy/empty.if": b"",
}


def tar(*members, fmt=tarfile.USTAR_FORMAT):
    """A gzip'd tar of (TarInfo, content) made by the standard library."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=fmt) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(path, content=b"x", **fields):
    info = tarfile.TarInfo(path)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def refusal(archive, **options):
    with pytest.raises(TrustError) as caught:
        unpack(archive, label="it", **options)
    assert caught.value.exit_code is ExitCode.TRUST
    return caught.value.code


def test_the_standard_library_reads_what_we_write():
    long = {f"policy/{'d' * 90}/{'f' * 90}.te": b"y" * 70_000}
    with tarfile.open(fileobj=io.BytesIO(pack(FILES | long, mtime=1_700_000_000))) as archive:
        found = {info.name: archive.extractfile(info).read() for info in archive}
        infos = archive.getmembers()
    assert found == FILES | long
    assert [info.name for info in infos] == sorted(FILES | long)
    assert {(i.uid, i.gid, i.mode, i.mtime, i.uname, i.type) for i in infos} == {
        (0, 0, 0o644, 1_700_000_000, "", tarfile.REGTYPE)
    }


def test_we_read_what_the_standard_library_writes():
    assert unpack(tar(*(member(path, content) for path, content in FILES.items())), label="it") == FILES


def test_directories_in_an_archive_are_passed_over():
    assert unpack(tar(member("policy/", b"", type=tarfile.DIRTYPE), member("policy/a")), label="it") == {
        "policy/a": b"x"
    }


def test_the_bytes_are_these_on_every_machine():
    assert sha256_of(pack({"a": b"1"})) == "82324d94dff589ae1a3859b81338f6f29af1e4d74bbe2716d4aacffaf3f43c7b"


def test_a_path_that_ustar_cannot_hold_is_refused():
    with pytest.raises(UsageError):
        pack({"policy/" + "x" * 200: b""})


@pytest.mark.parametrize(
    "bad",
    [
        member("link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", b"", type=tarfile.LNKTYPE, linkname="policy/a"),
        member("fifo", b"", type=tarfile.FIFOTYPE),
        member("device", b"", type=tarfile.CHRTYPE),
        member("/etc/passwd"),
        member("../up"),
        member("policy/../../up"),
        member("./policy/a"),
        member("policy//a"),
        member("policy\\a"),
        member("policy/a\nb"),
        member("../up/", b"", type=tarfile.DIRTYPE),
    ],
    ids=lambda bad: bad[0].name.strip(),
)
def test_unsafe_members_are_refused(bad):
    assert refusal(tar(member("polpkg.toml"), bad)) == "archive-unsafe"


def test_duplicate_names_are_refused():
    assert refusal(tar(member("a"), member("a"))) == "archive-unsafe"
    assert refusal(tar(member("a"), member("a/b"))) == "archive-unsafe"
    assert refusal(tar(member("a/b"), member("a"))) == "archive-unsafe"


def test_a_path_hidden_behind_an_extended_header_is_refused():
    assert refusal(tar(member("é" * 120), fmt=tarfile.PAX_FORMAT)) == "archive-unsafe"
    assert refusal(tar(member("x" * 300), fmt=tarfile.GNU_FORMAT)) == "archive-unsafe"


def test_every_truncation_is_noticed():
    whole = pack(FILES)
    for length in range(0, len(whole), 7):
        assert refusal(whole[:length]) == "archive-damaged"


def test_every_changed_byte_of_the_content_is_noticed():
    whole = pack({"a": b"content"})
    for position in range(10, len(whole), 3):
        changed = whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :]
        refusal(changed)


def test_something_after_the_end_is_refused():
    assert refusal(pack(FILES) + b"more") == "archive-damaged"
    assert refusal(pack(FILES) + pack(FILES)) == "archive-damaged"
    assert refusal(gzip.compress(gzip.decompress(pack(FILES)) + b"more")) == "archive-damaged"


def test_a_tar_without_its_end_is_refused():
    assert refusal(gzip.compress(gzip.decompress(pack(FILES))[:-1024])) == "archive-damaged"


@pytest.mark.parametrize(
    "data",
    [b"", b"text", b"\x1f\x8b", gzip.compress(b"no tar" * 200, mtime=0)],
    ids=["empty", "text", "start", "no-tar"],
)
def test_other_files_are_refused(data):
    assert refusal(data) == "archive-damaged"


def test_a_bomb_is_stopped_while_it_unpacks():
    assert refusal(gzip.compress(bytes(50 << 20))) == "archive-too-large"


@pytest.mark.parametrize(
    "limits",
    [Limits(archive_size=100), Limits(unpacked_size=1000), Limits(files=2)],
    ids=["archive", "unpacked", "files"],
)
def test_the_limits_hold(limits):
    assert refusal(pack(FILES), limits=limits) == "archive-too-large"


def test_the_digest_is_compared_before_anything_is_read():
    with pytest.raises(TrustError) as caught:
        read_archive(b"not even gzip", expected_sha256="0" * 64)
    assert caught.value.code == "digest-mismatch"


def test_an_archive_without_a_manifest_is_refused():
    with pytest.raises(TrustError):
        read_archive(pack({"policy/a.te": b""}))


def test_same_source_same_bytes(write_package, monkeypatch):
    folder = write_package()
    first = build_archive(folder)
    (folder / "policy" / "demo.te").touch()
    assert build_archive(folder) == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert build_archive(folder) != first
    assert read_archive(build_archive(folder)).files == read_archive(first).files


@pytest.mark.parametrize("value", ["", "-1", "now", "9" * 20, "9" * 5000, "١"])
def test_a_bad_source_date_is_refused(monkeypatch, value):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UsageError):
        archive_time()


def test_only_what_belongs_to_a_package_is_read(write_package):
    mine = ("README.md", "LICENSE", "docs/a/b.md", "tests/t.toml")
    others = ("other.txt", "build/x", "policy/.hidden", "policy/a.te~")
    folder = write_package(**dict.fromkeys(mine + others, "text"))
    found = list(read_package_directory(folder).files)
    assert found == sorted([*mine, "policy/demo.te", "polpkg.toml"])


@pytest.mark.parametrize("path", ["policy/link.te", "README", "tests", "polpkg.toml"])
def test_links_in_a_source_are_refused(write_package, tmp_path, path):
    folder = write_package()
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (folder / path).unlink(missing_ok=True)
    (folder / path).symlink_to(outside)
    with pytest.raises(UsageError) as caught:
        read_package_directory(folder)
    assert caught.value.code == "link-in-package"


def test_special_files_in_a_source_are_refused(write_package):
    folder = write_package()
    os.mkfifo(folder / "policy" / "pipe.te")
    with pytest.raises(UsageError):
        read_package_directory(folder)


def test_a_directory_without_a_manifest_is_no_package(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_package_directory(tmp_path)
    assert caught.value.code == "not-a-package"


def with_field(offset, value):
    """An archive whose first header has `value` at `offset` and a right check sum."""
    data = bytearray(gzip.decompress(pack({"a": b"x"})))
    data[offset : offset + len(value)] = value
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\x00 " % sum(data[:512])
    return gzip.compress(bytes(data))


@pytest.mark.parametrize("size", [b"-0000000001", b"0000000009x", b"77777777777", b"\x80" + bytes(10)])
def test_a_bad_size_is_refused(size):
    assert refusal(with_field(124, size)) == "archive-damaged"


def test_a_path_that_is_not_utf8_is_refused():
    assert refusal(with_field(0, b"\xff")) == "archive-unsafe"


def test_a_check_sum_that_is_no_number_is_refused():
    data = bytearray(gzip.decompress(pack({"a": b"x"})))
    data[148:156] = b"nonsense"
    assert refusal(gzip.compress(bytes(data))) == "archive-damaged"


def test_text_that_is_not_utf8_is_refused(write_package):
    folder = write_package()
    (folder / "polpkg.toml").write_bytes(b"\xff")
    with pytest.raises(PolicyError) as caught:
        read_package_directory(folder)
    assert caught.value.code == "not-utf-8"


def test_a_fragment_that_is_named_and_missing_is_an_error(write_package):
    with pytest.raises(PolicyError) as caught:
        read_package_directory(write_package(more='[options.audit]\nfragments = ["policy/audit.te"]\n'))
    assert caught.value.code == "manifest-missing-file"


@pytest.mark.parametrize("path", ["policy", "docs"])
def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path, path):
    (tmp_path / "polpkg.toml").write_text('package = { name = "a", version = "1" }')
    (tmp_path / path).write_text("x")
    with pytest.raises(UsageError):
        read_package_directory(tmp_path)
