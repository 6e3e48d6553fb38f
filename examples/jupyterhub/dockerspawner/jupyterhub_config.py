"""JupyterHub on a machine with a Docker engine: each user's server in a container, each session of
theirs in another. The hub itself runs on the machine, as root or in the group `docker`."""

import os
from pathlib import Path

import docker

c = get_config()  # noqa: F821

# Anybody may log in, with this password. Put your own authenticator here.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["COGNITION_HUB_PASSWORD"]
c.Authenticator.allow_all = True

# -- servers in containers ---------------------------------------------------------------------

SOCKET = "/var/run/docker.sock"
NETWORK = "cognition-hub"
USER = 1000  # of the image
# RAM of the machine, not of the server's container: sessions are given directories in it, and it
# outlives a server that crashes.
RAM = Path("/dev/shm/cognition-hub")


def gateway(name):
    """Our address in the network of the servers, which can't reach each other."""
    client = docker.from_env()
    if not client.networks.list(names=[name]):
        options = {"com.docker.network.bridge.enable_icc": "false"}
        client.networks.create(name, driver="bridge", options=options)
    return client.networks.get(name).attrs["IPAM"]["Config"][0]["Gateway"]


def make_ram(spawner):
    """The user's directory in RAM. Docker would make it, too, but as root."""
    RAM.mkdir(mode=0o711, exist_ok=True)
    path = RAM / spawner.escaped_name
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, USER, USER)


c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.hub_ip = c.JupyterHub.hub_connect_ip = gateway(NETWORK)
c.DockerSpawner.image = "cognition-jupyter-server"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = NETWORK
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.pre_spawn_hook = make_ram
c.DockerSpawner.volumes = {
    "cognition-{username}": "/srv/cognition",
    f"{RAM}/{{username}}": "/run/cognition",
    SOCKET: SOCKET,
}
# The socket's group may use the engine.
c.DockerSpawner.extra_host_config = {
    "group_add": [os.stat(SOCKET).st_gid],
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
}
# Time to end sessions in order and to put their memory on disk.
c.DockerSpawner.stop_timeout = 60
