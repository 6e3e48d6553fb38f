"""Servers that stop and start again, by their user's wish and by the idle culler's."""

from __future__ import annotations

import asyncio
import shutil

import docker

from cognition_jupyter.client import Client, File, Session

from ..kernels.helpers import wait_until
from .hub import Hub
from .test_service import said

IDLE = 20  # seconds; the servers say every second whether they were at work, and look every five


async def ended(client: Client, session: Session) -> Session:
    return await client.get_session(session.project_id, session.session_id)


async def test_a_server_that_is_stopped_and_started(hub: Hub, engine: docker.DockerClient) -> None:
    user = hub.user("carol")
    user.start()
    token = user.token()
    async with Client(user.server, token) as client:
        project_id = (await client.create_project("lasting")).project_id
        talk = client.converse(project_id)
        async with talk:
            await talk.run("open('/memories/hot/plan', 'w').write('to be continued')")
            await talk.run("open('/workspace/file', 'w').write('here')")
            session = await client.get_session(project_id, talk.session_id)
            engine.containers.get(str(session.container_id))
            await asyncio.to_thread(user.stop)
    left = {c.id for c in engine.containers.list(all=True)}
    assert session.container_id not in left
    for path in hub.hot_root.rglob(project_id):  # as the machine's next start would
        shutil.rmtree(path)
    await asyncio.to_thread(user.start)
    async with Client(user.server, token) as client:
        assert (await ended(client, session)).reason == "server_stopped"
        (snapshot, *_) = await client.list_snapshots(project_id)
        assert snapshot.files == 1
        async with client.converse(project_id) as again:
            code = "print(open('/memories/hot/plan').read(), open('/workspace/file').read())"
            assert said(await again.run(code)) == "to be continued here\n"
            journal = [e async for e in client.iterate_events(project_id, session.session_id)]
            assert (journal[-1].event, journal[-1]["reason"]) == ("session_ended", "server_stopped")
            await again.close_session()
    await asyncio.to_thread(user.stop)


async def test_the_idle_culler_leaves_those_who_work(hub: Hub) -> None:
    busy, idle = hub.user("busy"), hub.user("idle")
    await asyncio.gather(asyncio.to_thread(busy.start), asyncio.to_thread(idle.start))
    tokens = {user.name: user.token() for user in (busy, idle)}
    async with (
        Client(busy.server, tokens["busy"]) as at_busy,
        Client(idle.server, tokens["idle"]) as at_idle,
        at_busy.converse(user_prefix="works") as working,
        # Connected all the time, and its panel asks again and again.
        at_idle.converse(user_prefix="rests", reconnect_seconds=0) as resting,
    ):
        await resting.run("open('/memories/hot/kept', 'w').write('kept')")
        rested = await at_idle.get_session(resting.project_id, resting.session_id)
        await working.execute("import time; time.sleep(600)")  # without a word
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while loop.time() < begin + IDLE + 3:
            await at_idle.list_projects()
            await asyncio.sleep(1)
        with hub.culler(f"--timeout={IDLE}", "--cull-every=3"):
            await asyncio.to_thread(wait_until, lambda: not idle.servers())
        assert busy.running(), hub.tail()
        # The work goes on.
        await working.cancel()
        async for event in working:
            if event.event == "done":
                break
        await working.close_session()
    await asyncio.to_thread(idle.start)
    async with Client(idle.server, tokens["idle"]) as client:
        assert (await ended(client, rested)).reason == "server_stopped"
        kept = await client.read_memory(rested.project_id, "/memories/hot/kept")
        assert isinstance(kept, File) and kept.data == b"kept"
    await asyncio.gather(asyncio.to_thread(busy.stop), asyncio.to_thread(idle.stop))
