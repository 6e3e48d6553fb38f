"""What a session's container is created with: its hardening, its limits, its network."""

from __future__ import annotations

import threading
from typing import Any

import docker
from docker.errors import APIError
from docker.types import LogConfig, Ulimit
from docker.types import Mount as DockerMount

from ..exceptions import RuntimeUnavailable
from .base import ContainerSpec

LABEL = "cognition"
_ICC = "com.docker.network.bridge.enable_icc"
# The engine itself may make two networks of one name when it is asked twice at the same moment.
_BRIDGE = threading.Lock()


def container_options(
    client: docker.APIClient,
    spec: ContainerSpec,
    *,
    sources: list[str],
    network: str,
    memory: int,
    cpus: float,
    pids: int,
    open_files: int,
    security: list[str],
) -> dict[str, Any]:
    """The arguments of `create_container`, all but the name.

    `sources` are the engine's paths of the spec's mounts, in their order; `memory` is in bytes.
    """
    host_config = client.create_host_config(
        network_mode=network,
        mounts=[
            DockerMount(mount.target, source, type="bind", read_only=mount.read_only)
            for mount, source in zip(spec.mounts, sources, strict=True)
        ],
        cap_drop=["ALL"],
        cap_add=list(spec.capabilities),
        security_opt=["no-new-privileges", *security],
        read_only=True,
        mem_limit=memory,
        memswap_limit=memory,
        nano_cpus=int(cpus * 1e9),
        pids_limit=pids,
        ulimits=[Ulimit(name="nofile", soft=open_files, hard=open_files)],
        log_config=LogConfig(type="none"),
        ipc_mode="private",
        init=True,
    )
    return {
        "image": spec.image,
        "command": list(spec.command),
        "entrypoint": [],
        "hostname": "cognition",
        "user": "{}:{}".format(*spec.user),
        "working_dir": spec.working_directory,
        "environment": spec.environment,
        # Docker's client would add the proxies of ~/.docker/config.json, passwords included.
        "use_config_proxy": False,
        "labels": {
            f"{LABEL}.root": spec.root_uuid,
            f"{LABEL}.owner": spec.owner,
            f"{LABEL}.project": spec.project_id,
            f"{LABEL}.session": spec.session_id,
        },
        "host_config": host_config,
    }


def bridge(client: docker.APIClient, name: str) -> str:
    """The bridge for network ON, made if it is missing: containers on it can't reach each other.

    Raises RuntimeUnavailable when there is another kind of network of that name.
    """
    with _BRIDGE:
        networks = _named(client, name)
        if not networks:
            try:
                client.create_network(
                    name,
                    driver="bridge",
                    options={_ICC: "false"},
                    check_duplicate=True,
                    labels={f"{LABEL}.network": "1"},
                )
            except APIError as error:
                if error.status_code != 409:  # another server was quicker
                    raise
            networks = _named(client, name)
    for network in networks:
        if network["Driver"] != "bridge" or (network["Options"] or {}).get(_ICC) != "false":
            raise RuntimeUnavailable(
                f"The network {name} lets containers reach each other; remove it or set "
                "DockerRuntime.network_name.",
                "network_unusable",
            )
    if not networks:
        raise RuntimeUnavailable(f"The network {name} can't be made.", "network_unusable")
    # By its name in `docker inspect`, unless two servers have made two of that name.
    return name if len(networks) == 1 else str(min(network["Id"] for network in networks))


def _named(client: docker.APIClient, name: str) -> list[dict[str, Any]]:
    return [network for network in client.networks([name]) if network["Name"] == name]
