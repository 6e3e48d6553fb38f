"""Random trees and random histories against a plain model."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cognition_jupyter.memory.snapshots.generations import list_generations, verify
from cognition_jupyter.memory.snapshots.manifest import (
    Entry,
    parse,
    quoted,
    quoted_path_of,
    skipped_line,
)
from cognition_jupyter.memory.snapshots.restore import ensure_restored, restore
from cognition_jupyter.memory.snapshots.take import take, thin

from .snapshot_support import Picture, hot_memory, picture, wipe

# As another user than root, a tree without rights can't even be pictured.
RIGHTS = 0 if os.geteuid() == 0 else 0o700
NAMES = (st.binary(min_size=1, max_size=255) | st.binary(min_size=1, max_size=3)).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
TIMES = st.integers(-(10**18), 4 * 10**18)
MODES = st.integers(0, 0o7777).map(lambda mode: mode | RIGHTS)
FILES = st.tuples(st.just("file"), MODES, TIMES, st.binary(max_size=40) | st.just(9000).map(bytes))
LINKS = st.tuples(
    st.just("link"), TIMES, st.binary(min_size=1, max_size=200).filter(lambda to: b"\0" not in to)
)
LEAVES = FILES | LINKS | st.tuples(st.just("directory"), MODES, TIMES, st.just({}))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(
        st.just("directory"), MODES, TIMES, st.dictionaries(NAMES, inner, max_size=5)
    ),
    max_leaves=25,
)


def build(path: bytes, node: Any) -> None:
    kind, *values = node
    if kind == "link":
        time, target = values
        os.symlink(target, path)
        os.utime(path, ns=(time, time), follow_symlinks=False)
        return
    mode, time, content = values
    if kind == "file":
        Path(os.fsdecode(path)).write_bytes(content)
    else:
        os.mkdir(path)
        for name, inner in content.items():
            build(path + b"/" + name, inner)
    os.chmod(path, mode)
    os.utime(path, ns=(time, time))


def without_special_bits(found: Picture) -> Picture:
    return {
        path: (entry[0], entry[1] & 0o777, *entry[2:])  # type: ignore[operator]
        if entry[0] != "link"
        else entry
        for path, entry in found.items()
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, TREES, max_size=6))
def test_any_tree_comes_back(tree: dict[bytes, Any]) -> None:
    with hot_memory() as hot:
        for name, node in tree.items():
            build(bytes(hot.ram) + b"/" + name, node)
        before = picture(hot.ram)
        taken = take(hot, "x")
        assert taken.created == bool(tree) and not taken.skipped
        assert picture(hot.ram) == before  # it only reads
        wipe(hot)
        restored = ensure_restored(hot)
        assert restored is not None and not restored.lost and not restored.recovered
        assert picture(hot.ram) == without_special_bits(before)
        assert restored.files == sum(entry[0] == "file" for entry in before.values())


@given(NAMES.map(os.fsdecode), NAMES.map(os.fsdecode))
def test_any_path_survives_its_line(path: str, why: str) -> None:
    line = skipped_line(path, why)
    assert line.isascii() and "\n" not in line
    assert parse(line) == Entry(path, "skipped", why=why)
    assert quoted_path_of(line) == quoted(path)


class History(RuleBasedStateMachine):
    """Changes, snapshots, restores and reboots; the model is a dictionary of paths."""

    PATHS = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "a/b/a", "b/a/b", "c"])
    CONTENT = st.binary(max_size=6) | st.sampled_from([b"x", b"y"]).map(lambda byte: byte * 5000)

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.hot = self.stack.enter_context(hot_memory())
        self.model: dict[str, Any] = {}
        self.generations: dict[int, dict[str, Any]] = {}

    def teardown(self) -> None:
        self.stack.close()

    @initialize()
    def begin(self) -> None:
        self.model = {}

    def _make_room(self, path: str) -> Path:
        """Directories above `path`, nothing at it; in the tree and in the model."""
        parts = path.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            if self.model.get(above) != "directory":
                self._remove(above)
                (self.hot.ram / above).mkdir()
                self.model[above] = "directory"
        self._remove(path)
        return self.hot.ram / path

    def _remove(self, path: str) -> None:
        if path in self.model:
            place = self.hot.ram / path
            shutil.rmtree(place) if self.model[path] == "directory" else place.unlink()
        for key in [key for key in self.model if f"{key}/".startswith(f"{path}/")]:
            del self.model[key]

    @rule(path=PATHS, content=CONTENT)
    def write(self, path: str, content: bytes) -> None:
        if not isinstance(self.model.get(path), bytes):
            self._make_room(path)
        (self.hot.ram / path).write_bytes(content)
        self.model[path] = content

    @rule(path=PATHS, content=CONTENT)
    def replace(self, path: str, content: bytes) -> None:
        new = self.hot.ram / "new"
        new.write_bytes(content)
        new.rename(self._make_room(path))
        self.model[path] = content

    @rule(path=PATHS)
    def make_directory(self, path: str) -> None:
        self._make_room(path).mkdir()
        self.model[path] = "directory"

    @rule(path=PATHS, to=st.sampled_from(["/etc/passwd", "..", "a"]))
    def make_link(self, path: str, to: str) -> None:
        self._make_room(path).symlink_to(to)
        self.model[path] = ("link", to)

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        self._remove(path)

    @rule(thorough=st.booleans(), full_every=st.integers(1, 4))
    def snapshot(self, thorough: bool, full_every: int) -> None:
        newest = max(self.generations, default=None)
        taken = take(self.hot, "x", thorough=thorough, full_every=full_every)
        if taken.created:
            assert taken.generation == (newest or 0) + 1
            self.generations[taken.generation] = dict(self.model)
        else:
            # Whatever the model says has changed, a snapshot must have seen.
            assert taken.generation == newest
            assert self.model == (self.generations[newest] if newest else {})

    @precondition(lambda self: self.generations)
    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.generations)))
        newest = max(self.generations)
        restored, before = restore(self.hot, number)
        assert not restored.lost and not restored.recovered and restored.unsaved is None
        if before.created:
            newest += 1
            self.generations[newest] = dict(self.model)
        assert before.generation == newest and self.generations[newest] == self.model
        self.model = dict(self.generations[number])
        # As in `snapshot`: what differs in its times only is a generation as well, or is not.
        if newest + 1 in (made.number for made in list_generations(self.hot.disk)):
            self.generations[newest + 1] = dict(self.model)
        else:
            assert self.model == self.generations[newest]

    @rule()
    def reboot(self) -> None:
        wipe(self.hot)
        assert ensure_restored(self.hot) is not None
        newest = max(self.generations, default=None)
        self.model = dict(self.generations[newest]) if newest else {}

    @rule(keep=st.integers(1, 5))
    def make_thin(self, keep: int) -> None:
        for number in thin(self.hot, keep):
            del self.generations[number]

    @invariant()
    def tree_is_the_model(self) -> None:
        found: dict[str, Any] = {}
        for path, entry in picture(self.hot.ram).items():
            last = entry[-1]
            if isinstance(last, bytes):
                found[os.fsdecode(path)] = last if entry[0] == "file" else ("link", last.decode())
            else:
                found[os.fsdecode(path)] = "directory"
        assert found == self.model

    @invariant()
    def generations_are_whole(self) -> None:
        numbers = [s.number for s in list_generations(self.hot.disk) if not s.damaged]
        assert sorted(numbers) == sorted(self.generations)
        if numbers:
            assert verify(self.hot.disk, numbers[0]) == []


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
