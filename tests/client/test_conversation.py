"""Conversations over `/ws`, with connections that last and such that don't."""

from __future__ import annotations

import asyncio

import pytest

from cognition_jupyter.client import Client, ClientError, Event

from ..support.server import TOKEN, Server, unique
from .cable import Cable

LINES = 2000
# Goes on after each quarter when it may.
PRINT = f"""
import os, time
for number in range({LINES}):
    quarter, begins = divmod(number, {LINES // 4})
    while quarter and not begins and not os.path.exists(f"go{{quarter}}"):
        time.sleep(0.01)
    print("line", number)
"""


def said(events: list[Event]) -> str:
    return "".join(e["chunk"] for e in events if e.event == "tool_output")


def check_whole(events: list[Event], first: int = 1) -> None:
    """Every event once and in order."""
    numbers = [event.seq for event in events if event.seq is not None]
    assert numbers == [*range(first, first + len(numbers))]


async def test_code_runs_and_its_output_comes(small: Server) -> None:
    async with (
        Client(small.url, TOKEN) as client,
        client.converse(user_prefix=unique("talk")) as conversation,
    ):
        events = await conversation.run("x = 6 * 7; print(x)")
        assert said(events) == "42\n"
        assert [events[0].event, events[-1].event] == ["tool_start", "done"]
        failed = await conversation.run("1 / 0")
        (end,) = [e for e in failed if e.event == "tool_end"]
        assert end["exit_code"] == 1
        assert said(await conversation.ask("print(x)")) == "42\n"
        # What the journal has is what came.
        where = conversation.project_id, conversation.session_id
        journal = [e async for e in client.iterate_events(*where)]
        check_whole(journal)
        assert journal[-1].seq == conversation.last_seq
        assert (await client.list_events(*where, since=3)).events == journal[3:]
        await conversation.close_session()
        rest = [event async for event in conversation]
        assert (rest[-1].event, rest[-1]["reason"]) == ("session_ended", "client")
        with pytest.raises(ClientError) as over:
            await conversation.run("print(1)")
        assert over.value.code == "session_ended"


async def test_what_the_server_refuses_is_an_error(small: Server) -> None:
    async with Client(small.url, TOKEN) as client:
        for wishes, code in (
            ({"project_id": "nobody-00000000"}, "project_not_found"),
            ({"session_id": "nothing"}, "session_not_found"),
            ({"user_prefix": "A"}, "invalid_prefix"),
            ({}, "invalid_input"),
        ):
            with pytest.raises(ClientError) as refused:
                async with client.converse(**wishes):  # type: ignore[arg-type]
                    raise AssertionError
            assert (refused.value.code, refused.value.status) == (code, None)


async def test_a_turn_can_be_cancelled_and_the_session_ended_meanwhile(small: Server) -> None:
    async with (
        Client(small.url, TOKEN) as client,
        client.converse(user_prefix=unique("cancel")) as conversation,
    ):
        await conversation.execute("import time\nprint('begun')\ntime.sleep(600)")
        async for event in conversation:
            if event.event == "tool_output":
                break
        await conversation.cancel()
        async for event in conversation:
            if event.event == "done":
                break
        await conversation.execute("time.sleep(600)")
        await client.end_session(conversation.project_id, conversation.session_id)
        rest = [event async for event in conversation]
        assert (rest[-1].event, rest[-1]["reason"]) == ("session_ended", "client")


async def test_a_connection_that_is_cut_is_made_again(small: Server, cable: Cable) -> None:
    events: list[Event] = []
    cuts = 0
    async with (
        cable,
        Client(cable.url, TOKEN) as client,
        client.converse(user_prefix=unique("cut")) as conversation,
    ):
        await conversation.execute(PRINT)
        async for event in conversation:
            events.append(event)
            if event.event == "tool_output" and cuts < 3 and cable.connections == cuts + 1:
                cuts += 1
                cable.cut()
                (small.root / conversation.project_id / f"repo/go{cuts}").touch()
            if event.event == "done":
                break
        assert cable.connections >= 4 and cuts == 3
        check_whole(events)
        assert said(events) == "".join(f"line {n}\n" for n in range(LINES))
        # One that is lost while nothing is read is made again by what is sent.
        cable.cut()
        await asyncio.sleep(0.1)
        with pytest.raises(ClientError) as unknown:
            await conversation.run("print(1)")
        assert unknown.value.code == "connection_lost"
        assert said(await conversation.run("print(2)")) in ("2\n", "1\n")
        await conversation.close_session()
        async for event in conversation:
            events.append(event)
        assert events[-1].event == "session_ended"


async def test_a_session_that_ended_meanwhile_is_begun_anew(small: Server, cable: Cable) -> None:
    async with (
        cable,
        Client(cable.url, TOKEN) as client,
        client.converse(user_prefix=unique("anew")) as conversation,
    ):
        events = [await anext(conversation), await anext(conversation)]
        where = conversation.project_id, conversation.session_id
        target, cable.target = cable.target, "http://127.0.0.1:9"
        cable.cut()
        async with Client(small.url, TOKEN) as other:
            while (await other.get_session(*where)).ended_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            cable.target = target
            while events[-1].event != "agent_ready" or len(events) < 4:
                events.append(await anext(conversation))
        kinds = [e.event for e in events if e.seq is not None]
        assert kinds == ["session_started", "agent_ready", "session_ended", *kinds[:2]]
        check_whole(events)
        assert said(await conversation.run("print('x' in globals())")) == "False\n"
    # All of its past, which has an end in it, and then its present.
    async with Client(small.url, TOKEN) as client:
        conversation = client.converse(where[0], session_id=where[1], since=0)
        async with conversation:
            assert said(await conversation.run("print(3)")) == "3\n"
            await conversation.close_session()
            rest = [event async for event in conversation]
            assert rest[-1]["reason"] == "client"


async def test_who_comes_to_a_live_session_hears_what_is_new(small: Server) -> None:
    async with (
        Client(small.url, TOKEN) as client,
        client.converse(user_prefix=unique("both")) as first,
    ):
        await first.run("x = 1")
        async with client.converse(session_id=first.session_id) as second:
            assert second.project_id == first.project_id
            assert said(await second.run("print(x)")) == "1\n"
            numbers = second.last_seq
        seen = [await anext(first)]
        while seen[-1].event != "done":
            seen.append(await anext(first))
        assert said(seen) == "1\n" and first.last_seq == numbers


async def test_a_server_that_does_not_come_back(small: Server, cable: Cable) -> None:
    async with (
        cable,
        Client(cable.url, TOKEN) as client,
        client.converse(user_prefix=unique("gone"), reconnect_seconds=1) as conversation,
    ):
        cable.target = "http://127.0.0.1:9"
        cable.cut()
        with pytest.raises(ClientError) as lost:
            while True:
                await anext(conversation)
        assert lost.value.code == "connection_lost"


async def test_who_leaves_while_the_connection_is_lost_does_not_come_back(
    small: Server, cable: Cable
) -> None:
    async with cable, Client(cable.url, TOKEN) as client:
        async with client.converse(user_prefix=unique("leaves")) as conversation:
            target, cable.target = cable.target, "http://127.0.0.1:9"
            cable.cut()
            reading = asyncio.ensure_future(anext(conversation, None))
            while (await asyncio.wait([reading], timeout=0.3))[0]:  # what came before the cut
                reading = asyncio.ensure_future(anext(conversation, None))
        cable.target = target
        assert await reading is None
        assert cable.connections == 1
