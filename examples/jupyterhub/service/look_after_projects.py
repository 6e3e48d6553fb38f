"""A service of JupyterHub that looks after the projects of all users whose servers run.

Each round lists the projects, warns of those that will be cleaned up soon, pins those with the tag
`keep`, and extends those with the tag `course` that are due. It needs the scopes `list:users`,
`read:servers`, `access:servers` and `custom:cognition:write`.

The Hub starts it (see simple/jupyterhub_config.py) and gives it its token in the environment.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import AsyncIterator

import httpx

from cognition_jupyter.client import Client, ClientError, ProjectSummary

log = logging.getLogger("projects")


async def running_servers(hub_api: str, token: str) -> AsyncIterator[tuple[str, str]]:
    """Name of the user and path of each server that is ready."""
    headers = {
        "Authorization": f"token {token}",
        "Accept": "application/jupyterhub-pagination+json",
    }
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=30) as http:
        url: str | None = f"{hub_api}/users?state=ready"
        while url:
            answer = await http.get(url)
            answer.raise_for_status()
            page = answer.json()
            for user in page["items"]:
                for server in user["servers"].values():
                    if server["ready"]:
                        yield user["name"], server["url"]
            following = page["_pagination"]["next"]
            url = following["url"] if following else None


async def look_after(
    client: Client, user: str, project: ProjectSummary, args: argparse.Namespace
) -> None:
    """What is to be done about one project."""
    project_id, days = project.project_id, project.cleanup_in_days
    left = "never" if days is None else f"in {days} days"
    log.info("%s: %s (%s), cleanup %s", user, project_id, project.status, left)
    if args.pin_tag in project.tags and not project.pinned:
        await client.extend_project(project_id, pin=True)
        log.info("%s: %s is pinned now", user, project_id)
    elif days is not None and days <= args.warn_days:
        if args.extend_tag in project.tags:
            changed = await client.extend_project(project_id, days=args.extend_days)
            log.info("%s: %s has until %s now", user, project_id, changed.cleanup_at)
        else:
            log.warning("%s: %s goes to the trash in %d days", user, project_id, days)


async def one_round(args: argparse.Namespace) -> None:
    """All projects of all users whose servers run."""
    hub_api, token = os.environ["JUPYTERHUB_API_URL"], os.environ["JUPYTERHUB_API_TOKEN"]
    async for user, path in running_servers(hub_api, token):
        try:
            async with Client(args.url.rstrip("/") + path, token, timeout=60) as client:
                async for project in client.iterate_projects():
                    if project.status not in ("active", "idle"):
                        continue
                    try:
                        await look_after(client, user, project, args)
                    except ClientError as error:
                        if error.status is None:
                            raise
                        log.warning("%s: %s: %s", user, project.project_id, error)
        except ClientError as error:  # stopped meanwhile, or without this extension
            log.warning("%s: %s", user, error)


async def main() -> None:
    """Rounds until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the Hub's proxy")
    parser.add_argument("--every", type=float, default=0, help="seconds; 0 for one round only")
    parser.add_argument("--warn-days", type=int, default=7)
    parser.add_argument("--pin-tag", default="keep")
    parser.add_argument("--extend-tag", default="course")
    parser.add_argument("--extend-days", type=int, default=30)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    while True:
        try:
            await one_round(args)
        except httpx.HTTPError as error:  # the Hub restarts
            log.warning("No answer from the Hub: %s", error)
            if not args.every:
                raise SystemExit(1) from None
        if not args.every:
            return
        await asyncio.sleep(args.every)


if __name__ == "__main__":
    asyncio.run(main())
