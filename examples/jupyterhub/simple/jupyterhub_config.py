"""JupyterHub on one machine: each user has projects, and a service looks after them.

Everybody gets in with the password below, and all servers run as the user who starts the Hub: good
for trying it out, and for nothing else. What has to change is in docs/jupyterhub.md.

    pip install 'cognition-jupyter[client,lab]' jupyterhub jupyterhub-idle-culler
    npm install -g configurable-http-proxy
    jupyter cognition image build
    jupyterhub -f jupyterhub_config.py
"""

import sys
from pathlib import Path

from cognition_jupyter.hub import configure_hub

c = get_config()  # noqa: F821

HERE = Path(__file__).resolve().parent
SERVICE = HERE.parent / "service" / "look_after_projects.py"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "projects"
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(Path.cwd() / "homes" / "{username}")
c.Spawner.default_url = "/lab"
# Sessions end in order, and their memory is snapshotted: time for that, before a server is killed.
c.LocalProcessSpawner.interrupt_timeout = 60
# A server says itself when its user or a session was at work; the proxy would count idle sockets.
c.JupyterHub.proxy_class = "cognition_jupyter.hub.proxy.UncountedProxy"
# Sessions with nothing to do are ended; their memory is snapshotted.
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=3600"]

c.JupyterHub.load_roles = [
    {
        "name": "look-after-projects",
        "scopes": [
            "list:users",
            "read:servers",
            "access:servers",
            "custom:cognition:write",  # to extend and to pin; reading is included
        ],
        "services": ["projects"],
    },
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    },
]
c.JupyterHub.services = [
    {"name": "projects", "command": [sys.executable, str(SERVICE), "--every=3600"]},
    {
        "name": "idle-culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=7200"],
    },
]

# Last, since it adds to what is above: the scopes custom:cognition:read, write, execute and admin.
configure_hub(c)
