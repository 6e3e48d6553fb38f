"""From a project's creation to its deletion, day by day, by a clock that the test holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from traitlets import TraitError

from cognition_jupyter.core import Cognition
from cognition_jupyter.exceptions import NotFound

from .life import Life, date_file

SECOND = timedelta(seconds=1)


@pytest.fixture
def life() -> Iterator[Life]:
    made = Life()
    yield made
    made.close()


def test_day_by_day_from_creation_to_deletion(life: Life) -> None:
    life.now = life.now.replace(hour=12, minute=0, second=0, microsecond=0)
    born = life.now
    project_id = life.create()
    for day in range(40):
        life.now = born + timedelta(days=day)
        life.check()
        expected = "root" if day < 30 else "trash" if day < 37 else "gone"
        assert life.place(project_id) == expected, day
    warnings = life.events("cleanup", "warning", project_id)
    due = (born + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    assert [e.data["cleanup_in_days"] for e in warnings] == [3, 2, 1]
    assert {e.data["cleanup_at"] for e in warnings} == {due}
    assert all(due in e.data["message"] for e in warnings)
    (trashed,) = life.events("project", "trashed", project_id)
    (deleted,) = life.events("project", "deleted", project_id)
    assert trashed.data["reason"] == "cleanup" and deleted.data["reason"] == "retention"
    assert {trashed.actor, deleted.actor} == {"server"}


def test_not_a_second_before(life: Life) -> None:
    project_id = life.create(cleanup_after_days=1)
    due = life.cleanup_at(project_id)
    assert due is not None
    life.now = due - SECOND
    life.check()
    assert life.place(project_id) == "root"
    assert life.run(life.projects.details(project_id))["cleanup_in_days"] == 1
    life.now = due
    life.check()
    assert life.place(project_id) == "trash"
    life.now = due + timedelta(days=7) - SECOND
    life.check()
    assert life.place(project_id) == "trash"
    life.now += SECOND
    life.check()
    assert life.place(project_id) == "gone"


def test_the_clock_looks_when_something_is_due_and_not_before(life: Life) -> None:
    def rounds() -> int:
        return len(life.events("cleanup", "finished"))

    def tick() -> int:
        life.run(life.cognition.cleanup.run_if_due())
        return rounds()

    born = life.now = life.now.replace(hour=12, minute=0, second=0, microsecond=0)
    project_id = life.create(cleanup_after_days=5)
    assert tick() == 1 and tick() == 1
    life.now = born + timedelta(days=1) - SECOND
    assert tick() == 1
    life.now += SECOND
    assert tick() == 2  # every 24 hours
    life.now = born + timedelta(days=4, hours=6)
    assert tick() == 3
    life.now = born + timedelta(days=5) - SECOND
    assert tick() == 4  # it is another day, and the project is to be warned of
    assert tick() == 4 and life.place(project_id) == "root"
    life.now += SECOND
    assert tick() == 5 and life.place(project_id) == "trash"
    life.now -= timedelta(days=3)
    assert tick() == 6  # whatever a clock that jumps may mean
    assert tick() == 6


def test_warned_once_a_day_however_often_and_by_whom(life: Life) -> None:
    project_id = life.create(cleanup_after_days=2)
    for _ in range(3):
        life.check()
    life.restart()
    life.check()
    assert len(life.events("cleanup", "warning", project_id)) == 1
    life.pass_by(days=1)
    life.check()
    assert len(life.events("cleanup", "warning", project_id)) == 2


@pytest.mark.parametrize("what", ["extend", "patch", "session", "file", "memory", "persistent"])
def test_what_counts_as_use_moves_the_date(life: Life, what: str) -> None:
    project_id = life.create()
    life.pass_by(days=29)
    if what == "extend":
        life.extend(project_id, days=29)
    elif what == "session":
        life.stop(project_id, life.start(project_id))
    elif what == "file":
        life.edit(project_id, "deep/er/file")
    elif what == "memory":
        life.run(life.cognition.memories.put(project_id, "/memories/hot/a", b"x"))
    elif what == "persistent":
        path = life.store.paths(project_id).persistent
        (path / "note").write_text("x")
        date_file(path / "note", life.now)
    else:
        life.run(life.store.change(project_id, lambda m: setattr(m, "last_accessed", life.now)))
    used = life.now
    life.pass_by(days=1)
    life.check()
    assert life.place(project_id) == "root"
    assert life.cleanup_at(project_id) == used + timedelta(days=30)
    life.now = used + timedelta(days=30) - SECOND
    life.check()
    assert life.place(project_id) == "root"
    life.now += 2 * SECOND
    life.check()
    assert life.place(project_id) == "trash"


def test_a_folder_that_was_emptied_was_used(life: Life) -> None:
    project_id = life.create()
    life.edit(project_id, "folder/file", life.now - timedelta(days=1))
    folder = life.store.paths(project_id).repo / "folder"
    life.pass_by(days=30)
    (folder / "file").unlink()
    date_file(folder, life.now - SECOND)
    life.check()
    assert life.place(project_id) == "root"


def test_files_of_the_future_and_old_ones_say_nothing(life: Life) -> None:
    project_id = life.create()
    life.edit(project_id, "old", life.now - timedelta(days=1000))
    life.edit(project_id, "future", life.now + timedelta(days=1000))
    life.pass_by(days=30)
    life.check()
    assert life.place(project_id) == "trash"


def test_pinned_projects_and_those_with_a_session_stay(life: Life) -> None:
    pinned, live = life.create(), life.create()
    life.extend(pinned, pin=True)
    session = life.start(live)
    life.pass_by(days=365)
    life.check()
    assert life.place(pinned) == life.place(live) == "root"
    assert not life.events("cleanup", "warning")
    life.stop(live, session)
    life.extend(pinned, pin=False)  # long past its date: it is warned of before it goes
    for project_id in (pinned, live):
        assert life.cleanup_at(project_id) == life.now + timedelta(days=30)
    life.pass_by(days=30)
    life.check()
    assert life.place(pinned) == life.place(live) == "trash"


def test_a_clock_that_jumps_back_loses_nothing(life: Life) -> None:
    project_id = life.create()
    life.pass_by(days=29)
    life.now -= timedelta(days=1000)
    life.check()
    assert life.place(project_id) == "root"
    life.now += timedelta(days=1001)
    life.check()
    assert life.place(project_id) == "trash"
    life.now -= timedelta(days=500)
    life.check()
    assert life.place(project_id) == "trash"  # for as long as the clock is wrong


def test_the_setting_counts_that_holds_now(life: Life) -> None:
    own, default = life.create(cleanup_after_days=20), life.create()
    life.settings = {"cleanup_after_days": 10, "trash_retention_days": 2}
    life.restart()
    life.pass_by(days=10)
    life.check()
    assert (life.place(own), life.place(default)) == ("root", "trash")
    life.pass_by(days=2)
    life.check()
    assert (life.place(own), life.place(default)) == ("root", "gone")


def test_disabled_means_never_and_says_so(life: Life) -> None:
    project_id, trashed = life.create(), life.create()
    life.run(life.cognition.removal.trash(trashed))
    life.settings = {"project_cleanup_enabled": False}
    life.restart()
    details = life.run(life.projects.details(project_id))
    assert details["cleanup_at"] is details["cleanup_in_days"] is None
    life.pass_by(days=1000)
    life.check()
    assert life.place(project_id) == "root" and not life.events("cleanup", "warning")
    assert life.place(trashed) == "gone"  # what somebody has deleted is another matter


def test_a_dry_run_says_what_would_happen_and_changes_nothing(life: Life) -> None:
    due, near, used, old = (life.create() for _ in range(4))
    life.run(life.cognition.removal.trash(old))
    life.pass_by(days=28)
    for project_id in (near, used):
        life.run(life.store.change(project_id, lambda m: setattr(m, "last_accessed", life.now)))
    life.pass_by(days=28)
    life.edit(used)
    before = {one: life.metadata(one) for one in (due, near, used)}
    told = len(life.told)
    done = life.check(dry=True).document
    assert {one: life.metadata(one) for one in before} == before
    assert len(life.told) == told and life.place(due) == "root" and life.place(old) == "trash"
    names = {kind: [case["project_id"] for case in cases] for kind, cases in done.items()}
    assert names == {"trashed": [due], "warned": [near], "deleted": [old], "failed": []}
    assert "kept for 30 days" in done["trashed"][0]["why"]
    real = life.check().document
    assert real == done


def test_memory_goes_to_the_trash_with_the_project_and_comes_back(life: Life) -> None:
    project_id = life.create()
    life.run(life.cognition.memories.put(project_id, "/memories/hot/a", b"only in RAM"))
    life.pass_by(days=30)
    life.check()
    assert life.place(project_id) == "trash"
    assert project_id not in life.run(life.cognition.hot.in_ram())
    life.run(life.cognition.removal.restore(project_id))
    life.run(life.cognition.hot.ensure(project_id))
    assert (life.cognition.ram.hot(project_id) / "a").read_bytes() == b"only in RAM"
    life.check()
    assert life.cleanup_at(project_id) == life.now + timedelta(days=30)


def test_what_can_t_be_kept_is_not_lost_to_a_timer(life: Life) -> None:
    stays, goes = life.create(), life.create()
    life.run(life.cognition.hot.ensure(stays))
    os.mkfifo(life.cognition.ram.hot(stays) / "fifo")
    life.pass_by(days=30)
    done = life.check()
    assert (life.place(stays), life.place(goes)) == ("root", "trash")
    (case,) = done.failed
    assert case.project_id == stays and "can't be kept" in case.why
    (failed,) = life.events("cleanup", "failed", stays)
    assert failed.data["code"] == "memory_not_kept"


def test_a_broken_project_is_never_cleaned_up(life: Life) -> None:
    project_id = life.create()
    path = life.store.directory.path / project_id / ".project_metadata.json"
    path.write_text(path.read_text()[:-20])
    life.pass_by(days=1000)
    life.check()
    assert life.place(project_id) == "root"


def test_somebody_is_quicker(life: Life) -> None:
    """Between the list of what is due and the rename anything may have happened."""
    project_id = life.create()
    life.pass_by(days=30)
    life.start(project_id)
    wanted = life.cognition.cleanup._is_due
    assert life.run(life.cognition.removal.trash(project_id, "cleanup", wanted)) is False
    assert life.place(project_id) == "root"
    with pytest.raises(NotFound):
        life.run(life.cognition.removal.restore(project_id[:-8] + "00000000"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PROJECT_CLEANUP_ENABLED", "perhaps"),
        ("PROJECT_CLEANUP_WARNING_DAYS", "-1"),
        ("PROJECT_CLEANUP_WARNING_DAYS", "soon"),
        ("PROJECT_CLEANUP_CHECK_INTERVAL", "0"),
        ("PROJECT_CLEANUP_CHECK_INTERVAL", "1e9"),
    ],
)
def test_a_wrong_setting_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(TraitError, match=variable):
        Cognition(tmp_path).open()


def test_the_variables_of_the_original_system_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROJECT_CLEANUP_WARNING_DAYS", "5")
    monkeypatch.setenv("PROJECT_CLEANUP_CHECK_INTERVAL", "60")
    monkeypatch.setenv("PROJECT_CLEANUP_ENABLED", "false")
    life = Life()
    try:
        cleanup = life.cognition.cleanup
        assert cleanup.project_cleanup_warning_days == 5
        assert cleanup.project_cleanup_check_interval == 60
        assert life.store.project_cleanup_enabled is False
    finally:
        life.close()


def test_a_time_at_the_end_of_time_in_the_trash_keeps_nobody(life: Life) -> None:
    edited, other = life.create(), life.create()
    for project_id in (edited, other):
        life.run(life.cognition.removal.trash(project_id))
    path = life.store.directory.trash / edited / ".project_metadata.json"
    ahead = {"trashed_at": "9999-12-31T00:00:00.000000Z"}
    path.write_text(json.dumps(json.loads(path.read_text()) | ahead))
    rows = life.run(life.projects.select(None, [], "trashed", 10, 0))["projects"]
    assert [row["deletion_at"][:4] for row in rows if row["project_id"] == edited] == ["9999"]
    life.pass_by(days=7)
    life.check()
    assert (life.place(edited), life.place(other)) == ("trash", "gone")


def test_unpinned_on_the_last_day_it_goes_at_its_time_all_the_same(life: Life) -> None:
    project_id = life.create(cleanup_after_days=2)
    life.extend(project_id, pin=True)
    life.pass_by(days=1, hours=20)
    life.run(life.cognition.cleanup.run_if_due())
    life.extend(project_id, pin=False)
    life.pass_by(hours=4)
    life.run(life.cognition.cleanup.run_if_due())
    assert life.place(project_id) == "trash"


def test_a_dry_run_does_not_say_in_the_log_that_it_was_done(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.create()
    life.pass_by(days=30)
    caplog.set_level("INFO")
    life.check(dry=True)
    assert "was moved" not in caplog.text
    life.check()
    assert "was moved" in caplog.text


@pytest.mark.parametrize("kind", ["symlink", "file", "missing"])
def test_a_workspace_that_is_none_keeps_no_project(life: Life, kind: str) -> None:
    project_id = life.create()
    repo = life.store.paths(project_id).repo
    repo.rmdir()
    if kind == "symlink":
        repo.symlink_to("/usr")
    elif kind == "file":
        repo.write_text("x")
    life.pass_by(days=30)
    assert not life.check().failed and life.place(project_id) == "trash"
