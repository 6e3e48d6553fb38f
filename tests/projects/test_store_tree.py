"""Removing and giving away trees whose content is hostile."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import CognitionError, NotFound
from cognition_jupyter.models import CreateProject, Metadata
from cognition_jupyter.projects.stage import ProjectPaths
from cognition_jupyter.projects.tree import give_tree, remove_tree

from .store_support import Worker, create, get, ids, leftovers, on_disk, opened, run, select


def chain(directory: Path, depth: int, name: str = "d") -> None:
    """So many directories, one in the other: longer than any path may be."""
    fd = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(fd)
        fd = below
    os.close(fd)


def read_only(directory: Path) -> None:
    for mode in (0o555, 0o444, 0o111, 0o000):
        inner = directory / f"m{mode:o}" / "inner" / "most"
        inner.mkdir(parents=True)
        (inner / "file").write_text("text")
        (inner / "file").chmod(0)
        for path in (inner, inner.parent, inner.parent.parent):
            path.chmod(mode)


def strange_names(directory: Path) -> None:
    for name in (b"new\nline", b"\xff\xfe", b" ", b"-rf", b"a" * 255, b"*", "\N{SNOWMAN}".encode()):
        os.mkdir(os.fsencode(directory) + b"/" + name)
        for inner in (b"\xff\n", b"x"):
            Path(os.fsdecode(os.fsencode(directory) + b"/" + name + b"/" + inner)).touch()


def special_files(directory: Path) -> None:
    os.mkfifo(directory / "fifo")
    (directory / "sparse").touch()
    os.truncate(directory / "sparse", 1 << 40)
    os.link(directory / "sparse", directory / "hard")
    (directory / "loop").symlink_to("loop")
    (directory / "up").symlink_to("..")


def wide(directory: Path) -> None:
    for number in range(300):
        (directory / f"d{number}" / "e").mkdir(parents=True)
        (directory / f"d{number}" / "e" / "file").touch()


TREES: dict[str, Callable[[Path], None]] = {
    "empty": lambda directory: None,
    "1,000 deep": lambda directory: chain(directory, 1000),
    "10,000 deep": lambda directory: chain(directory, 10_000),
    "deep with long names": lambda directory: chain(directory, 300, "n" * 255),
    "read-only": read_only,
    "strange names": strange_names,
    "special files": special_files,
    "wide": wide,
}


@pytest.mark.parametrize("kind", TREES)
def test_a_hostile_project_can_be_deleted(tmp_path: Path, kind: str) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        TREES[kind](store.paths(project_id).repo)
        descriptors = len(os.listdir("/proc/self/fd"))
        run(store.trash.delete(project_id))
        assert on_disk(tmp_path) == set() and leftovers(tmp_path) == []
        assert len(os.listdir("/proc/self/fd")) <= descriptors


def test_it_works_for_a_user_that_permissions_hold_for(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("every other test is this one, for a user that is not root")
    base = Path("/tmp") / f"cognition-test-{os.getpid()}"
    base.mkdir()
    try:
        for number, make in enumerate((read_only, strange_names, special_files, wide)):
            (base / str(number) / "tree").mkdir(parents=True)
            make(base / str(number) / "tree")
        (base / "4" / "tree").mkdir(parents=True)
        chain(base / "4" / "tree", 1500)
        for number in range(5):
            give_tree(base / str(number), 65534, 65534)
        (base / "0" / "tree").chmod(0)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                for number in range(5):
                    remove_tree(base / str(number) / "tree")
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert [list((base / str(number)).iterdir()) for number in range(5)] == [[]] * 5
    finally:
        shutil.rmtree(base)


def test_links_are_removed_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "file").write_text("precious")
    (outside / "deep").chmod(0o500)
    with opened(tmp_path / "root") as store:
        project_id = create(store)
        repo = store.paths(project_id).repo
        (repo / "dir").mkdir()
        for place in (repo, repo / "dir"):
            (place / "to-dir").symlink_to(outside)
            (place / "to-file").symlink_to(outside / "deep" / "file")
            (place / "to-root").symlink_to("/")
        run(store.trash.delete(project_id))
    assert (outside / "deep" / "file").read_text() == "precious"
    assert (outside / "deep").stat().st_mode & 0o777 == 0o500
    (tmp_path / "link").symlink_to(outside)
    remove_tree(tmp_path / "link")
    assert not os.path.lexists(tmp_path / "link") and (outside / "deep" / "file").exists()
    remove_tree(tmp_path / "nothing")
    remove_tree(tmp_path / "nothing" / "below")
    (tmp_path / "file").write_text("")
    remove_tree(tmp_path / "file")
    assert not (tmp_path / "file").exists()


def test_two_may_remove_the_same_tree(tmp_path: Path) -> None:
    for _ in range(5):
        tree = tmp_path / "tree"
        tree.mkdir()
        wide(tree)
        chain(tree, 50)
        errors: list[BaseException] = []

        def remove(tree: Path = tree, errors: list[BaseException] = errors) -> None:
            try:
                remove_tree(tree)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=remove) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == [] and not tree.exists()


def test_one_who_still_writes_is_outlasted_or_the_end_is_an_error(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    wide_enough = time.monotonic() + 0.3
    tree.mkdir()

    def write() -> None:
        number = 0
        while time.monotonic() < wide_enough:
            number += 1
            try:
                (tree / f"n{number}").mkdir()
            except FileNotFoundError:
                return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        remove_tree(tree)
    except OSError:
        writer.join()
        remove_tree(tree)
    writer.join()
    assert not tree.exists()


def test_what_can_not_be_removed_does_not_come_back(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        stuck = store.paths(project_id).repo / "stuck"
        stuck.mkdir()
        mount = ["mount", "-t", "tmpfs", "none", str(stuck)]
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("may not mount here")
        with pytest.raises(CognitionError, match="is deleted, but files of it remain") as caught:
            run(store.trash.delete(project_id))
        assert caught.value.code == "files_remain"
        assert ids(store) == []
        with pytest.raises(NotFound):
            get(store, project_id)
        (rest,) = (tmp_path / ".cognition" / "deleting").iterdir()
        for path in rest.rglob("*"):
            if path.is_mount():
                subprocess.run(["umount", str(path)], check=True)
        store.recover()
        assert leftovers(tmp_path) == []


def test_a_deep_clone_is_given_to_the_sessions_user(tmp_path: Path) -> None:
    async def populate(paths: ProjectPaths, metadata: Metadata) -> None:
        chain(paths.repo, 1500)
        read_only(paths.repo)
        (paths.repo / "link").symlink_to(tmp_path)

    with opened(tmp_path / "root") as store:
        made = run(store.create(CreateProject(user_prefix="deep"), populate))
        repo = store.paths(made.project_id).repo
        owner = tmp_path.stat().st_uid
        fd = os.open(repo, os.O_RDONLY)
        for _ in range(1500):
            assert os.fstat(fd).st_uid == store.user[0]
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        assert os.stat("file", dir_fd=fd).st_uid == store.user[0]
        os.close(fd)
        assert (repo / "link").lstat().st_uid == store.user[0]
        assert tmp_path.stat().st_uid == owner
    remove_tree(tmp_path / "root")  # pytest can't


def test_a_full_disk_spoils_nothing(tmp_path: Path) -> None:
    """Reading and deleting go on; what can't be written leaves everything as it was."""
    root = tmp_path / "root"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(root)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    try:
        with opened(root) as store:
            made = {create(store, f"p{number}", description="before") for number in range(5)}
            target = sorted(made)[0]
            big = store.paths(target).repo / "big"
            with pytest.raises(OSError), big.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            for _ in range(20):
                with pytest.raises(Exception):  # noqa: B017
                    create(store, "more")
                with pytest.raises(Exception):  # noqa: B017
                    change = {"description": "x" * 2000}
                    run(store.change(target, lambda m, c=change: m.__dict__.update(c)))
            assert set(ids(store)) == made == on_disk(root)
            assert get(store, target).description == "before"
            run(store.trash.delete(target))
            assert set(ids(store)) == made - {target} == on_disk(root)
            create(store, "room")
            other = sorted(made)[1]
            with Worker(root) as worker:  # our index may still be one in memory
                assert worker.call("describe", project_id=other, description="after") is True
            found = {entry.project_id: entry.metadata for entry in select(store)}[other]
            assert found is not None and found.description == "after"
            assert leftovers(root) == []
    finally:
        subprocess.run(["umount", str(root)], check=True)
