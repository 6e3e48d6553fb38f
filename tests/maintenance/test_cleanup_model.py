"""Whatever people, clocks and servers do: none goes that should live, none stays that should go."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from .life import Life

NEVER = datetime.min.replace(tzinfo=timezone.utc)
WARNING, RETENTION = timedelta(days=3), timedelta(days=7)


@dataclass
class Expected:
    """A project as a person would keep it on paper."""

    used: datetime
    days: int | None
    edited: datetime
    extended: datetime | None = None
    pinned: bool = False
    sessions: list[str] = field(default_factory=list)
    warned: datetime | None = None
    trashed: datetime | None = None
    gone: bool = False

    def due(self, default: int) -> datetime:
        due = self.used + timedelta(days=self.days or default)
        return max(due, self.extended) if self.extended else due


class Machine(RuleBasedStateMachine):
    """Times are whole seconds, which files can keep exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life(cleanup_after_days=8)
        self.life.now = self.life.now.replace(microsecond=0)
        self.default = 8
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        self.agrees()
        self.life.close()

    # -- what is chosen from ---------------------------------------------------------------

    def those(self, trashed: bool = False, live: bool | None = None) -> list[str]:
        return [
            name
            for name, one in self.expected.items()
            if not one.gone
            and (one.trashed is not None) is trashed
            and live in (None, bool(one.sessions))
        ]

    def pick(self, data: st.DataObject, trashed: bool = False, live: bool | None = None) -> str:
        return data.draw(st.sampled_from(self.those(trashed, live)))

    # -- what people do --------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for days in (None, 4, 9):
            self.create(days)

    @rule(days=st.none() | st.integers(1, 12))
    def create(self, days: int | None) -> None:
        name = self.life.create(cleanup_after_days=days)
        self.expected[name] = Expected(self.life.now, days, NEVER)

    @precondition(lambda self: self.those())
    @rule(data=st.data())
    def access(self, data: st.DataObject) -> None:
        name = self.pick(data)
        now = self.life.now
        self.life.run(
            self.life.store.change(name, lambda metadata: setattr(metadata, "last_accessed", now))
        )
        self.expected[name].used = now

    @precondition(lambda self: self.those())
    @rule(data=st.data(), ago=st.integers(-1, 6))
    def edit(self, data: st.DataObject, ago: int) -> None:
        name = self.pick(data)
        time = self.life.now - timedelta(days=ago)
        self.life.edit(name, at=time)
        self.expected[name].edited = time

    @precondition(lambda self: self.those())
    @rule(data=st.data(), days=st.integers(1, 10))
    def extend(self, data: st.DataObject, days: int) -> None:
        name = self.pick(data)
        one = self.expected[name]
        one.extended = one.due(self.default) + timedelta(days=days)
        self.life.extend(name, days=days)

    @precondition(lambda self: self.those())
    @rule(data=st.data(), pin=st.booleans())
    def pin(self, data: st.DataObject, pin: bool) -> None:
        name = self.pick(data)
        one = self.expected[name]
        one.pinned = pin
        if not pin and one.due(self.default) <= self.life.now:
            one.used = self.life.now
        self.life.extend(name, pin=pin)

    @precondition(lambda self: self.those())
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        name = self.pick(data)
        one = self.expected[name]
        one.sessions.append(self.life.start(name))
        one.used = self.life.now

    @precondition(lambda self: self.those(live=True))
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        name = self.pick(data, live=True)
        one = self.expected[name]
        self.life.stop(name, one.sessions.pop())
        one.used = max(one.used, self.life.now)

    @precondition(lambda self: self.those(live=False))
    @rule(data=st.data(), permanent=st.booleans())
    def delete(self, data: st.DataObject, permanent: bool) -> None:
        name = self.pick(data, live=False)
        removal = self.life.cognition.removal
        self.life.run(removal.delete(name) if permanent else removal.trash(name))
        self.expected[name].gone = permanent
        self.expected[name].trashed = self.life.now

    @precondition(lambda self: self.those(trashed=True))
    @rule(data=st.data(), forever=st.booleans())
    def out_of_the_trash(self, data: st.DataObject, forever: bool) -> None:
        name = self.pick(data, trashed=True)
        removal, one = self.life.cognition.removal, self.expected[name]
        self.life.run(removal.delete(name) if forever else removal.restore(name))
        one.gone, one.trashed, one.used = forever, None, self.life.now

    # -- what happens by itself ------------------------------------------------------------

    @rule(hours=st.integers(1, 72))
    def wait(self, hours: int) -> None:
        self.life.pass_by(hours=hours)

    @rule(days=st.integers(1, 5))
    def day_by_day(self, days: int) -> None:
        for _ in range(days):
            self.life.pass_by(days=1)
            self.check(False)

    @rule(days=st.integers(1, 10))
    def jump_back(self, days: int) -> None:
        self.life.pass_by(days=-days)

    @precondition(lambda self: self.expected)
    @rule(default=st.sampled_from([5, 8, 12]))
    def restart(self, default: int) -> None:
        """Of the server, killed with its sessions and started with another setting."""
        self.default = default
        self.life.settings = {"cleanup_after_days": default}
        self.life.restart()
        for one in self.expected.values():
            if one.sessions:
                one.sessions.clear()
                one.used = max(one.used, self.life.now)

    @rule(dry=st.booleans())
    def check(self, dry: bool) -> None:
        now = self.life.now
        self.life.told.clear()
        warned = set()
        if not dry:
            for name, one in self.expected.items():
                if not one.gone and self._check(one, now):
                    warned.add(name)
        self.life.check(dry)
        told = {event.data["project_id"] for event in self.life.events("cleanup", "warning")}
        assert told == warned
        self.agrees()

    def _check(self, one: Expected, now: datetime) -> bool:
        """Whether it is warned of."""
        warn = False
        if one.trashed is None and not one.pinned and not one.sessions:
            if one.due(self.default) <= now + WARNING and one.edited <= now:
                one.used = max(one.used, one.edited)
            due = one.due(self.default)
            if due <= now:
                one.trashed = now
            elif due <= now + WARNING:
                warn = one.warned is None or one.warned.date() != now.date()
                one.warned = now if warn else one.warned
        if one.trashed is not None and one.trashed + RETENTION <= now:
            one.gone = True
        return warn

    def agrees(self) -> None:
        for name, one in self.expected.items():
            place = "gone" if one.gone else "root" if one.trashed is None else "trash"
            assert self.life.place(name) == place, name
        listed, _ = self.life.run(self.life.store.select())
        there = {name for name, one in self.expected.items() if not one.gone and not one.trashed}
        assert {entry.project_id for entry in listed} == there


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.torture
class TestLong(Machine.TestCase):  # type: ignore[name-defined,misc]
    """The same, ten times as long."""

    settings = settings(
        max_examples=400,
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
