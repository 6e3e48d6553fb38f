"""Building images on the Docker engine (also podman's Docker-compatible socket)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO

import docker
import requests
from docker.errors import DockerException

from ..exceptions import RuntimeUnavailable
from .docker import explain

# Seconds without a word from the engine; a step that installs packages may be silent for long.
_SILENCE = 900


def build_image(
    base_url: str,
    context_tar: IO[bytes],
    tag: str,
    buildargs: Mapping[str, str],
    labels: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Build the tar's Dockerfile as `tag`, yielding the engine's lines as they come.

    Steps have the host's network: pip and apt reach what this machine reaches. Raises
    RuntimeUnavailable: the engine does not answer, or a step failed (code `build_failed`).
    """
    try:
        client = docker.APIClient(base_url=base_url, version="auto", timeout=_SILENCE)
    except (DockerException, requests.exceptions.RequestException, OSError) as error:
        raise RuntimeUnavailable(f"The Docker engine can't be used: {explain(error)}.") from None
    try:
        answers = client.build(
            fileobj=context_tar,
            custom_context=True,
            tag=tag,
            buildargs=dict(buildargs),
            labels=dict(labels or {}),
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
        )
        for answer in answers:
            if "error" in answer:
                problem = " ".join(str(answer["error"]).split())[:300].rstrip(".")
                raise RuntimeUnavailable(f"The image was not built: {problem}.", "build_failed")
            # Progress of a pull has an id per layer; it is left out.
            text = answer.get("stream") or ("" if "id" in answer else answer.get("status", ""))
            yield from (line.rstrip() for line in text.splitlines() if line.strip())
    except (DockerException, requests.exceptions.RequestException, OSError) as error:
        raise RuntimeUnavailable(
            f"The image was not built: {explain(error)}.", "build_failed"
        ) from None
    finally:
        client.close()
