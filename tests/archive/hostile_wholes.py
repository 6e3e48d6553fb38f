"""Archives that are not whole, not what they say, or ask for what can't be."""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from typing import Any

from cognition_jupyter.archive.layout import HEADER, Totals, end_line, header_of

from .archive_support import Craft, metadata
from .hostile import CASES, case, good, info

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
