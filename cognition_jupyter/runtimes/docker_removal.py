"""Removing containers for certain, also when the engine can't be reached just now."""

from __future__ import annotations

import logging
import time
from typing import Any

from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from ..exceptions import RuntimeUnavailable
from .docker_engine import UNREACHABLE, Engine, explain


class Removal:
    """Knows the containers that have to go, by id or name, until they are gone.

    A name may stand for a container that does not exist yet: an engine that did not answer in time
    may still have the request to create it. So a name is kept until the engine has answered
    without it for `patience` seconds.
    """

    def __init__(self, engine: Engine, log: logging.Logger) -> None:
        self._engine = engine
        self._log = log
        self._absent_since: dict[str, float | None] = {}

    def want(self, container: str) -> None:
        """From now on this container has to go."""
        self._absent_since.setdefault(container, None)

    def __contains__(self, container: str) -> bool:
        return container in self._absent_since

    def remove(self, container: str) -> None:
        """Remove it now. Waits for the engine; when that fails, it still has to go."""
        self.want(container)
        if self._remove(container):
            self._absent_since.pop(container, None)

    def forget(self, container: str) -> None:
        """It is known not to exist."""
        self._absent_since.pop(container, None)

    def try_to_remove(self, container: str) -> None:
        """Remove it now if that can be done. Waits for the engine, raises nothing."""
        try:
            self.remove(container)
        except UNREACHABLE as error:
            self._log.warning("Container %s can't be removed yet: %s", container, explain(error))

    def soon(self, container: str) -> None:
        """The same, in another thread."""
        self.want(container)
        try:
            self._engine.submit(self.try_to_remove, container, patient=True)
        except RuntimeUnavailable:
            pass  # closed: it is left to the reconcile of a later server

    def sweep(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The containers of a listing that may stay; the removal of the others begins."""
        now = time.monotonic()
        stay = []
        listed: set[str] = set()
        for row in rows:
            names = {row["Id"], *(name.lstrip("/") for name in row["Names"] or ())}
            unwanted = [name for name in names if name in self]
            listed.update(unwanted)
            if unwanted:
                self.soon(unwanted[0])
            else:
                stay.append(row)
        for name, since in list(self._absent_since.items()):
            if name in listed:
                continue
            if since is None:
                self._absent_since[name] = now
            elif now - since > self._engine.patience:
                self._absent_since.pop(name, None)
        return stay

    def _remove(self, container: str) -> bool:
        """Whether there was one."""
        try:
            self._engine.client(patient=True).remove_container(container, force=True, v=True)
        except DockerNotFound:
            return False
        except APIError as error:
            if error.status_code != 409:  # the engine is at it already
                raise
        return True
