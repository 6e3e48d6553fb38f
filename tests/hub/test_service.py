"""The example's service, and two users who have nothing to do with each other."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest
import requests
import websocket

from cognition_jupyter.client import Client, ClientError, Event

from .hub import SERVICE, Hub, User


@pytest.fixture(scope="module")
def tokens(alice: User, bob: User) -> dict[str, str]:
    """Tokens of the users that can do what they can."""
    return {"alice": alice.token(), "bob": bob.token()}


def said(events: list[Event]) -> str:
    return "".join(e["chunk"] for e in events if e.event == "tool_output")


async def test_the_projects_of_users_are_apart(
    alice: User, bob: User, tokens: dict[str, str]
) -> None:
    async with (
        Client(alice.server, tokens["alice"]) as hers,
        Client(bob.server, tokens["bob"]) as his,
    ):
        a = await hers.create_project("apart", description="of alice")
        b = await his.create_project("apart", description="of bob")
        assert [p.description async for p in hers.iterate_projects("apart")] == ["of alice"]
        assert [p.description async for p in his.iterate_projects("apart")] == ["of bob"]
        with pytest.raises(ClientError) as missing:
            await his.get_project(a.project_id)
        assert missing.value.code == "project_not_found"
        assert a.workspace_path.startswith(str(alice.hub.home("alice")))
        assert b.workspace_path.startswith(str(bob.hub.home("bob")))
        async with (
            hers.converse(a.project_id) as at_hers,
            his.converse(b.project_id) as at_his,
        ):
            await at_hers.run("open('/memories/hot/secret', 'w').write('of alice')")
            code = "import os; print(os.listdir('/memories/hot'), os.listdir('/workspace'))"
            assert said(await at_his.run(code)) == "[] []\n"
            await at_hers.close_session()
            await at_his.close_session()
    # And each token is good for its own server only.
    async with Client(alice.server, tokens["bob"]) as wrong:
        with pytest.raises(ClientError) as refused:
            await wrong.list_projects()
        assert refused.value.status == 403


async def test_the_service_looks_after_everybody_s_projects(
    hub: Hub, alice: User, bob: User, tokens: dict[str, str]
) -> None:
    async with (
        Client(alice.server, tokens["alice"]) as hers,
        Client(bob.server, tokens["bob"]) as his,
    ):
        plain = await hers.create_project("plain")
        kept = await hers.create_project("kept", tags=["keep"])
        soon = await his.create_project("soon", cleanup_after_days=3)
        course = await his.create_project("course", tags=["course"], cleanup_after_days=3)
        done = hub.run_service()
        told = done.stderr
        for user, project in (("alice", plain), ("alice", kept), ("bob", soon), ("bob", course)):
            assert re.search(rf"^INFO {user}: {project.project_id} \(idle\)", told, re.M), told
        warned = re.findall(r"^WARNING (.*)$", told, re.M)
        assert warned == [f"bob: {soon.project_id} goes to the trash in 3 days"]
        assert (await hers.get_project(kept.project_id)).pinned
        assert not (await hers.get_project(plain.project_id)).pinned
        later = (await his.get_project(course.project_id)).cleanup_at
        assert later is not None
        assert later - datetime.now(timezone.utc) > timedelta(days=32)
        # Once is enough.
        again = hub.run_service().stderr
        assert "pinned now" not in again and "has until" not in again
        # What can't be done with one project keeps it from no other.
        other = await his.create_project("kept", tags=["keep"])
        await his.create_project("course", tags=["course"], cleanup_after_days=3)
        told = hub.run_service("--extend-days=1000000").stderr
        assert "400 invalid" in told and f"bob: {other.project_id} is pinned now" in told


async def test_the_service_can_do_no_more_than_it_has_to(hub: Hub, alice: User) -> None:
    async with Client(alice.server, SERVICE) as service:
        project = await service.create_project("by-service")
        for call in (
            service.start_session(project.project_id),
            service.clean_up(dry_run=False),
            service.delete_project(project.project_id, permanent=True),
            service.converse(project.project_id).__aenter__(),
        ):
            with pytest.raises(ClientError) as refused:
                await call
            assert refused.value.status == 403
        await service.delete_project(project.project_id)


def test_events_say_which_user_or_service_it_was(alice: User, tokens: dict[str, str]) -> None:
    url = f"{alice.server.replace('http', 'ws', 1)}/api/events/subscribe"
    header = [f"Authorization: token {tokens['alice']}"]
    with closing(websocket.create_connection(url, header=header, timeout=60)) as socket:
        for token in (tokens["alice"], SERVICE):
            answer = requests.post(
                f"{alice.server}/api/projects",
                json={"user_prefix": "who"},
                headers={"Authorization": f"token {token}"},
                timeout=60,
            )
            assert answer.status_code == 201
        actors: list[str] = []
        while len(actors) < 2:
            event = json.loads(socket.recv())
            if event["schema_id"].endswith("/project/v1") and event["action"] == "created":
                actors.append(event["actor"])
    assert actors == ["alice", "projects"]
