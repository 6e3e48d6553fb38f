"""Archives that nobody should take: each with a name, and a part of the sentence it gets."""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

from cognition_jupyter.archive.layout import HEADER, Totals, end_line, header_of

from .archive_support import Craft, metadata

MAX_BYTES = 1 << 20
MAX_ENTRIES = 50
#: The limits of whoever takes them.
LIMITS = {"Archives": {"max_bytes": MAX_BYTES, "max_entries": MAX_ENTRIES}}

CASES: dict[str, tuple[str, bytes]] = {}


def case(sentence: str) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def add(make: Callable[[], bytes]) -> Callable[[], bytes]:
        CASES[make.__name__] = sentence, make()
        return make

    return add


def good() -> Craft:
    return Craft().repo().add("repo/a", b"content\n").link("repo/l", "/etc/passwd")


# -- places --------------------------------------------------------------------------------


def place(name: str, sentence: str, path: str, **fields: Any) -> None:
    CASES[name] = sentence, good().add(path, b"x", **fields).whole()


place("absolute_path", "is an absolute path", "/etc/cron.d/evil")
place("absolute_path_with_two_slashes", "is an absolute path", "//repo/evil")
place("upwards_at_once", "leads upwards", "../evil")
place("upwards_from_inside", "leads upwards", "repo/../../evil")
place("upwards_at_the_end", "leads upwards", "repo/..")
place("dot_in_a_path", "has a part without a name", "repo/./evil")
place("empty_part_of_a_path", "has a part without a name", "repo//evil")
place("nothing_as_a_name", "an entry has no name", "")
place("the_record_of_a_project", "is no part of a project", ".project_metadata.json")
place("the_agent_s_conversations", "is no part of a project", ".agent/checkpoints.sqlite")
place("the_root_s_own_directory", "is no part of a project", ".cognition/root.json")
place("a_part_that_only_begins_like_one", "is no part of a project", "repository/x")
place("a_part_in_capitals", "is no part of a project", "Repo/x")
place("memories_that_are_none", "is no part of a project", "memories/cold/x")
place("a_name_of_256_bytes", "longer than 255 bytes", "repo/" + "n" * 256)
place("a_path_of_5000_bytes", "longer than 4000 bytes", "repo/" + "ab/" * 1700 + "x")
place("nul_in_a_name", "holds a NUL", "x", pax_headers={"path": "repo/a\0b"})


@case("passes through what is no directory")
def through_a_link_to_the_outside() -> bytes:
    return good().link("repo/out", "/tmp").add("repo/out/cgn-evil", b"x").whole()


@case("passes through what is no directory")
def through_a_link_to_the_inside() -> bytes:
    return good().directory("repo/d").link("repo/d2", "d").add("repo/d2/x", b"x").whole()


@case("passes through what is no directory")
def directory_through_a_link() -> bytes:
    return good().link("repo/up", "..").directory("repo/up/evil").whole()


@case("passes through what is no directory")
def below_a_file() -> bytes:
    return good().add("repo/a/b", b"x").whole()


@case("is in it twice")
def over_a_link() -> bytes:
    return good().add("repo/l", b"root::0:0").whole()


@case("is in it twice")
def a_file_twice() -> bytes:
    return good().add("repo/a", b"other").whole()


@case("is in it twice")
def a_directory_where_a_file_is() -> bytes:
    return good().directory("repo/a").whole()


@case("is in it twice")
def a_link_where_a_directory_is() -> bytes:
    return good().directory("repo/d").link("repo/d", "/").whole()


@case("repo is no directory")
def the_workspace_as_a_link() -> bytes:
    return Craft().link("repo", "/etc").whole()


@case("repo is no directory")
def the_workspace_as_a_file() -> bytes:
    return Craft().add("repo", b"x").whole()


@case("repo is in it twice")
def the_workspace_twice() -> bytes:
    return good().repo().whole()


@case("after another part")
def back_in_an_earlier_part() -> bytes:
    return good().directory("deps").add("repo/late", b"x").whole()


@case("comes before its directory")
def without_its_directory() -> bytes:
    return good().add("repo/no/where", b"x").whole()


@case("comes before its directory")
def without_its_part() -> bytes:
    return Craft().add("repo/a", b"x").whole()


@case("is a link to nowhere")
def an_empty_link() -> bytes:
    return good().link("repo/nowhere", "").whole()


@case("is no journal")
def a_directory_among_journals() -> bytes:
    return good().directory("logs").directory("logs/x").whole()


@case("is no journal")
def a_link_among_journals() -> bytes:
    return good().directory("logs").link("logs/x.jsonl", "/etc/passwd").whole()


