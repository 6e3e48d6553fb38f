"""What `/ws` takes: from a message to its first output, from `cancel` to the end of the turn."""

from __future__ import annotations

import statistics
import time

from tests.sessions.client import Socket

from .sessions import server

WAIT = "print('begun', flush=True)\nimport time\ntime.sleep(600)"


def measure(rounds: int) -> dict[str, tuple[float, float]]:
    """Median and longest seconds by name; docker, one session, one client."""
    times: dict[str, list[float]] = {"message to first output": [], "cancel to tool_end": []}
    with server("docker") as made, Socket(made) as socket:
        session_id = socket.create(user_prefix="bench")["session_id"]
        for number in range(rounds + 1):
            before = time.perf_counter()
            socket.send("execute", session_id=session_id, code=WAIT)
            socket.until("tool_output")
            first = time.perf_counter() - before
            time.sleep(0.2)
            before = time.perf_counter()
            socket.send("cancel", session_id=session_id)
            socket.until("tool_end")
            cancelled = time.perf_counter() - before
            socket.until("done")
            if number:  # the first round warms up
                times["message to first output"].append(first)
                times["cancel to tool_end"].append(cancelled)
        socket.send("close_session", session_id=session_id)
        socket.until("session_ended")
    return {name: (statistics.median(taken), max(taken)) for name, taken in times.items()}
