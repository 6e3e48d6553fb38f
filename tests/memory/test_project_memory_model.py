"""Any paths and any operations, against a model that is a dictionary."""

from __future__ import annotations

import fnmatch
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cognition_jupyter.exceptions import CognitionError
from cognition_jupyter.memory.shapes import etag_of

from .memory_support import SESSION, Place

Parts = tuple[str, ...]

ROUTES = {
    "/workspace": "repo",
    "/memories/hot": "hot",
    "/memories/hot/inner": "hot/inner",
    "/memories/persistent": "persistent",
    "/tmp": "tmp",
}
LIMIT = 400

# Few names, so that they meet; among them what other parts of a system stumble over.
NAMES = st.sampled_from(
    ["a", "b", "ab", ".a", "a b", "ä", "\udcff", "new\nline", "%2e%2e", "*", "~", "inner"]
)
PATHS = st.tuples(st.sampled_from(list(ROUTES)), st.lists(NAMES, min_size=1, max_size=3).map(tuple))
DATA = st.sampled_from([b"", b"a", b"needle", b"a\nneedle\r\n", b"\xff\0", b"aaa" * 30])


class Memory(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.place = Place()
        memory = self.place.memory({"/memories/hot/inner/": "store"}, hot_bytes=LIMIT)
        self.now = memory.for_session(SESSION).now
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = set(ROUTES)

    def teardown(self) -> None:
        if hasattr(self, "place"):
            self.place.remove()

    # -- the model -------------------------------------------------------------------------

    def parents(self, path: str) -> list[str]:
        """Directories that `path` lies in, down from its route."""
        route = max((r for r in ROUTES if f"{path}/".startswith(f"{r}/")), key=len)
        names = path[len(route) + 1 :].split("/")
        return ["/".join([route, *names[:count]]) for count in range(len(names))]

    def expected(self, path: str) -> str | None:
        """The error that a file at `path` meets when it is opened; None for none."""
        if path in ROUTES:
            return "is_directory"
        for parent in self.parents(path):
            if parent in self.files:
                return "invalid_path"
        if path in self.folders:
            return "is_directory"
        return None if path in self.files else "file_not_found"

    def hot(self) -> int:
        return sum(len(d) for p, d in self.files.items() if p.startswith("/memories/hot/"))

    def put(self, path: str, data: bytes) -> None:
        self.files[path] = data
        self.folders |= set(self.parents(path))

    def check(self, outcome: str | None, expected: str | None) -> bool:
        assert outcome == expected
        return outcome is None

    def outcome(self, step: str, *args: object, **kwargs: object) -> str | None:
        """The machine code that an operation failed with; its result is in `self.result`."""
        try:
            self.result = getattr(self.now, step)(*args, **kwargs)
        except CognitionError as error:
            return error.code
        return None

    # -- operations ------------------------------------------------------------------------

    @rule(at=PATHS, data=DATA, when=st.sampled_from(["always", "create", "match", "stale", "*"]))
    def write(self, at: tuple[str, Parts], data: bytes, when: str) -> None:
        path = "/".join([at[0], *at[1]])
        before = self.files.get(path)
        expected = self.expected(path)
        if expected == "file_not_found":
            expected = "precondition_failed" if when in ("match", "stale", "*") else None
        elif expected in (None, "is_directory") and when == "create" and path not in ROUTES:
            expected = "file_exists"
        elif expected is None and when == "stale":
            expected = "precondition_failed"
        more = len(data) - len(before or b"")
        hot = path.startswith("/memories/hot/")
        if expected is None and hot and more > 0 and self.hot() + more > LIMIT:
            expected = "hot_memory_limit"
        tags = {"match": etag_of(before or b""), "stale": etag_of(b"?"), "*": "*"}
        got = self.outcome("write", path, data, tags.get(when), when == "create")
        if self.check(got, expected):
            assert self.result.etag == etag_of(data)
            assert self.result.created == (before is None)
            self.put(path, data)

    @rule(at=PATHS, offset=st.integers(0, 4), limit=st.none() | st.integers(0, 4))
    def read(self, at: tuple[str, Parts], offset: int, limit: int | None) -> None:
        path = "/".join([at[0], *at[1]])
        if self.check(self.outcome("read", path, offset, limit), self.expected(path)):
            data = self.files[path]
            part = data[offset:] if limit is None else data[offset : offset + limit]
            assert self.result.data == part
            assert self.result.etag in (None, etag_of(data))
            assert (self.result.etag is not None) == (offset == 0 and part == data)

    @rule(at=PATHS, old=st.sampled_from(["a", "needle", "\n"]), every=st.booleans())
    def edit(self, at: tuple[str, Parts], old: str, every: bool) -> None:
        path = "/".join([at[0], *at[1]])
        expected = self.expected(path)
        times = self.files.get(path, b"").count(old.encode())
        if expected is None and times == 0:
            expected = "text_not_found"
        elif expected is None and times > 1 and not every:
            expected = "text_not_unique"
        if self.check(self.outcome("edit", path, old, "", every), expected):
            assert self.result.replacements == times
            self.files[path] = self.files[path].replace(old.encode(), b"")

    @rule(at=PATHS)
    def delete(self, at: tuple[str, Parts]) -> None:
        path = "/".join([at[0], *at[1]])
        expected = self.expected(path)
        if path in ROUTES:
            expected = "invalid_path"
        elif expected == "is_directory":
            expected = None
        if self.check(self.outcome("delete", path), expected):
            gone = [p for p in (*self.files, *self.folders) if f"{p}/".startswith(f"{path}/")]
            # What another route lies in is not this one's.
            gone = [p for p in gone if self.parents(p)[:1] == self.parents(path)[:1]]
            for one in gone:
                self.files.pop(one, None)
                self.folders.discard(one)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete_or_read_what_is_there(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.files)))
        assert self.now.read_bytes(path) == self.files[path]
        if data.draw(st.booleans()):
            self.now.delete(path)
            del self.files[path]

    @rule(at=PATHS, pattern=st.sampled_from(["*", "a*", ".*", "[ab]", "?b"]))
    def glob(self, at: tuple[str, Parts], pattern: str) -> None:
        path = "/".join([at[0], *at[1][:1]])
        expected = self.expected(path)
        if expected in ("is_directory", None):
            got = self.outcome("glob", pattern, path)
            self.check(got, None)
            below = [p for p in self.files if f"{p}/".startswith(f"{path}/")]
            names = {p: p.rsplit("/", 1)[1] for p in below}
            matching = [
                p
                for p, name in names.items()
                if fnmatch.fnmatchcase(name, pattern)
                and name.startswith(".") == pattern.startswith(".")
            ]
            assert [entry.path for entry in self.result.files] == sorted(matching)

    @rule(top=st.sampled_from(["/", *ROUTES]))
    def grep(self, top: str) -> None:
        self.check(self.outcome("grep", "needle", top), None)
        start = top if top == "/" else f"{top}/"
        expected = [p for p, d in self.files.items() if p.startswith(start) and b"needle" in d]
        assert [match.path for match in self.result.matches] == sorted(expected)
        assert not self.result.truncated

    @rule(
        at=PATHS,
        wrong=st.sampled_from(["/..", "/.", "//", "/../../outside/passwd", "\0", "/\ud800"]),
    )
    def no_path(self, at: tuple[str, Parts], wrong: str) -> None:
        path = "/".join([at[0], *at[1]]) + wrong
        for step in ("read", "write", "delete", "ls", "edit"):
            args = {"write": (b"x",), "edit": ("a", "b")}.get(step, ())
            assert self.outcome(step, path, *args) == "invalid_path"

    # -- after each ------------------------------------------------------------------------

    @invariant()
    def everything_is_listed(self) -> None:
        if not hasattr(self, "place"):
            return
        for folder in self.folders:
            below = [p for p in (*self.files, *self.folders) if p.rsplit("/", 1)[0] == folder]
            listing = self.now.ls(folder)
            assert [entry.path for entry in listing.entries] == sorted(set(below))
            for entry in listing.entries:
                assert entry.kind == ("file" if entry.path in self.files else "directory")
                assert entry.size == len(self.files.get(entry.path, b""))
        assert self.now.usage("/memories/hot/").bytes == self.hot() <= LIMIT
        assert os.listdir(self.place.outside) == ["passwd"]


Memory.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestMemory = pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")(
    Memory.TestCase
)