@case("is in it twice")
def a_link_twice_in_hot_memory() -> bytes:
    made = Craft().directory("memories/hot").link("memories/hot/l", "a")
    return made.add("memories/hot/l", b"x").whole()


# -- kinds ---------------------------------------------------------------------------------


def kind(name: str, sentence: str, type_: bytes, **fields: Any) -> None:
    CASES[name] = sentence, good().add(f"repo/{name}", kind=type_, **fields).whole()


kind("hard_link_to_the_outside", "is a hard link", tarfile.LNKTYPE, linkname="/etc/shadow")
kind("hard_link_to_the_inside", "is a hard link", tarfile.LNKTYPE, linkname="repo/a")
kind("character_device", "is a character device", tarfile.CHRTYPE, devmajor=1, devminor=5)
kind("block_device", "is a block device", tarfile.BLKTYPE, devmajor=8)
kind("fifo", "is a FIFO", tarfile.FIFOTYPE)
kind("contiguous_file", "is of type", tarfile.CONTTYPE)
kind("unknown_type", "is of type", b"Z")
kind("global_header", "is a global extended header", tarfile.XGLTYPE)
kind("solaris_header", "is an extended header of Solaris", tarfile.SOLARIS_XHDTYPE)
kind("old_sparse_file", "is a sparse file", tarfile.GNUTYPE_SPARSE)
kind("long_name_of_gnu_tar", "is a long name of GNU tar", tarfile.GNUTYPE_LONGNAME)


def info(name: str, type_: bytes, size: int) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = type_, size
    return made


def record(keyword: str, value: str) -> bytes:
    """One record of a pax header."""
    rest = f" {keyword}={value}\n".encode()
    size = len(rest) + 1
    while len(str(size)) + len(rest) != size:
        size = len(str(size)) + len(rest)
    return str(size).encode() + rest


@case("a sparse file is in it")
def sparse_file_of_pax_1_0() -> bytes:
    fields = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 50)}
    return good().add("repo/huge", b"1\n0\n0\n".ljust(512, b"\0"), pax_headers=fields).whole()


@case("a sparse file is in it")
def sparse_file_of_pax_0_1() -> bytes:
    fields = {"GNU.sparse.map": "0,1," * 1000 + "5,6", "GNU.sparse.size": str(1 << 50)}
    return good().add("repo/huge", b"x", pax_headers=fields).whole()


@case("a sparse file is in it")
def sparse_file_of_pax_0_0() -> bytes:
    return good().add("repo/huge", b"x", pax_headers={"GNU.sparse.size": str(1 << 50)}).whole()


@case("is no file and has")
def directory_with_content() -> bytes:
    return good().block(info("repo/d", tarfile.DIRTYPE, 4000), b"x" * 4000).whole()


@case("is no file and has")
def link_with_content() -> bytes:
    made = info("repo/s", tarfile.SYMTYPE, 4000)
    made.linkname = "a"
    return good().block(made, b"x" * 4000).whole()


# -- bombs ---------------------------------------------------------------------------------


@case("an extended header has")
def extended_header_bomb() -> bytes:
    return good().block(info("x", tarfile.XHDTYPE, 64 << 20), bytes(64 << 20)).whole()


@case("an extended header has")
def extended_header_that_claims_a_terabyte() -> bytes:
    return good().block(info("x", tarfile.XHDTYPE, 1 << 40)).whole()


@case("an extended header follows another")
def chain_of_extended_headers() -> bytes:
    made = good()
    for _ in range(2000):
        data = record("comment", "x")
        made.block(info("x", tarfile.XHDTYPE, len(data)), data)
    return made.add("repo/x", b"x").whole()


@case("an extended header can't be read")
def number_without_an_end_in_a_header() -> bytes:
    data = b"9" * 9000 + b" path=x\n"
    return good().block(info("x", tarfile.XHDTYPE, len(data)), data).add("repo/x").whole()


@case("more than 1048576 bytes of files")
def gzip_bomb_of_zeros() -> bytes:
    return good().add("repo/zeros", bytes(200 << 20)).whole()


@case("more than 1048576 bytes of files")
def gzip_bomb_in_many_files() -> bytes:
    made = good()
    for number in range(20):
        made.add(f"repo/{number}", bytes(100_000))
    return made.whole()


@case("more than 1048576 bytes of files")
def size_of_a_terabyte() -> bytes:
    return good().block(info("repo/huge", tarfile.REGTYPE, 1 << 40)).whole()


