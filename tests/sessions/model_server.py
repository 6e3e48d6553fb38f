"""A small OpenAI-compatible server on loopback that says what a test has written."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web

KEY = "sk-test-4f1c-SECRET-d09e"


def says(text: str) -> dict[str, Any]:
    return {"content": text}


def calls(**tools: dict[str, Any]) -> dict[str, Any]:
    """An answer that asks for tools, by name."""
    return {
        "tool_calls": [
            {"id": f"call_{n}", "name": name, "arguments": json.dumps(arguments)}
            for n, (name, arguments) in enumerate(tools.items())
        ]
    }


class ModelServer:
    """`script` has the answers in order; `asked` the requests' bodies."""

    def __init__(self) -> None:
        self.script: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.streams_closed = 0
        self.url = ""

    def told(self, number: int = -1) -> str:
        """What the model was told in a request, as text."""
        return json.dumps(self.asked[number]["messages"], ensure_ascii=False)

    @contextmanager
    def running(self) -> Iterator[ModelServer]:
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def start() -> None:
            application = tornado.web.Application(
                [(r"/v1/chat/completions", _Completions, {"server": self})]
            )
            sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
            http = tornado.httpserver.HTTPServer(application)
            http.add_sockets(sockets)
            self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1"
            ready.set()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(start())
            loop.run_forever()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        ready.wait()
        yield self
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class _Completions(tornado.web.RequestHandler):
    def initialize(self, server: ModelServer) -> None:
        self.model = server

    def on_connection_close(self) -> None:
        self.model.streams_closed += 1

    async def post(self) -> None:
        body = json.loads(self.request.body)
        self.model.asked.append(body)
        key = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.model.keys.append(key)
        answer = self.model.script.pop(0)
        if "status" in answer:
            self.set_status(answer["status"])
            # As real ones do: what they were given, in what they say.
            message = answer.get("message", "Incorrect API key provided")
            self.finish({"error": {"message": f"{message}: {key}"}})
            return
        if not body.get("stream"):
            message = {"role": "assistant", "content": answer["content"]}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self.finish({"id": "1", "object": "chat.completion", "choices": [choice]})
            return
        self.set_header("Content-Type", "text/event-stream")
        self._part({"role": "assistant", "content": ""})
        for number, word in enumerate(answer.get("content", "").split(" ")):
            if word or number:
                self._part({"content": f" {word}" if number else word})
                await self.flush()
                await asyncio.sleep(answer.get("pause", 0))
        if "hang" in answer:
            await asyncio.sleep(answer["hang"])
        for index, call in enumerate(answer.get("tool_calls", [])):
            text = call["arguments"]
            head = {"name": call["name"], "arguments": ""}
            self._part({"tool_calls": [{"index": index, "id": call["id"], "function": head}]})
            for at in range(0, len(text), 20):
                piece = {"arguments": text[at : at + 20]}
                self._part({"tool_calls": [{"index": index, "function": piece}]})
        self._part({}, "tool_calls" if "tool_calls" in answer else "stop")
        self.finish("data: [DONE]\n\n")

    def _part(self, delta: dict[str, Any], reason: str | None = None) -> None:
        chunk = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "test",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
        self.write(f"data: {json.dumps(chunk)}\n\n")
