"""Glob and grep: what matches, and that neither takes long or much."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from cognition_jupyter.memory.operations import Operations

from .memory_support import Place, fails, place

FILES = [
    ".env",
    ".github/workflows/ci.yml",
    "README.md",
    "a b.md",
    "docs/guide.md",
    "docs/img/logo.PNG",
    "src/app/main.py",
    "src/app/.hidden.py",
    "src/main.py",
    "src/[x].py",
    "top.py",
]


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with place() as made:
        for name in FILES:
            made.now().write(f"/workspace/{name}", f"needle in {name}\n")
        yield made


@pytest.fixture(scope="module")
def now(here: Place) -> Operations:
    return here.now()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", ["src/[x].py", "src/app/main.py", "src/main.py", "top.py"]),
        ("/*.py", ["top.py"]),
        ("**/*.py", ["src/[x].py", "src/app/main.py", "src/main.py", "top.py"]),
        ("src/*.py", ["src/[x].py", "src/main.py"]),
        ("src/**/*.py", ["src/[x].py", "src/app/main.py", "src/main.py"]),
        ("src/**", ["src/[x].py", "src/app/main.py", "src/main.py"]),
        ("**/app/**/main.py", ["src/app/main.py"]),
        ("*/*/main.py", ["src/app/main.py"]),
        ("*.yml", [".github/workflows/ci.yml"]),
        ("**/*.yml", []),
        (".github/**/*.yml", [".github/workflows/ci.yml"]),
        (".env", [".env"]),
        (".*", [".env", "src/app/.hidden.py"]),
        ("*", [name for name in FILES if name not in (".env", "src/app/.hidden.py")]),
        ("{README,docs/guide}.md", ["README.md", "docs/guide.md"]),
        ("*.{md,PNG}", ["README.md", "a b.md", "docs/guide.md", "docs/img/logo.PNG"]),
        ("src/{app/,}main.py", ["src/app/main.py", "src/main.py"]),
        ("{a,{RE,XX}}*.md", ["README.md", "a b.md"]),
        ("ma?n.py", ["src/app/main.py", "src/main.py"]),
        ("[rt]op.py", ["top.py"]),
        ("[!t]*.py", ["src/[x].py", "src/app/main.py", "src/main.py"]),
        ("[[]x].py", ["src/[x].py"]),
        ("*.png", []),
        ("docs", []),
        ("{top.py", []),
        ("src/", []),
        ("{,top.py}", ["top.py"]),
        ("{docs/guide.md,top.py}", ["docs/guide.md", "top.py"]),
        ("{docs/guide.md,main.py}", ["docs/guide.md"]),
        ("{top}.py", []),
    ],
)
def test_what_a_pattern_matches(now: Operations, pattern: str, expected: list[str]) -> None:
    found = [entry.path for entry in now.glob(pattern, "/workspace").files]
    assert found == sorted(f"/workspace/{name}" for name in expected)


def test_a_pattern_is_relative_to_where_the_search_begins(now: Operations) -> None:
    def paths(pattern: str, path: str) -> list[str]:
        return [entry.path for entry in now.glob(pattern, path).files]

    assert paths("*.py", "/workspace/src/app/") == ["/workspace/src/app/main.py"]
    assert paths("app/*.py", "/workspace/src") == ["/workspace/src/app/main.py"]
    assert paths("/workspace/*.py", "/") == ["/workspace/top.py"]
    assert paths("/*.py", "/") == []
    assert paths("*/top.py", "/") == ["/workspace/top.py"]
    assert paths("memories/**/*.py", "/") == []
    assert paths("top.py", "/workspace/top.py") == ["/workspace/top.py"]
    assert paths("*.md", "/workspace/top.py") == []
    with fails("file_not_found"):
        paths("*", "/workspace/nothing")
    with fails("file_not_found"):
        paths("*", "/nowhere")
    with fails("invalid_path"):
        paths("*", "/workspace/../x")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        "../*.py",
        "a/../b",
        "x" * 1025,
        "{a,b}" * 7,
        "{" * 17,
        "a\0",
        "**" + "/*/**" * 100 + "/{" + ",".join(map(str, range(100))) + "}",
    ],
)
def test_a_pattern_that_is_refused(now: Operations, pattern: str) -> None:
    with fails("invalid_pattern", 400):
        now.glob(pattern)
    with fails("invalid_pattern", 400):
        now.grep("x", glob=pattern)


def test_no_pattern_takes_long(here: Place, now: Operations) -> None:
    now.write("/tmp/" + "a" * 250, b"x")
    began = time.thread_time()
    for pattern in ("*a" * 100 + "b", "**/" * 300 + "b", "{,{," * 8 + "*a" * 20 + "b", "[" * 1000):
        assert now.glob(pattern).files == ()
    assert time.thread_time() - began < 2


def test_lines_with_a_text(now: Operations) -> None:
    now.write("/workspace/lines.txt", "one\ntwo needle needle\r\n\nthree.*\nneedle")
    found = now.grep("needle", "/workspace/lines.txt")
    assert [(m.line, m.text) for m in found.matches] == [(2, "two needle needle"), (5, "needle")]
    assert [m.line for m in now.grep(".*", "/workspace").matches] == [4]
    assert len(now.grep("needle", "/workspace", glob="*.md").matches) == 3
    assert len(now.grep("needle", "/", glob="/workspace/*.md").matches) == 2
    assert len(now.grep("needle in .env").matches) == 1
    assert len(now.grep("needle", "/workspace/.github").matches) == 1
    for text in ("", "a\nb", "x" * 100_000, "\ud800"):
        with fails("invalid_pattern"):
            now.grep(text)
    now.delete("/workspace/lines.txt")


def test_at_most_so_many_lines(now: Operations) -> None:
    total = len(FILES)
    whole = now.grep("needle", max_count=total)
    assert len(whole.matches) == total and not whole.truncated
    cut = now.grep("needle", max_count=total - 1)
    assert len(cut.matches) == total - 1 and cut.truncated and cut.reason == "limit"
    assert now.grep("needle", max_count=0).matches == ()
    assert now.grep("needle", max_count=-5).truncated
    assert not now.grep("nothing", max_count=0).truncated


def test_what_is_no_text_is_left_out(here: Place, now: Operations) -> None:
    now.write("/tmp/binary", b"needle\n\0needle")
    now.write("/tmp/latin", b"caf\xe9 needle\n")
    now.write("/tmp/late", b"needle\n" + b"x" * 300_000 + b"\0")
    found = now.grep("needle", "/tmp").matches
    assert [(m.path, m.text) for m in found] == [
        ("/tmp/late", "needle"),
        ("/tmp/latin", "caf\ufffd needle"),
    ]
    for name in ("binary", "latin", "late"):
        now.delete(f"/tmp/{name}")


@pytest.mark.parametrize("before", [0, 1, 262_140, 262_143, 262_144, 524_287, 1_000_000])
def test_a_text_across_what_is_read_at_once(here: Place, now: Operations, before: int) -> None:
    for filler in (b"x", b"x" * 99 + b"\n"):
        head = (filler * (before // len(filler) + 1))[:before]
        (here.tmp / "x").write_bytes(head + b"needle\nneedle")
        found = now.grep("needle", "/tmp/x").matches
        first = head.count(b"\n") + 1
        assert [m.line for m in found] == [first, first + 1]
        assert "needle" in found[0].text and len(found[0].text) <= 2000
    (here.tmp / "x").unlink()


@pytest.mark.parametrize("needle", ["n", "needle", "needle" * 1000])
def test_a_text_anywhere_in_a_line_of_any_length(here: Place, now: Operations, needle: str) -> None:
    step = max(1, len(needle) // 5)
    for piece in (1, 2, 3):
        for at in range((piece << 18) - 2 * len(needle), (piece << 18) + len(needle), step):
            (here.tmp / "x").write_bytes(b"first\n" + b"x" * at + needle.encode() + b"x" * 300_000)
            (match,) = now.grep(needle, "/tmp/x").matches
            assert match.line == 2
    (here.tmp / "x").unlink()


def test_a_search_is_bounded(here: Place) -> None:
    for name, reason in (("scanned_bytes", "limit"), ("seconds", "time")):
        now = here.now(**{name: 10 if name == "scanned_bytes" else -1.0})
        found = now.grep("needle")
        assert found.truncated and found.reason == reason
    many = here.tmp / "many"
    with many.open("wb") as file:
        file.write(b"needle " * 10 * 1_000_000)
    began = time.thread_time()
    found = here.now().grep("needle", "/tmp/many")
    assert len(found.matches) == 1 and len(found.matches[0].text) <= 2000
    assert time.thread_time() - began < 3
    with many.open("wb") as file:
        file.write(b"needle\n" * 100_000)
    found = here.now().grep("needle", "/tmp/many")
    assert len(found.matches) == 1000 and found.reason == "limit"
    many.unlink()
