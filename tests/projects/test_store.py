"""What the store promises to one process that behaves."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from cognition_jupyter.exceptions import (
    Conflict,
    InvalidInput,
    NotFound,
)
from cognition_jupyter.models import (
    CreateProject,
    Metadata,
    PatchProject,
    utcnow,
)

from .store_support import (
    METADATA,
    create,
    get,
    ids,
    leftovers,
    on_disk,
    opened,
    projects_of,
    run,
    session,
    snapshot,
)

SUMMARY = {
    "project_id",
    "user_prefix",
    "description",
    "tags",
    "created_at",
    "last_accessed",
    "total_sessions",
    "active_sessions",
    "status",
    "cleanup_in_days",
    "cleanup_at",
    "pinned",
    "has_memories",
    "contents_path",
    "trusted",
}
DETAILS = {"config", "statistics", "sessions", "workspace_path", "network_mode"}


def test_a_new_project_is_whole(tmp_path: Path) -> None:
    with opened(tmp_path / "root") as store:
        made = run(
            projects_of(store).create(
                CreateProject(
                    user_prefix="my-api",
                    network_mode="ON",
                    tags=["a", "b"],
                    description="Two\nlines",
                    cleanup_after_days=7,
                    agent_model="small",
                    container_image="python:3",
                    keep_packages=False,
                )
            )
        )
        assert made.keys() >= SUMMARY | DETAILS
        assert made == run(projects_of(store).details(made["project_id"]))
        assert made["user_prefix"] == "my-api" and made["status"] == "idle"
        assert made["tags"] == ["a", "b"] and made["description"] == "Two\nlines"
        assert made["network_mode"] == made["config"]["network_mode"] == "ON"
        assert made["config"]["agent_model"] == "small"
        assert made["config"]["container_image"] == "python:3"
        assert made["config"]["keep_packages"] is False
        assert made["cleanup_in_days"] == 7 and made["pinned"] is False
        assert made["sessions"] == [] and made["statistics"]["total_sessions"] == 0
        assert made["created_at"].endswith("Z")
        project = store.paths(made["project_id"])
        assert made["workspace_path"] == str(project.repo)
        for part in ("repo", ".memories/hot", ".memories/persistent", ".deps", ".agent", ".logs"):
            assert stat.S_IMODE((project.project / part).stat().st_mode) == 0o700
        assert stat.S_IMODE(project.project.stat().st_mode) == 0o700
        assert stat.S_IMODE((project.project / METADATA).stat().st_mode) == 0o600
        assert project.repo.stat().st_uid == store.user[0] != 0
        assert leftovers(tmp_path / "root") == []


def test_a_row_of_the_list_has_the_summary(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        listing = run(projects_of(store).select(None, [], None, 100, 0))
        assert listing["total"] == 1
        (row,) = listing["projects"]
        assert row.keys() == SUMMARY
        assert row["contents_path"] == f"work/{project_id}/repo"
        assert row["has_memories"] is False
        (store.paths(project_id).persistent / "note").write_text("remember")
        (row,) = run(projects_of(store).select(None, [], None, 100, 0))["projects"]
        assert row["has_memories"] is True


def test_update_changes_what_it_names_and_counts_as_access(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        project_id = create(store, tags=["old"], description="before", container_image="a")
        before = run(projects.details(project_id))
        assert run(projects.details(project_id)) == before  # reading is no access
        after = run(projects.patch(project_id, PatchProject(tags=["new"], container_image=None)))
        assert after["tags"] == ["new"] and after["description"] == "before"
        assert after["config"]["container_image"] is None
        assert after["last_accessed"] > before["last_accessed"]
        assert after["created_at"] == before["created_at"]
        for name in ("description", "tags", "network_mode", "keep_packages"):
            with pytest.raises(InvalidInput, match=f"^{name}: null"):
                run(projects.patch(project_id, PatchProject.model_validate({name: None})))
        assert run(projects.details(project_id)) == after


def test_delete_moves_to_the_trash_and_permanent_removes(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        projects = projects_of(store)
        one, two = create(store, "one", tags=["x"]), create(store, "two")
        (store.paths(one).persistent / "note").write_text("remember")
        run(store.trash.put(one))
        run(store.trash.delete(two))
        assert ids(store) == [] and on_disk(tmp_path) == set()
        assert [path.name for path in (tmp_path / ".trash").iterdir()] == [one]
        for gone in (one, two):
            with pytest.raises(NotFound):
                get(store, gone)
        with pytest.raises(NotFound):
            run(store.trash.put(two))
        with pytest.raises(Conflict, match="in the trash already"):
            run(store.trash.put(one))
        trash = run(projects.select("on", ["x"], "trashed", 100, 0))
        assert trash["total"] == 1
        (row,) = trash["projects"]
        assert row["project_id"] == one and row["status"] == "trashed"
        assert row["has_memories"] is True and row["contents_path"] is None
        assert run(projects.select("two", [], "trashed", 100, 0))["total"] == 0
        assert leftovers(tmp_path) == []


def test_delete_refuses_live_sessions_and_a_name_that_is_in_the_trash(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        run(store.open_session(project_id, session("s1"), 0, 0))
        before = snapshot(tmp_path)
        for permanent in (False, True):
            with pytest.raises(Conflict) as caught:
                run((store.trash.delete if permanent else store.trash.put)(project_id))
            assert caught.value.code == "active_sessions"
        assert snapshot(tmp_path) == before
        run(store.change(project_id, end_all))
        (tmp_path / ".trash" / project_id).mkdir()
        with pytest.raises(Conflict) as caught:
            run(store.trash.put(project_id))
        assert caught.value.code == "in_trash"
        run(store.trash.delete(project_id))
        assert ids(store) == []


def end_all(metadata: Metadata) -> None:
    for record in metadata.live_sessions:
        record.ended_at = utcnow()


def test_the_list_filters_sorts_and_pages(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        api1 = create(store, "api", tags=["red", "blue"])
        api2 = create(store, "api-two", tags=["blue"])
        web = create(store, "web", tags=["green", "a\"b,[']"])
        odd = create(store, "web", tags=["re"])
        (tmp_path / "lost-00000000").mkdir()
        run(store.open_session(api2, session("s"), 0, 0))
        run(store.change(web, lambda metadata: setattr(metadata, "pinned", True)))
        everything = [api2, odd, web, api1, "lost-00000000"]
        assert ids(store) == everything  # newest access first; to pin is no access
        assert ids(store, prefix="api") == [api2, api1]
        assert ids(store, prefix="") == everything
        assert ids(store, prefix="%") == ids(store, prefix="API") == []
        assert ids(store, tags=["blue"]) == [api2, api1]
        assert ids(store, tags=["red", "green"]) == [web, api1]
        assert ids(store, tags=["a\"b,[']"]) == [web]
        assert ids(store, tags=["r", "BLUE", "%"]) == []
        assert ids(store, tags=["re"] * 40_000) == [odd]
        assert ids(store, status="active") == [api2]
        assert ids(store, status="idle") == ids(store, status="resumable") == [odd, web, api1]
        assert ids(store, status="pinned") == [web]
        assert ids(store, status="broken") == ["lost-00000000"]
        assert ids(store, prefix="api", tags=["blue"], status="idle") == [api1]
        for limit, offset in ((2, 0), (2, 2), (2, 4), (0, 0), (100, 99)):
            entries, total = run(store.select(limit=limit, offset=offset))
            assert total == 5
            assert [e.project_id for e in entries] == everything[offset : offset + limit]


def test_the_trash_filters_and_pages(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        made = [create(store, "a" if n % 2 else "b", tags=[f"t{n}"]) for n in range(5)]
        for project_id in made:
            run(store.trash.put(project_id))
        (tmp_path / ".trash" / "junk").write_text("")
        (tmp_path / ".trash" / "lost-00000000").mkdir()

        def trash(prefix: str | None, tags: list[str], limit: int, offset: int) -> list[str]:
            return [e.project_id for e in run(store.trash.select(prefix, tags, limit, offset))[0]]

        assert trash(None, [], 100, 0) == [*made[::-1], "lost-00000000"]
        assert trash("a", [], 100, 0) == [made[3], made[1]]
        assert trash(None, ["t0", "t4"], 100, 0) == [made[4], made[0]]
        assert trash(None, [], 2, 1) == [made[3], made[2]]
        assert run(store.trash.select(None, [], 1, 0))[1] == 6
        row = run(projects_of(store).select("lost", [], "trashed", 1, 0))["projects"][0]
        assert row["status"] == "broken" and "can't be read" in row["reason"]


def test_resumable_projects_tell_of_their_last_session(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        used, busy, fresh = create(store, "used"), create(store, "busy"), create(store, "fresh")
        record = session("s1")
        run(store.open_session(used, record, 0, 0))
        run(store.open_session(busy, session("s2"), 0, 0))

        def end(metadata: Metadata) -> None:
            metadata.sessions[0].ended_at = record.started_at + timedelta(seconds=90)
            metadata.statistics.total_messages = 7

        run(store.change(used, end))
        answer = run(projects_of(store).resumable())
        assert answer["total"] == 2 and "2 projects" in answer["message"]
        rows = {row["project_id"]: row for row in answer["sessions"]}
        assert set(rows) == {used, fresh}
        assert rows[used]["last_session_duration_seconds"] == 90
        assert rows[used]["total_messages"] == 7
        assert rows[fresh]["last_session_duration_seconds"] is None
        assert rows[used]["workspace_path"] == str(store.paths(used).repo)
        assert rows[used].keys() == {
            "project_id",
            "user_prefix",
            "last_accessed",
            "last_session_duration_seconds",
            "total_messages",
            "workspace_path",
            "has_memories",
            "cleanup_in_days",
            "pinned",
        }


# -- sessions ------------------------------------------------------------------------------


def test_sessions_count_and_only_the_newest_fifty_are_kept(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        created = get(store, project_id).last_accessed

        def add(metadata: Metadata) -> None:
            for number in range(60):
                record = session(f"old-{number}")
                if number:  # the oldest of all is still at work
                    record.ended_at = utcnow()
                metadata.sessions.append(record)

        run(store.change(project_id, add))
        metadata = run(store.open_session(project_id, session("last"), 0, 0))
        kept = [record.session_id for record in metadata.sessions]
        assert kept == ["old-0", *(f"old-{n}" for n in range(12, 60)), "last"]
        assert [r.session_id for r in metadata.live_sessions] == ["old-0", "last"]
        assert metadata.statistics.total_sessions == 1
        assert metadata.last_accessed > created
        (row,) = run(projects_of(store).select(None, [], None, 100, 0))["projects"]
        assert row["status"] == "active" and row["active_sessions"] == 2
        details = run(projects_of(store).details(project_id))
        assert len(details["sessions"]) == 50
        assert details["sessions"][0]["session_id"] == "last"  # newest first
        assert run(store.projects_with_live_sessions()) == [project_id]


def test_session_limits(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        one, two = create(store, "one"), create(store, "two")
        run(store.open_session(one, session("a"), 2, 1))
        with pytest.raises(Conflict, match="1 live sessions") as caught:
            run(store.open_session(one, session("b"), 2, 1))
        assert caught.value.code == "session_limit"
        run(store.open_session(two, session("c"), 2, 1))
        with pytest.raises(Conflict, match="at most 2 sessions"):
            run(store.open_session(two, session("d"), 2, 0))
        run(store.open_session(two, session("e"), 0, 0))
        with pytest.raises(NotFound):
            run(store.open_session("none-00000000", session("f"), 0, 0))
        run(store.change(one, end_all))
        run(store.change(two, end_all))
        run(store.open_session(one, session("b"), 2, 1))


def test_a_project_limit_counts_what_is_there_now(tmp_path: Path) -> None:
    with opened(tmp_path, max_projects=2) as store:
        one, two = create(store, "one"), create(store, "two")
        with pytest.raises(Conflict, match="at most 2 projects") as caught:
            create(store, "three")
        assert caught.value.code == "project_limit"
        (tmp_path / two).rename(tmp_path.parent / "elsewhere")  # by hand
        three = create(store, "three")
        run(store.trash.put(one))
        (tmp_path.parent / "elsewhere").rename(tmp_path / two)
        with pytest.raises(Conflict):
            create(store, "four")
        assert on_disk(tmp_path) == {two, three}
        assert leftovers(tmp_path) == []