@case("more than 1048576 bytes of files")
def size_by_an_extended_header() -> bytes:
    return good().add("repo/huge", b"x", pax_headers={"size": str(1 << 45)}).whole()


@case("has a negative size")
def negative_size() -> bytes:
    return good().block(info("repo/less", tarfile.REGTYPE, -512)).whole()


@case("refused")
def negative_size_by_an_extended_header() -> bytes:
    return good().add("repo/less", b"x", pax_headers={"size": "-1"}).whole()


@case("has more than 50 entries")
def more_entries_than_may_be() -> bytes:
    made = good()
    for number in range(60):
        made.directory(f"repo/{number}")
    return made.whole()


@case("something follows its manifest")
def bomb_behind_the_manifest() -> bytes:
    return gzip.compress(good().tar_bytes() + bytes(80 << 20), 1)


# -- not whole, not what it says -------------------------------------------------------------


@case("it is cut short")
def nothing_at_all() -> bytes:
    return b""


@case("it is damaged, or no gzip file")
def no_gzip_file() -> bytes:
    return b"PK\x03\x04 this is a zip file, one could think" * 10


@case("it is damaged, or no gzip file")
def a_tar_file_that_is_not_compressed() -> bytes:
    return good().tar_bytes()


@case("refused")
def gzip_of_nothing() -> bytes:
    return gzip.compress(b"")


@case("refused")
def gzip_of_noise() -> bytes:
    return gzip.compress(b"noise, and no tar file" * 1000)


