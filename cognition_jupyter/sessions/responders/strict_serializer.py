"""What a kept conversation may hold: messages and plain data, and nothing that runs code."""

from __future__ import annotations

from typing import Any

import ormsgpack
from langchain_core import messages
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import (
    EXT_CONSTRUCTOR_POS_ARGS,
    EXT_DELTA_SNAPSHOT,
    EXT_PYDANTIC_V2,
    JsonPlusSerializer,
)
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Send

from .agent_settings import ConversationRefused

_MESSAGES: dict[tuple[str, str], type[BaseMessage]] = {
    (kind.__module__, kind.__name__): kind
    for kind in (
        messages.AIMessage,
        messages.AIMessageChunk,
        messages.HumanMessage,
        messages.RemoveMessage,
        messages.SystemMessage,
        messages.ToolMessage,
    )
}
# A tool call that is still to be made is kept as an order to LangGraph's node for tools.
_SEND = (Send.__module__, Send.__name__)


class StrictSerializer(SerializerProtocol):
    """LangGraph's format, read with a list of what is allowed.

    LangGraph's own reader imports and calls what a checkpoint names; in its strict mode it still
    turns what it does not know into plain data, and builds messages without validating them. This
    one raises ConversationRefused, and knows none of the other formats (`json`, `pickle`).
    """

    def __init__(self) -> None:
        self._writer = JsonPlusSerializer(pickle_fallback=False)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """(format, bytes) of what is kept."""
        if isinstance(obj, BaseException):  # LangGraph keeps why a step failed; it may quote keys
            obj = type(obj).__name__
        return self._writer.dumps_typed(obj)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The opposite. Raises ConversationRefused."""
        kind, content = data
        if kind == "null":
            return None
        if kind == "bytes":
            return content
        if kind != "msgpack":
            raise _refused(f"a value of the format {str(kind)[:20]!r}")
        return _unpack(content)


def _unpack(data: bytes) -> Any:
    try:
        return ormsgpack.unpackb(data, ext_hook=_build, option=ormsgpack.OPT_NON_STR_KEYS)
    except (ValueError, TypeError):
        raise _refused("a value that is damaged") from None


def _build(code: int, data: bytes) -> Any:
    value = _unpack(data)
    if code == EXT_DELTA_SNAPSHOT:
        return _DeltaSnapshot(value)
    if not isinstance(value, list | tuple) or len(value) < 3:
        raise _refused(f"a value of the unknown kind {code}")
    key = (str(value[0]), str(value[1]))
    if code == EXT_PYDANTIC_V2 and key in _MESSAGES:
        try:
            return _MESSAGES[key].model_validate(value[2])
        except ValueError:
            raise _refused("a message that is damaged") from None
    if code == EXT_CONSTRUCTOR_POS_ARGS and key == _SEND and len(value[2]) == 2:
        return Send(str(value[2][0]), value[2][1])
    raise _refused(f"an object {'.'.join(key)[:100]!r}")


def _refused(what: str) -> ConversationRefused:
    return ConversationRefused(
        f"The project's conversation holds {what}, which no conversation of ours does; remove "
        ".agent/conversation.sqlite of the project to begin a new one."
    )
