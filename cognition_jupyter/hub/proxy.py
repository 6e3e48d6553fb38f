"""A proxy whose traffic does not count as activity of a server."""

from __future__ import annotations

from typing import Any

from jupyterhub.proxy import ConfigurableHTTPProxy


class UncountedProxy(ConfigurableHTTPProxy):  # type: ignore[misc]
    """For `JupyterHub.proxy_class`.

    JupyterHub takes every byte that goes through the proxy for activity: the answers to pings of
    an open page keep a server from being culled for ever. The servers know better, and say so.
    """

    async def get_all_routes(self) -> dict[str, Any]:
        """Called by the Hub: the routes, without when something last went over them."""
        routes: dict[str, Any] = await super().get_all_routes()
        for route in routes.values():
            route["data"].pop("last_activity", None)
        return routes