@case("it is cut short")
def cut_in_the_middle() -> bytes:
    whole = good().add("repo/noise", zlib.compress(bytes(range(256)) * 400, 9) * 9).whole()
    return whole[: len(whole) // 2]


@case("it is cut short")
def cut_before_the_last_byte() -> bytes:
    return good().whole()[:-1]


@case("manifest.jsonl is missing")
def ended_before_the_manifest() -> bytes:
    return good().whole(b"")


@case("manifest.jsonl is missing")
def ended_by_a_damaged_header() -> bytes:
    return gzip.compress(good().bytes(b"\xff" * 512).tar_bytes(), 1)


@case("cut short")
def ended_within_a_file() -> bytes:
    made = good().block(info("repo/short", tarfile.REGTYPE, 5000), b"only that")
    return gzip.compress(made.tar_bytes(b"", end=False), 1)


@case("manifest.jsonl has no end")
def manifest_without_its_end() -> bytes:
    made = good()
    return made.whole(b"".join(made.lines))


@case("manifest.jsonl has no end")
def manifest_without_its_last_line_break() -> bytes:
    made = good()
    return made.whole(made.manifest[:-1])


@case("something follows the end of manifest.jsonl")
def manifest_with_two_ends() -> bytes:
    made = good()
    return made.whole(made.manifest * 2)


@case("is too long")
def manifest_with_an_endless_line() -> bytes:
    return good().whole(b"x" * 300_000)


@case("a line of manifest.jsonl can't be read")
def manifest_that_is_no_json() -> bytes:
    return good().whole(b"{\n")


@case("a line of manifest.jsonl can't be read")
def manifest_of_a_million_brackets() -> bytes:
    return good().whole(b"[" * 60_000 + b"\n")


@case("it is damaged, or no gzip file")
def checksum_of_gzip_wrong() -> bytes:
    whole = bytearray(good().whole())
    whole[-6] ^= 1
    return bytes(whole)


@case("repo/b does not have the checksum that manifest.jsonl says")
def checksum_of_a_file_wrong() -> bytes:
    return good().add("repo/b", b"changed on the way", sha256="0" * 64).whole()


@case("cognition-project.json does not have the checksum")
def checksum_of_the_header_wrong() -> bytes:
    made = good()
    made.lines[0] = made.lines[0].replace(b'"sha256":"', b'"sha256":"0')
    return made.whole()


@case("repo/tool is not as manifest.jsonl says")
def mode_other_than_listed() -> bytes:
    made = good().add("repo/tool", b"x", mode=0o755)
    made.lines[-1] = made.lines[-1].replace(b'"mode":493', b'"mode":420')
    return made.whole()


@case("repo/s is not as manifest.jsonl says")
def link_that_leads_elsewhere_than_listed() -> bytes:
    made = good().link("repo/s", "/etc/shadow")
    made.lines[-1] = made.lines[-1].replace(b"/etc/shadow", b"a")
    return made.whole()


@case("manifest.jsonl does not list repo/extra")
def file_that_is_not_listed() -> bytes:
    return good().add("repo/extra", b"x", listed=False).whole()


@case("which manifest.jsonl lists")
def listed_file_that_is_not_there() -> bytes:
    made = good()
    made.lines.append(made.lines[-2].replace(b"repo/a", b"repo/b"))
    return made.whole()


@case("instead of repo/a")
def listed_in_another_order() -> bytes:
    made = good()
    made.lines[2], made.lines[3] = made.lines[3], made.lines[2]
    return made.whole()


@case("the numbers at the end of manifest.jsonl are wrong")
def wrong_numbers() -> bytes:
    made = good()
    return made.whole(b"".join(made.lines) + end_line(Totals(files=7)))


@case("something follows its manifest")
def entry_behind_the_manifest() -> bytes:
    made = good()
    made.tar_bytes(end=False)
    made.add("repo/late", b"x")
    return gzip.compress(made.raw.getvalue() + bytes(10240), 1)


@case("something follows its manifest")
def noise_behind_the_manifest() -> bytes:
    return gzip.compress(good().tar_bytes() + b"noise", 1)


@case("something follows its end")
def garbage_behind_the_end() -> bytes:
    return good().whole() + b"garbage"


@case("something follows its end")
def second_gzip_member() -> bytes:
    return good().whole() + gzip.compress(b"")


@case("something follows its end")
def archive_behind_the_archive() -> bytes:
    return good().whole() * 2


# -- the header ----------------------------------------------------------------------------


def header(name: str, sentence: str, **project: Any) -> None:
    document = json.loads(header_of(metadata()))
    document["project"] |= project
    CASES[name] = sentence, Craft(json.dumps(document).encode()).repo().whole()


header("prefix_that_leads_upwards", "user_prefix must be", user_prefix="../../evil")
header("prefix_that_is_a_number", "user_prefix", user_prefix=7)
header("description_with_controls", "control characters", description="\x1b[31m")
header("description_without_an_end", "description", description="d" * 3000)
header("tags_without_an_end", "tags", tags=["t"] * 1000)
header("network_mode_of_its_own", "network_mode", config={"network_mode": "HOST"})
header("image_that_is_not_allowed", "evil:latest", config={"container_image": "evil:latest"})
header("repository_on_this_disk", "repo_url", config={"repo_url": "file:///etc"})
header("link_to_a_script", "repo_url", config={"repo_url": "javascript:alert(1)"})
header("routes_that_are_none", "route", config={"agent_backend_routes": {"/x/../": "disk"}})
header("days_that_are_none", "cleanup_after_days", cleanup_after_days=-1)
header("statistics_below_zero", "out of range", statistics={"total_sessions": -5})
header("statistics_that_are_text", "statistics", statistics={"total_sessions": "many"})


def header_text(name: str, sentence: str, text: bytes) -> None:
    CASES[name] = sentence, Craft(text).repo().whole()


header_text("header_that_is_no_json", "is not JSON", b"{")
header_text("header_that_is_a_list", HEADER, b"[]")
header_text("header_of_many_brackets", HEADER, b"[" * 100_000)
header_text("header_with_not_a_number", HEADER, b'{"version": NaN}')
header_text("header_of_two_megabytes", "has 2097152 bytes", b" " * (2 << 20))
header_text(
    "header_of_something_else",
    "it is not one of a project",
    header_of(metadata()).replace(b"cognition-project", b"cognition-other"),
)
header_text(
    "header_of_a_later_version",
    "version 2, this release knows 1",
    header_of(metadata()).replace(b'"version": 1', b'"version": 2'),
)


@case("it does not begin with cognition-project.json")
def without_a_header() -> bytes:
    return Craft(first=False).repo().whole()


@case("it does not begin with cognition-project.json")
def header_as_a_link() -> bytes:
    return Craft(first=False).link(HEADER, "/etc/passwd").whole()


@case("is no part of a project")
def header_twice() -> bytes:
    return good().add(HEADER, b"{}").whole()


@case("no time that can be read")
def time_that_is_not_a_number() -> bytes:
    return good().add("repo/x", b"x", pax_headers={"mtime": "nan"}).whole()


@case("no time that can be read")
def time_without_an_end() -> bytes:
    return good().add("repo/x", b"x", pax_headers={"mtime": "9" * 400}).whole()


@case("an extended header can't be read")
def record_that_is_longer_than_its_header() -> bytes:
    data = b"99 path=x\n"
    return good().block(info("x", tarfile.XHDTYPE, len(data)), data).add("repo/x").whole()


@case("an extended header can't be read")
def record_of_no_length() -> bytes:
    return good().block(info("x", tarfile.XHDTYPE, 9), b"0 path=x\n").add("repo/x").whole()
