"""Archives with an entry that nobody should take: by its place, its kind or its size."""

from __future__ import annotations

import gzip
import tarfile
from typing import Any

from .archive_support import Craft
from .hostile import CASES, case, good, info

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
