"""What the administrator says about agents. Works without the extra `agent`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from traitlets import Dict, Float, Integer, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from ...exceptions import CognitionError, Forbidden, InvalidInput

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AgentUnavailable(CognitionError):
    """This server has no agents: what they are made of is not installed."""

    status = 503
    code = "agent_unavailable"


class ModelUnavailable(CognitionError):
    """The model can't be used: none is named, or its key or package is missing."""

    status = 503
    code = "model_unavailable"


class ModelFailed(CognitionError):
    """The model's server answered with an error, or not at all."""

    status = 502
    code = "model_failed"


class TurnLimit(CognitionError):
    """The turn took more steps or time than the administrator allows."""

    status = 409
    code = "turn_limit"


class ConversationRefused(CognitionError):
    """The kept conversation can't be read, or holds what no conversation of ours does."""

    status = 409
    code = "conversation_refused"


class AgentSettings(LoggingConfigurable):
    """Agents of all projects. A project chooses its model by name, and nothing else of this."""

    default_model = Unicode(
        "",
        help="The model of projects that have an agent and name none, as `provider:model` or a "
        "name that LangChain's `init_chat_model` knows. Empty: such projects have no model.",
    ).tag(config=True)
    allowed_models = List(
        Unicode(),
        ["*"],
        help="Models that a project may name, as patterns (`openai:gpt-*`); letters count as they "
        "are. `default_model` is always allowed.",
    ).tag(config=True)
    base_url = Unicode(
        "",
        help="URL of an OpenAI-compatible server (`http://127.0.0.1:8000/v1`), used for models of "
        "the provider `openai` and for names without a provider. No project can change it: keys "
        "go nowhere else. Empty: the provider's own servers.",
    ).tag(config=True)
    api_key_variables = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        default_value={
            "openai": "OPENAI_API_KEY",
            "anthropic": "ANTHROPIC_API_KEY",
            "google_genai": "GOOGLE_API_KEY",
        },
        help="Environment variable of the server that holds the key, by provider. It is read when "
        "a session's agent is made, and never reaches a container. A provider that is not named "
        "here gets no key from us. With `base_url`, `openai` may go without one.",
    ).tag(config=True)
    model_timeout = Float(
        120.0, min=1.0, help="Seconds that a model's server may take to answer a request."
    ).tag(config=True)
    model_retries = Integer(
        2, min=0, max=10, help="How often a failed request to a model's server is repeated."
    ).tag(config=True)
    max_steps = Integer(
        200,
        min=1,
        max=9_999,
        help="Steps of a turn (LangGraph's recursion limit). A call of the model and the tools it "
        "asks for are two steps, and what deepagents does around them is some more.",
    ).tag(config=True)
    turn_timeout = Float(1800.0, min=1.0, help="Seconds that a turn may take.").tag(config=True)
    command_timeout = Float(
        600.0, min=1.0, help="Seconds of one command in the container, unless the agent says other."
    ).tag(config=True)
    system_prompt = Unicode(
        "", help="Added to what every agent is told about its place and its tools."
    ).tag(config=True)
    memory_files = List(
        Unicode(),
        ["/memories/persistent/AGENTS.md", "/memories/hot/AGENTS.md", "/workspace/AGENTS.md"],
        help="Files, as virtual paths, that are read to the agent at the start of each turn.",
    ).tag(config=True)
    memory_file_bytes = Integer(
        32 * 1024, min=0, help="Bytes that are read of each of `memory_files`."
    ).tag(config=True)

    def model_for(self, asked: str | None) -> str:
        """The model of a project that asks for this one (`agent_model`).

        Raises ModelUnavailable for none, InvalidInput for no name, and Forbidden
        (`agent_model_not_allowed`).
        """
        name = asked or self.default_model
        if not name:
            raise ModelUnavailable("The project names no agent_model, and there is no default one.")
        if not _NAME.fullmatch(name):
            raise InvalidInput("agent_model is no name of a model.", "invalid_agent_model")
        allowed = name == self.default_model or any(
            fnmatchcase(name, pattern) for pattern in self.allowed_models
        )
        if not allowed:
            raise Forbidden(
                f"The model {name} is not among those that the administrator allows "
                "(AgentSettings.allowed_models).",
                "agent_model_not_allowed",
            )
        return name

    @validate("base_url")
    def _check_base_url(self, proposal: Any) -> Any:
        if proposal["value"] and not re.match(r"https?://[^\s/]", proposal["value"]):
            raise TraitError("base_url must be a URL that begins with http:// or https://.")
        return proposal["value"]

    @validate("api_key_variables")
    def _check_variables(self, proposal: Any) -> Any:
        for provider, name in proposal["value"].items():
            # The value is not shown: somebody may have put the key itself there.
            if not _VARIABLE.fullmatch(name):
                raise TraitError(f"api_key_variables[{provider!r}] must name a variable.")
        return proposal["value"]
