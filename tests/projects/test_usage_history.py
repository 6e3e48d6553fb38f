"""The history of a project's use: what counts on which day, and how much of it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cognition_jupyter.kernels.records import SessionRecords, close_record
from cognition_jupyter.models import USAGE_DAYS, Metadata, UsageDay, UsageHistory, format_time

from .store_support import create, edit, get, opened, run, select, session

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def seconds(history: UsageHistory) -> dict[str, float]:
    return {date: day.seconds for date, day in history.days.items()}


def test_time_is_split_at_midnight() -> None:
    history = UsageHistory()
    history.add_time(NOON, NOON + timedelta(days=2, hours=1))
    assert seconds(history) == {"2026-03-01": 43200, "2026-03-02": 86400, "2026-03-03": 46800}
    history.add_time(NOON, NOON)
    history.add_time(NOON, NOON - timedelta(days=3))
    assert sum(seconds(history).values()) == 49 * 3600


def test_a_day_ends_where_utc_says() -> None:
    history = UsageHistory()
    midnight = datetime(2026, 3, 2, tzinfo=timezone.utc)
    history.add_time(midnight - timedelta(seconds=1), midnight)
    history.add(midnight, sessions=1)
    assert history.days == {
        "2026-03-01": UsageDay(seconds=1.0),
        "2026-03-02": UsageDay(sessions=1),
    }


def test_only_the_newest_days_are_kept() -> None:
    history = UsageHistory()
    for number in range(USAGE_DAYS + 20):
        history.add(NOON + timedelta(days=number), messages=1)
    assert len(history.days) == USAGE_DAYS
    assert min(history.days) == (NOON + timedelta(days=20)).date().isoformat()
    history.add_time(datetime(1, 1, 1, tzinfo=timezone.utc), NOON + timedelta(days=200))
    assert len(history.days) == USAGE_DAYS


@pytest.mark.parametrize("year", [1, 9999])
def test_times_at_the_end_of_the_calendar(year: int) -> None:
    history = UsageHistory()
    edge = datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, tzinfo=timezone.utc)
    history.add_time(edge, edge + timedelta(hours=1))
    history.add_end(edge, edge, "client")
    assert len(history.days) <= 1 and history.reasons == {"client": 1}


def test_what_is_taken_back_leaves_no_day() -> None:
    history = UsageHistory()
    history.add(NOON, sessions=1)
    history.add(NOON, sessions=-1)
    history.add(NOON, sessions=-1)
    assert history.days == {}


def test_sessions_are_counted_where_they_are_opened_closed_and_dropped(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        records = SessionRecords(store, "0" * 16, store.log)
        run(records.open(project_id, session("one"), 0, 0))
        run(records.open(project_id, session("two"), 0, 0))
        (day,) = get(store, project_id).usage.days.values()
        assert day.sessions == 2
        run(records.drop(project_id, "one"))
        run(records.drop(project_id, "one"))
        run(records.close(project_id, "two", "out_of_memory", None))
        run(records.close(project_id, "two", "client", None))
        metadata = get(store, project_id)
        (day,) = metadata.usage.days.values()
        assert day.sessions == metadata.statistics.total_sessions == 1
        assert day.seconds == pytest.approx(metadata.statistics.total_duration_seconds)
        assert metadata.usage.reasons == {"out_of_memory": 1}
        (entry,) = select(store)
        assert entry.metadata is not None and entry.metadata.usage == UsageHistory()


def test_an_older_file_is_read_and_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
        document = get(store, project_id).model_dump(mode="json")
        del document["usage"]
        assert Metadata.model_validate(document).usage == UsageHistory()
        metadata = Metadata.model_validate(document)
        metadata.sessions.append(session("s").model_copy(update={"started_at": NOON}))
        close_record(metadata, "s", "client", NOON + timedelta(seconds=5))
        assert seconds(metadata.usage) == {"2026-03-01": 5.0}


@pytest.mark.parametrize(
    "usage",
    [
        {"days": {"yesterday": {}}},
        {"days": {"2026-03-01": {"sessions": -1}}},
        {"days": {"2026-03-01": {"seconds": "1"}}},
        {"days": []},
        {"reasons": {"client": "1"}},
    ],
)
def test_a_wrong_history_makes_the_project_broken(tmp_path: Path, usage: object) -> None:
    with opened(tmp_path) as store:
        project_id = create(store)
    edit(tmp_path, project_id, usage=usage)
    with opened(tmp_path) as store:
        (entry,) = select(store)
        assert entry.broken is not None and "usage" in entry.broken


def test_a_whole_history_is_small() -> None:
    metadata = Metadata(
        project_id="a-00000000", user_prefix="a", created_at=NOON, last_accessed=NOON
    )
    for number in range(USAGE_DAYS):
        when = NOON + timedelta(days=number)
        metadata.usage.add(when, sessions=1000, seconds=86399.123456, messages=100_000)
    assert len(metadata.model_dump_json(indent=1)) < 12_000
    assert format_time(NOON) in metadata.model_dump_json()
