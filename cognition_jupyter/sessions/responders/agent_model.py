"""The chat model of a project's agent. Waits for imports: for threads."""

from __future__ import annotations

import os
import re
from typing import Any

from langchain.chat_models import init_chat_model
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import BaseChatModel

from .agent_settings import AgentSettings, ModelUnavailable

_TOO_LONG = re.compile(
    r"context_length|contextwindow|(context|input tokens)\W.{0,40}(length|limit|size|exceed)|"
    r"(maximum|exceeds?) .{0,20}context|prompt is too long"
)


def make_model(name: str, settings: AgentSettings) -> BaseChatModel:
    """The client of a model that the administrator allows. Raises ModelUnavailable."""
    provider = name.partition(":")[0] if ":" in name else ""
    if settings.base_url and not provider:
        provider, name = "openai", f"openai:{name}"
    options: dict[str, Any] = {
        "timeout": settings.model_timeout,
        "max_retries": settings.model_retries,
    }
    if provider == "openai" and settings.base_url:
        options["base_url"] = settings.base_url
    if provider in settings.api_key_variables:
        options["api_key"] = _key(name, provider, settings)
    try:
        model = init_chat_model(name, **options)
    except ImportError:
        raise ModelUnavailable(
            f"The model {name} can't be used: the package of its provider is not installed on the "
            "server."
        ) from None
    except Exception as error:
        # Not its text, which may quote what it was given: the key.
        raise ModelUnavailable(
            f"The model {name} can't be used: its client could not be made "
            f"({type(error).__name__})."
        ) from None
    if not isinstance(model, BaseChatModel):
        raise ModelUnavailable(f"The model {name} can't be used: it is no chat model.")
    return model


def _key(name: str, provider: str, settings: AgentSettings) -> str:
    variable = settings.api_key_variables[provider]
    key = os.environ.get(variable, "")
    if not key and provider == "openai" and settings.base_url:
        return "none"  # servers of one's own often want no key, but the client insists on one
    if not key:
        raise ModelUnavailable(
            f"The model {name} can't be used: the server has no {variable} in its environment."
        )
    return key


def is_too_long(error: Exception) -> bool:
    """Whether a server refused a conversation for its length; most have no code for it."""
    if isinstance(error, ContextOverflowError):
        return True
    return getattr(error, "status_code", None) in (400, 413, 422) and bool(
        _TOO_LONG.search(str(error).lower())
    )


def failure(name: str, error: BaseException) -> str:
    """A sentence about a failed request. Never the error's text: servers quote keys in it."""
    status = getattr(error, "status_code", None)
    what = f"HTTP {status}" if isinstance(status, int) else type(error).__name__
    return f"The model {name} failed: {what}."
